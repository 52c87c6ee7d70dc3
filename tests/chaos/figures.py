"""The figures of a run, as a table for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from statistics import quantiles

from chaos.record import Ask, Evidence
from chaos.results import callids, holds, leads_back, rescued
from chaos.verdicts import Violation


def table(found: Evidence, wrong: Sequence[Violation]) -> str:
    """Write what happened, and what of it should not have."""
    rows = [*_load(found), *_disasters(found), *_app(found), *_callers(found)]
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:{width}}  {value}" for name, value in rows]
    return "\n".join([*lines, "", *_summary(wrong)])


def _summary(wrong: Sequence[Violation]) -> list[str]:
    if not wrong:
        return ["Every promise was kept."]
    lines = []
    for promise, times in Counter(one.promise for one in wrong).most_common():
        lines.append(f"BROKEN {times} times: {promise}")
        lines += [f"  {one.sentence}" for one in wrong if one.promise == promise][:10]
    return lines


def _load(found: Evidence) -> list[tuple[str, str]]:
    requests = sum(one.attempts for call in found.calls for one in call.documents)
    notices = sum(one.attempts for call in found.calls for one in call.notices)
    outbound = sum(call.direction == "outbound" for call in found.calls)
    return [
        ("duration", f"{found.seconds:.0f} s"),
        ("calls", f"{len(found.calls)}, of them {outbound} outbound"),
        ("at once, at most", str(found.most_at_once)),
        ("webhooks", f"{requests + notices}, of them {notices} notifications"),
        ("simulator late, at most", f"{found.most_late * 1000:.0f} ms"),
    ]


def _disasters(found: Evidence) -> list[tuple[str, str]]:
    begins = sorted(kill.begin for kill in found.kills)
    every = (begins[-1] - begins[0]) / (len(begins) - 1) if len(begins) > 1 else 0.0
    away = ", ".join(f"{one.end - one.begin:.1f} s" for one in found.outages)
    lost = sum(one.lost for call in found.calls for one in call.documents)
    refused = sum(one.refused for call in found.calls for one in call.documents)
    return [
        ("replicas killed", f"{len(begins)}, one every {every:.2f} s"),
        ("store restarted", f"{len(found.outages)}, away for {away or 'no time'}"),
        ("requests broken off", str(lost)),
        ("requests refused, to be repeated", str(refused)),
    ]


def _app(found: Evidence) -> list[tuple[str, str]]:
    questions = [ask for ask in found.asks if not ask.final]
    finals = [ask for ask in found.asks if ask.final]
    failures = Counter(ask.failure for ask in found.asks if ask.failure)
    failed = ", ".join(f"{times} {how}" for how, times in sorted(failures.items()))
    share = sum(failures.values()) / max(1, len(found.asks))
    return [
        ("questions to the app", f"{len(questions)}, of them {_repeated(questions)} asked again"),
        ("HANGUPs", f"{len({one.callid for one in finals})}, of them {_repeated(finals)} repeated"),
        ("replies failed on purpose", f"{share:.1%} ({failed})"),
    ]


def _repeated(asks: list[Ask]) -> int:
    ordered = sorted(asks, key=lambda ask: (ask.callid, ask.body))
    return sum(
        len(list(same)) - 1 for _, same in groupby(ordered, lambda ask: (ask.callid, ask.body))
    )


def _callers(found: Evidence) -> list[tuple[str, str]]:
    documents = [one for call in found.calls for one in call.documents]
    back = sum(leads_back(one) for one in documents)
    held = sum(holds(one) for one in documents)
    waits = sorted(one.came - one.asked for one in documents)
    sounds = sum("/media/" in text for call in found.calls for text in call.problems)
    told: dict[int, float] = {}
    for ask in found.asks:
        if ask.final:
            told.setdefault(ask.callid, ask.at)
    return [
        ("documents", f"{len(documents)}, of them {back} come back, {held} of these please hold"),
        ("given by the fallback URL", str(sum(map(rescued, found.calls)))),
        ("time to a document", _spread(waits)),
        ("from the end of a call to its HANGUP", _spread(_delays(found, told))),
        ("sounds that did not come", str(sounds)),
    ]


def _delays(found: Evidence, told: dict[int, float]) -> list[float]:
    return sorted(
        told[callid] - call.ended
        for call in found.calls
        for callid in callids(call)
        if call.ended is not None and callid in told
    )


def _spread(values: Sequence[float]) -> str:
    if len(values) < 2:
        return "-"
    cuts = quantiles(values, n=100)
    return f"half {cuts[49]:.2f} s, 99 % {cuts[98]:.2f} s, longest {max(values):.2f} s"


__all__ = ["table"]
