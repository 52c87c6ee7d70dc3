from __future__ import annotations

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from bridge.metrics import Metrics
from bridge.workers.totals import SHARED, SUMMED, Snapshot, Totals, read, render


def worker(webhooks: int = 0, seconds: tuple[float, ...] = ()) -> Metrics:
    """Make the metrics of a worker that had some webhooks and whose app took some times."""
    metrics = Metrics(["SHOP"], ["read"])
    for _ in range(webhooks):
        metrics.webhook("SHOP", "answer", "document")
    for taken in seconds:
        metrics.observe_app("SHOP", taken)
    return metrics


def seen(metrics: Metrics) -> Snapshot:
    """Give what the supervisor reads of it."""
    return read(metrics.render().decode())


def samples(total: Snapshot, name: str) -> dict[str, float]:
    """Give the samples of a family as they are shown, by their name and labels."""
    text = render(total, []).decode()
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.startswith(name)
    }


def test_counts_are_summed() -> None:
    """A count of the machine is the sum over its workers, label by label."""
    one, two = worker(3), worker(4)
    two.webhook("SHOP", "hangup", "ok")
    total = Totals().of({1: seen(one), 2: seen(two)})

    assert {
        'rt_bridge_webhooks_total{app="SHOP",outcome="document",route="answer"}': 7.0,
        'rt_bridge_webhooks_total{app="SHOP",outcome="ok",route="hangup"}': 1.0,
    } == samples(total, "rt_bridge_webhooks_total")


def test_histograms_are_summed() -> None:
    """Buckets, count and sum of a histogram are those of one that saw everything."""
    whole = seen(worker(seconds=(0.004, 0.3, 0.3, 6.0)))
    parts = Totals().of(
        {1: seen(worker(seconds=(0.004, 0.3))), 2: seen(worker(seconds=(0.3, 6.0)))}
    )

    assert samples(whole, "rt_bridge_app_seconds") == samples(parts, "rt_bridge_app_seconds")
    assert (
        6.604
        == samples(parts, "rt_bridge_app_seconds_sum")['rt_bridge_app_seconds_sum{app="SHOP"}']
    )


def test_counts_outlive_their_worker() -> None:
    """What a worker counted that is gone stays in the sum, so that no count ever shrinks."""
    totals = Totals()
    before = totals.of({1: seen(worker(3)), 2: seen(worker(4))})
    totals.bury(seen(worker(4)))
    after = totals.of({1: seen(worker(3))})
    new = totals.of({1: seen(worker(3)), 2: seen(worker(1))})
    name = "rt_bridge_webhooks_total"

    assert [7.0, 7.0, 8.0] == [sum(samples(one, name).values()) for one in (before, after, new)]
    assert [7.0] == [*samples(totals.of({1: seen(worker(3))}), name).values()]


def test_gauges_of_a_worker_that_is_gone() -> None:
    """What is true of a moment is not kept."""
    gone = worker()
    gone.set_connections(5, {})
    totals = Totals()
    totals.bury(seen(gone))

    assert {} == samples(totals.of({}), "rt_bridge_connections ")


def test_gauges() -> None:
    """What each has of its own is summed, what all see in the store is shown once, the rest by worker."""
    one, two = worker(), worker()
    for metrics, part in ((one, 2), (two, 3)):
        metrics.set_connections(part, {"slow": part})
        metrics.set_desk("SHOP", part, part + 1, is_open=part == 3)
        metrics.set_calls_live(40)
        metrics.set_outbox_pending(part)
        metrics.set_store(part, up=part == 2)
    total = Totals().of({1: seen(one), 2: seen(two)})

    for name, expected in (
        ("rt_bridge_connections ", {"rt_bridge_connections": 5.0}),
        ("rt_bridge_connections_cut", {'rt_bridge_connections_cut_off_total{why="slow"}': 5.0}),
        ("rt_bridge_app_asked", {'rt_bridge_app_asked{app="SHOP"}': 5.0}),
        ("rt_bridge_app_waiting", {'rt_bridge_app_waiting{app="SHOP"}': 7.0}),
        ("rt_bridge_calls_live", {"rt_bridge_calls_live": 40.0}),
        ("rt_bridge_outbox_pending", {"rt_bridge_outbox_pending": 3.0}),
        ("rt_bridge_store_lost_total", {"rt_bridge_store_lost_total": 5.0}),
        (
            "rt_bridge_breaker_open",
            {
                'rt_bridge_breaker_open{app="SHOP",worker="1"}': 0.0,
                'rt_bridge_breaker_open{app="SHOP",worker="2"}': 1.0,
            },
        ),
        (
            "rt_bridge_store_up",
            {'rt_bridge_store_up{worker="1"}': 1.0, 'rt_bridge_store_up{worker="2"}': 0.0},
        ),
    ):
        assert expected == samples(total, name)


def test_every_gauge_has_been_thought_of() -> None:
    """Those that are summed or shared exist; what gets a label by worker is a known list."""
    kinds = {name: family.kind for name, family in seen(worker()).items()}
    gauges = {name for name, kind in kinds.items() if kind == "gauge"}

    by_worker = {
        "rt_bridge_breaker_open",
        "rt_bridge_draining",
        "rt_bridge_gone_within_seconds",
        "rt_bridge_store_up",
    }
    assert gauges == SUMMED | SHARED | by_worker
    assert {"gauge", "counter", "histogram"} == set(kinds.values())


def test_what_is_shown_can_be_read() -> None:
    """The sums are in the format they were read from, meanings included, our own metrics first."""
    own = Metric("rt_bridge_workers", "Workers that serve.", "gauge")
    own.add_sample("rt_bridge_workers", {}, 2)
    total = Totals().of({1: seen(worker(3, (0.2,)))})
    found = list(text_string_to_metric_families(render(total, [own]).decode()))

    assert "rt_bridge_workers" == found[0].name
    shown = {one.name: (one.type, one.documentation) for one in found[1:]}
    assert {name: (one.kind, one.meaning) for name, one in total.items()} == shown
    assert read(render(total, []).decode()) == total
