from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bridge.metrics import _APP_SECONDS_BUCKETS, Metrics


@pytest.fixture
def metrics() -> Metrics:
    """Metrics that know two apps and two commands."""
    return Metrics(["SHOP", "SUPPORT"], ["play", "read"])


ORDER = ("app", "route", "outcome", "command", "result", "code", "name", "version", "le")


def samples(metrics: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    """Parse what a scrape returns: (name, label values in the order above) to value."""
    return {
        (sample.name, tuple(sample.labels[key] for key in ORDER if key in sample.labels)): (
            sample.value
        )
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def test_names_and_labels_are_as_documented(metrics: Metrics) -> None:
    """A scrape shows each metric under its documented name with its labels."""
    metrics.webhook("SHOP", "answer", "document")
    metrics.webhook("SHOP", "answer", "document")
    metrics.turn("SHOP", "read", "TIMEOUT")
    metrics.observe_app("SHOP", 0.2)
    metrics.error("SUPPORT", "UNKNOWN_COMMAND")
    metrics.error("SUPPORT", "UNKNOWN_COMMAND")
    metrics.set_calls_live(3)
    metrics.set_outbox_pending(2)
    metrics.set_open_commands({("read", 1): 4})

    found = samples(metrics)

    assert 2 == found["rt_bridge_webhooks_total", ("SHOP", "answer", "document")]
    assert 1 == found["rt_bridge_turns_total", ("SHOP", "read", "TIMEOUT")]
    assert 1 == found["rt_bridge_app_seconds_count", ("SHOP",)]
    assert 0 == found["rt_bridge_app_seconds_bucket", ("SHOP", "0.1")]
    assert 1 == found["rt_bridge_app_seconds_bucket", ("SHOP", "0.25")]
    assert 2 == found["rt_bridge_errors_total", ("SUPPORT", "UNKNOWN_COMMAND")]
    assert 3 == found["rt_bridge_calls_live", ()]
    assert 2 == found["rt_bridge_outbox_pending", ()]
    assert 4 == found["rt_bridge_open_commands", ("read", "1")]
    assert metrics.content_type.startswith("text/plain")


def test_way_out_is_counted_down(metrics: Metrics) -> None:
    """A bridge that serves shows no countdown; one that drains shows when it is gone."""
    metrics.set_draining(0.0, is_leaving=False)
    before = samples(metrics)
    metrics.set_draining(12.5, is_leaving=True)
    after = samples(metrics)

    names = ("rt_bridge_draining", "rt_bridge_gone_within_seconds")
    assert [0, 0] == [before[name, ()] for name in names]
    assert [1, 12.5] == [after[name, ()] for name in names]


@pytest.mark.parametrize(
    ("seconds", "least"), [(0.0, "0.005"), (0.005, "0.005"), (0.0051, "0.01"), (5.0, "5.0")]
)
def test_time_counts_in_every_bucket_it_fits(metrics: Metrics, seconds: float, least: str) -> None:
    """A bucket has what took as long as its bound or less."""
    metrics.observe_app("SHOP", seconds)
    metrics.observe_app("SHOP", 60.0)

    found = samples(metrics)
    bounds = [labels[1] for name, labels in found if name == "rt_bridge_app_seconds_bucket"]
    counts = [found["rt_bridge_app_seconds_bucket", ("SHOP", bound)] for bound in bounds]
    first = bounds.index(least)

    assert [*map(str, _APP_SECONDS_BUCKETS), "+Inf"] == bounds
    assert [0] * first + [1] * (len(bounds) - first - 1) + [2] == counts
    assert 2 == found["rt_bridge_app_seconds_count", ("SHOP",)]
    assert seconds + 60 == found["rt_bridge_app_seconds_sum", ("SHOP",)]


def test_repeated_events_reach_the_same_series(metrics: Metrics) -> None:
    """A kept child counts into the series it was made for."""
    for _ in range(3):
        metrics.turn("SHOP", "play", "ok")
        metrics.observe_app("SHOP", 1.0)

    found = samples(metrics)

    assert 3 == found["rt_bridge_turns_total", ("SHOP", "play", "ok")]
    assert 3 == found["rt_bridge_app_seconds_sum", ("SHOP",)]


def test_unknown_labels_become_other(metrics: Metrics) -> None:
    """Apps, routes and commands that nobody configured share one series."""
    for n in range(50):
        metrics.webhook(f"guess{n}", f"path{n}", "not_found")
        metrics.turn(f"guess{n}", f"command{n}", "error")
        metrics.observe_app(f"guess{n}", 0.1)
        metrics.error(f"guess{n}", "CALL_NOT_FOUND")
    metrics.set_open_commands({("gone", 1): 2, ("lost", 1): 3})

    found = samples(metrics)

    assert 50 == found["rt_bridge_webhooks_total", ("other", "other", "not_found")]
    assert 50 == found["rt_bridge_turns_total", ("other", "other", "error")]
    assert 50 == found["rt_bridge_app_seconds_count", ("other",)]
    assert 50 == found["rt_bridge_errors_total", ("other", "CALL_NOT_FOUND")]
    assert 5 == found["rt_bridge_open_commands", ("other", "1")]
    assert not any("guess" in str(labels) for _, labels in found)


def test_unknown_labels_are_not_remembered(metrics: Metrics) -> None:
    """Guessed names do not grow the memory of the bridge."""
    for n in range(50):
        metrics.webhook(f"guess{n}", "answer", "not_found")
        metrics.observe_app(f"guess{n}", 0.1)

    assert {} == metrics._webhook_counts
    assert {"other"} == metrics._app_seconds._counts.keys()


def test_a_result_is_never_a_label(metrics: Metrics) -> None:
    """Keys a caller pressed, or any other free result, count as `value`."""
    for result in ("1234", "7", "my_recording", ""):
        metrics.turn("SHOP", "read", result)

    assert 4 == samples(metrics)["rt_bridge_turns_total", ("SHOP", "read", "value")]


def test_codes_are_limited_in_shape_and_number(metrics: Metrics) -> None:
    """Text that is not a code, and codes beyond a hundred, count as `other`."""
    metrics.error("SHOP", "call +33612345678 failed")
    for n in range(150):
        metrics.error("SHOP", f"CODE_{n}")

    found = {
        labels: value
        for (name, labels), value in samples(metrics).items()
        if name == "rt_bridge_errors_total"
    }

    assert 101 == len(found)
    assert 51 == found["SHOP", "other"]


def test_open_commands_fall_to_zero(metrics: Metrics) -> None:
    """A version that is no longer in use stays visible at zero."""
    metrics.set_open_commands({("read", 1): 2, ("read", 2): 1})
    metrics.set_open_commands({("read", 2): 5})

    found = samples(metrics)

    assert 0 == found["rt_bridge_open_commands", ("read", "1")]
    assert 5 == found["rt_bridge_open_commands", ("read", "2")]


def test_each_bridge_has_its_own_registry() -> None:
    """Two bridges in one process do not share counts."""
    one, two = Metrics(["A"], []), Metrics(["A"], [])
    one.set_calls_live(9)

    assert 0 == samples(two)["rt_bridge_calls_live", ()]
