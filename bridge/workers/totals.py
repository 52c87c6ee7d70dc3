"""The metrics of all workers as those of one bridge.

Counts and histograms are summed, those of workers that are gone included: a sum that shrank would
look like a restart. What a worker counted after it was last looked at is lost with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

#: Gauges of what belongs to one process each: the machine has as many as all of them together.
SUMMED: Final = frozenset({"rt_bridge_app_asked", "rt_bridge_app_waiting", "rt_bridge_connections"})
#: Gauges of what is in the store that all share: each tells the same, some a moment later.
SHARED: Final = frozenset(
    {
        "rt_bridge_calls_live",
        "rt_bridge_open_commands",
        "rt_bridge_outbound_waiting",
        "rt_bridge_outbox_pending",
    }
)
#: The label that every other gauge gets: the state of one process is no other's.
WORKER: Final = "worker"
_CUMULATIVE: Final = frozenset({"counter", "histogram"})
#: When a series began: of no use once several are summed.
_BEGAN: Final = "_created"

#: A sample within its family: its name and its labels, in order.
_Key = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(slots=True)
class _Family:
    kind: str
    meaning: str
    values: dict[_Key, float] = field(default_factory=dict)


Snapshot = dict[str, _Family]
"""The metrics of one process at one moment, by the name of the family."""


def read(text: str) -> Snapshot:
    """Read what a worker shows. Raises ValueError."""
    found: Snapshot = {}
    for metric in text_string_to_metric_families(text):
        if metric.name.endswith(_BEGAN):
            continue
        family = found.setdefault(metric.name, _Family(metric.type, metric.documentation))
        for sample in metric.samples:
            key = sample.name, tuple(sample.labels.items())
            family.values[key] = float(sample.value)
    return found


class Totals:
    """Sums over workers, past ones included."""

    def __init__(self) -> None:
        self._past: Snapshot = {}

    def bury(self, last: Snapshot) -> None:
        """Keep what a worker counted that is gone."""
        _add(self._past, last)

    def of(self, workers: Mapping[int, Snapshot]) -> Snapshot:
        """Sum up what the workers that live show, by their number."""
        total: Snapshot = {}
        _add(total, self._past)
        for number, snapshot in workers.items():
            _add(total, snapshot)
            for name, family in snapshot.items():
                if family.kind not in _CUMULATIVE:
                    _add_gauge(total, name, family, number)
        return total


def _add(total: Snapshot, more: Snapshot) -> None:
    for name, family in more.items():
        if family.kind in _CUMULATIVE:
            mine = total.setdefault(name, _Family(family.kind, family.meaning)).values
            for key, value in family.values.items():
                mine[key] = mine.get(key, 0.0) + value


def _add_gauge(total: Snapshot, name: str, family: _Family, number: int) -> None:
    mine = total.setdefault(name, _Family(family.kind, family.meaning)).values
    for key, value in family.values.items():
        if name in SUMMED:
            mine[key] = mine.get(key, 0.0) + value
        elif name in SHARED:
            mine[key] = max(mine.get(key, value), value)
        else:
            mine[key[0], (*key[1], (WORKER, str(number)))] = value


def render(total: Snapshot, own: Iterable[Metric]) -> bytes:
    """Write metrics in the Prometheus text format, our own first."""
    registry = CollectorRegistry()
    registry.register(_Shown(total, own))
    return generate_latest(registry)


class _Shown(Collector):
    def __init__(self, total: Snapshot, own: Iterable[Metric]) -> None:
        self._total = total
        self._own = list(own)

    def collect(self) -> Iterator[Metric]:
        yield from self._own
        for name, family in self._total.items():
            metric = Metric(name, family.meaning, family.kind)
            for (sample, labels), value in family.values.items():
                metric.add_sample(sample, dict(labels), value)
            yield metric


__all__ = ["SHARED", "SUMMED", "WORKER", "Snapshot", "Totals", "read", "render"]
