"""What must hold of every call after it is over, whatever was killed meanwhile."""

from __future__ import annotations

from itertools import groupby, pairwise

from crash.caller import Caller
from crash.commands import EXPECT, Ended, Result, Steps, recording_name
from crash.rt_app import Ask, Reply

Kills = list[tuple[float, float]]
#: command, command_id, variables, and its result.
Told = tuple[str, object, object, Result]
#: What the first request of a call says.
NOTHING_YET: Told = ("", "0", {}, ("", ""))


def check_call(caller: Caller, asks: list[Ask], kills: Kills) -> None:
    """Check what the app was asked about a call against what Plivo delivered of it."""
    turns = [list(same) for _, same in groupby(asks, key=lambda ask: ask.body)]
    for turn in turns:
        for first, again in pairwise(turn):
            assert _killed(kills, first.at, again.at), f"asked twice without a kill: {first.body!r}"
    assert {caller.callid or asks[0].request["callid"]} == {ask.request["callid"] for ask in asks}
    steps = Steps(caller.steps)
    *before, last = turns
    assert [turn[0].final for turn in turns] == [False] * len(before) + [True]
    previous: list[Ask] = []
    for turn in before:
        expected: Told = NOTHING_YET
        if previous:
            reply = previous[-1].reply
            expected = _named(reply, EXPECT[reply["command"]](reply["params"], steps))
        assert expected == _told(turn[0]), (expected, turn[0].body, caller.steps)
        assert turn[0].request["call_status"] == "UP"
        previous = turn
    _check_final(last[0], previous, steps, kills)
    rest = steps.rest()
    assert [] == rest, (rest, [ask.body for ask in last])


def _check_final(final: Ask, previous: list[Ask], steps: Steps, kills: Kills) -> None:
    if not previous:
        assert _told(final) == NOTHING_YET
        return
    asked = previous[-1]
    if _told(final) == _told(asked):
        # The app's last reply never reached the store: its result is still the one before.
        assert _killed(kills, asked.at, final.at)
        return
    reply = asked.reply
    allowed: list[Result] = []
    try:
        allowed.append(EXPECT[reply["command"]](reply["params"], steps))
        if not steps.sure:
            allowed.append(("", ""))
    except Ended:
        recorded = steps.last is not None and steps.last.recorded
        result = recording_name(steps.last.document) if recorded and steps.last else ""
        allowed.append((result, ""))
    assert _told(final) in [_named(reply, result) for result in allowed], (final.body, allowed)


def _told(ask: Ask) -> Told:
    """Give what a request says about the command before it."""
    said = ask.request
    error = said["command_error"].partition(":")[0]
    return (
        said["command"],
        said["command_id"] if said["command"] else str(said["command_id"]),
        said["variables"],
        (said["command_result"], error),
    )


def _named(reply: Reply, result: Result) -> Told:
    return reply["command"], reply["command_id"], reply["variables"], result


def _killed(kills: Kills, begin: float, end: float) -> bool:
    return any(after >= begin and before <= end for before, after in kills)


def check_callids(callers: list[Caller]) -> None:
    """Check that callids are unique, and grow from each call to those that began after it."""
    known = [caller for caller in callers if caller.callid]
    assert len(known) == len({caller.callid for caller in known})
    known.sort(key=lambda caller: caller.callid)
    earliest = 0.0
    for caller in reversed(known):
        first = caller.leg.deliveries[0]
        if earliest:
            assert first.sent_at < earliest, f"callid {caller.callid} is too small"
        earliest = min(earliest or first.answered_at, first.answered_at)


__all__ = ["check_call", "check_callids"]
