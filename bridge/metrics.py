"""The Prometheus metrics of one bridge, in a registry of their own.

Label values come from known sets: an app, route or command that is not known becomes `other`, so
that no caller and no legacy app can grow the number of series. Results are known words or
`value`, because a result may be the keys a caller pressed.
What every turn counts is counted here and handed to prometheus_client when somebody looks: its own
way to add one takes five times as long.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter as Counts
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

__all__ = ["OTHER", "RESULTS", "ROUTES", "VALUE", "Metrics"]

OTHER: Final = "other"
VALUE: Final = "value"

ROUTES: Final = frozenset(
    {"answer", "hangup", "fallback", "ring", "step", "notify", "media", "document", "json-rpc"}
)
"""Names of the kinds of request that Plivo and API clients make."""

RESULTS: Final = frozenset(
    {
        "CONFERENCE_CLOSED",
        "LAST_PARTICIPANT",
        "LEFT_CONFERENCE",
        "NOANSWER",
        "PIN_ERROR",
        "PIN_TIMEOUT",
        "SILENCE",
        "TALK",
        "TIMEOUT",
        "break",
        "error",
        "hangup",
        "ok",
    }
)
"""RT result words (RT page, "Commands") and the bridge's own classes in lower case."""

_APP_SECONDS_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0)
_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,47}")
_MOST_CODES: Final = 100

#: Counted since the metrics were rendered last, by labels.
_Pending = dict[tuple[str, ...], int]


class Metrics:
    """Every metric of the bridge; `apps` and `commands` are the label values that may appear."""

    content_type: Final = CONTENT_TYPE_LATEST

    def __init__(
        self,
        apps: Iterable[str],
        commands: Iterable[str],
        routes: Iterable[str] = ROUTES,
    ) -> None:
        self.registry = CollectorRegistry()
        self._apps = frozenset(apps)
        self._commands = frozenset(commands)
        self._routes = frozenset(routes)
        self._codes: set[str] = set()
        self._webhooks = Counter(
            "rt_bridge_webhooks_total",
            "Requests received from Plivo and API clients, by what became of them.",
            ("app", "route", "outcome"),
            registry=self.registry,
        )
        self._turns = Counter(
            "rt_bridge_turns_total",
            "RT commands finished, by the class of their result.",
            ("app", "command", "result"),
            registry=self.registry,
        )
        self._app_seconds = _Times(
            "rt_bridge_app_seconds",
            "Time an RT app took to answer a request; RT grants 5 seconds.",
            _APP_SECONDS_BUCKETS,
        )
        self.registry.register(self._app_seconds)
        self._errors = Counter(
            "rt_bridge_errors_total",
            "Errors by their stable code.",
            ("app", "code"),
            registry=self.registry,
        )
        self._open_commands = Gauge(
            "rt_bridge_open_commands",
            "Commands in progress by mapping version; an old version can go after staying at 0.",
            ("name", "version"),
            registry=self.registry,
        )
        self._calls_live = Gauge(
            "rt_bridge_calls_live", "Calls in progress.", registry=self.registry
        )
        self._outbox_pending = Gauge(
            "rt_bridge_outbox_pending",
            "Messages that wait for delivery, final HANGUP requests included.",
            registry=self.registry,
        )
        self._outbound = Counter(
            "rt_bridge_outbound_calls_total",
            "Outbound calls by what became of them: queued (all of them), unknown, rejected.",
            ("app", "outcome"),
            registry=self.registry,
        )
        self._outbound_waiting = Gauge(
            "rt_bridge_outbound_waiting",
            "Outbound calls that wait to be dialled.",
            registry=self.registry,
        )
        self._asked = Gauge(
            "rt_bridge_app_asked",
            "Requests that an RT app has to answer at this moment.",
            ("app",),
            registry=self.registry,
        )
        self._lines = Gauge(
            "rt_bridge_app_waiting",
            "Requests that wait because an RT app has max_questions to answer.",
            ("app",),
            registry=self.registry,
        )
        self._breakers = Gauge(
            "rt_bridge_breaker_open",
            "1 while an RT app is not asked because it did not answer.",
            ("app",),
            registry=self.registry,
        )
        self._connections = Gauge(
            "rt_bridge_connections", "Connections open for Plivo.", registry=self.registry
        )
        self._cut_off = Counter(
            "rt_bridge_connections_cut_off_total",
            "Connections cut off: slow, displaced by a newcomer, or refused for want of a place.",
            ("why",),
            registry=self.registry,
        )
        self._cut_off_seen: Counts[str] = Counts()
        self._draining = Gauge(
            "rt_bridge_draining",
            "1 from the signal to stop on; this replica is not ready and dials nobody.",
            registry=self.registry,
        )
        self._gone_within = Gauge(
            "rt_bridge_gone_within_seconds",
            "Time until a replica that drains is gone at the latest.",
            registry=self.registry,
        )
        self._store_up = Gauge(
            "rt_bridge_store_up",
            "1 while the store can be read and written.",
            registry=self.registry,
        )
        self._store_lost = Counter(
            "rt_bridge_store_lost",
            "How often the connection to the store was lost.",
            registry=self.registry,
        )
        self._store_losses = 0
        self._webhook_counts: _Pending = {}
        self._turn_counts: _Pending = {}
        self._error_counts: _Pending = {}
        self._open_seen: set[tuple[str, str]] = set()

    def webhook(self, app: str, route: str, outcome: str) -> None:
        """Count one request; `outcome` is a word such as `document`, `duplicate`, `forbidden`."""
        key = (app, route, outcome)
        if key in self._webhook_counts:
            self._webhook_counts[key] += 1
        else:
            labels = (self._app(app), _known(route, self._routes), self._code(outcome))
            self._first(self._webhooks, self._webhook_counts, key, labels)

    def turn(self, app: str, command: str, result: str) -> None:
        """Count one finished command; a result that is not a known word counts as `value`."""
        word = result if result in RESULTS else VALUE
        key = (app, command, word)
        if key in self._turn_counts:
            self._turn_counts[key] += 1
        else:
            labels = (self._app(app), _known(command, self._commands), word)
            self._first(self._turns, self._turn_counts, key, labels)

    def observe_app(self, app: str, seconds: float) -> None:
        """Record how long an app took to answer, in seconds of real time."""
        self._app_seconds.observe(self._app(app), seconds)

    def error(self, app: str, code: str) -> None:
        """Count one error by its code, such as `UNKNOWN_COMMAND`."""
        key = (app, code)
        if key in self._error_counts:
            self._error_counts[key] += 1
        else:
            self._first(self._errors, self._error_counts, key, (self._app(app), self._code(code)))

    @staticmethod
    def _first(
        counter: Counter, counts: _Pending, key: tuple[str, ...], labels: tuple[str, ...]
    ) -> None:
        """Count something, and from now on here if its labels are all known."""
        counter.labels(*labels).inc()
        if OTHER not in labels:
            counts[key] = 0

    def outbound(self, app: str, outcome: str) -> None:
        """Count one outbound call by what became of it."""
        self._outbound.labels(self._app(app), self._code(outcome)).inc()

    def set_outbound_waiting(self, calls: int) -> None:
        """Set the number of outbound calls that wait to be dialled."""
        self._outbound_waiting.set(calls)

    def set_connections(self, is_open: int, cut_off: Mapping[str, int]) -> None:
        """Set how many connections are open, and how many were cut off since the start, by why."""
        self._connections.set(is_open)
        for why, count in cut_off.items():
            self._cut_off.labels(why).inc(count - self._cut_off_seen[why])
            self._cut_off_seen[why] = count

    def set_draining(self, gone_within_s: float, *, is_leaving: bool) -> None:
        """Set whether the process is on its way out, and when it is gone at the latest."""
        self._draining.set(is_leaving)
        self._gone_within.set(gone_within_s)

    def set_desk(self, app: str, asked: int, waiting: int, *, is_open: bool) -> None:
        """Set how many questions an app has and how many wait, and whether its breaker is open."""
        label = self._app(app)
        self._asked.labels(label).set(asked)
        self._lines.labels(label).set(waiting)
        self._breakers.labels(label).set(is_open)

    def know_app(self, app: str) -> None:
        """Give an app that was made while running series of its own."""
        self._apps |= {app}

    def set_calls_live(self, calls: int) -> None:
        """Set the number of calls in progress."""
        self._calls_live.set(calls)

    def set_outbox_pending(self, messages: int) -> None:
        """Set the number of messages that wait for delivery."""
        self._outbox_pending.set(messages)

    def set_store(self, losses: int, *, up: bool) -> None:
        """Set whether the store can be reached, and how often it was lost since the start."""
        self._store_up.set(up)
        self._store_lost.inc(losses - self._store_losses)
        self._store_losses = losses

    def set_open_commands(self, counts: Mapping[tuple[str, int], int]) -> None:
        """Set the number of open commands by (name, version); what is not named becomes 0."""
        sums: dict[tuple[str, str], int] = dict.fromkeys(self._open_seen, 0)
        for (name, version), count in counts.items():
            labels = (_known(name, self._commands), str(int(version)))
            sums[labels] = sums.get(labels, 0) + count
        for labels, count in sums.items():
            self._open_commands.labels(*labels).set(count)
        self._open_seen.update(sums)

    def render(self) -> bytes:
        """Return the metrics in the Prometheus text format; send it with `content_type`."""
        for counter, counts in (
            (self._webhooks, self._webhook_counts),
            (self._turns, self._turn_counts),
            (self._errors, self._error_counts),
        ):
            for labels, count in counts.items():
                counter.labels(*labels).inc(count)
                counts[labels] = 0
        return generate_latest(self.registry)

    def _app(self, app: str) -> str:
        return _known(app, self._apps)

    def _code(self, code: str) -> str:
        # Codes and outcomes are literals of this program; the limits hold should one leak in.
        if code in self._codes:
            return code
        if len(self._codes) >= _MOST_CODES or _CODE.fullmatch(code) is None:
            return OTHER
        self._codes.add(code)
        return code


class _Times(Collector):
    """A histogram by app; `buckets` are upper bounds in s, ascending."""

    def __init__(self, name: str, documentation: str, buckets: Sequence[float]) -> None:
        self._name = name
        self._documentation = documentation
        self._buckets = buckets
        self._bounds = [*map(floatToGoString, buckets), "+Inf"]
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def observe(self, app: str, seconds: float) -> None:
        """Count one time."""
        if app not in self._counts:
            self._counts[app] = [0] * len(self._bounds)
            self._sums[app] = 0.0
        self._counts[app][bisect_left(self._buckets, seconds)] += 1
        self._sums[app] += seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Give the samples: each bucket with those below it."""
        family = HistogramMetricFamily(self._name, self._documentation, labels=("app",))
        for app, counts in self._counts.items():
            buckets = zip(self._bounds, accumulate(counts), strict=True)
            family.add_metric([app], [*buckets], self._sums[app])
        yield family


def _known(value: str, known: frozenset[str]) -> str:
    return value if value in known else OTHER
