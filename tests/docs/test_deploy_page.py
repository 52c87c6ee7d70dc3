"""docs/deploy.md against what the program counts and logs."""

from __future__ import annotations

import re
from pathlib import Path

from bridge.metrics import Metrics

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "deploy.md").read_text()


def test_every_metric_is_listed_with_its_labels() -> None:
    """The page names each metric as Prometheus shows it, with all of its labels."""
    listed = dict(re.findall(r"\| `(rt_bridge_\w+)(?:\{([\w,]+)\})?` \|", PAGE))
    metrics = Metrics(["A"], ["read"])
    metrics.webhook("A", "answer", "document")
    metrics.turn("A", "read", "ok")
    metrics.observe_app("A", 0.1)
    metrics.error("A", "APP_TIMEOUT")
    metrics.outbound("A", "queued")
    metrics.set_desk("A", 1, 0, is_open=False)
    metrics.set_connections(1, {"slow": 1})
    metrics.set_open_commands({("read", 1): 1})
    shown = {
        family.name + ("_total" if family.type == "counter" else ""): family.samples[0].labels
        for family in metrics.registry.collect()
    }

    assert {name: set(labels) - {"le"} for name, labels in shown.items()} == {
        name: set(filter(None, labels.split(","))) for name, labels in listed.items()
    }


def test_every_listed_event_is_logged() -> None:
    """Each event on the page is the name of a line that the program writes."""
    rows = PAGE.partition("| event | meaning |")[2].splitlines()
    listed = {
        event for row in rows for event in re.findall(r"`(\w+\.\w+)`", row[: row.find(" | ")])
    }
    source = "".join(path.read_text() for path in (ROOT / "bridge").rglob("*.py"))

    assert 15 < len(listed)
    assert set() == {event for event in listed if f'"{event}"' not in source}
