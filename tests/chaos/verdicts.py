"""What must hold after a run, whatever was killed: each violation is a sentence under a heading."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import Final, NamedTuple

from chaos.record import Ask, Evidence, Json, Seen
from chaos.results import (
    Ended,
    Result,
    callids,
    expected,
    fits,
    leads_back,
    recordings,
    rescued,
    steps_of,
)
from crash.commands import Steps, recording_name

#: From the app's reply until it is stored, at most, in s, where no document shows when it was.
STORED_S: Final = 1.5
#: Longest that a caller may be told to come back before the next real document, in s.
PATIENCE_S: Final = 45.0
#: What the simulator says of a notification whose every attempt failed.
_NOTICE: Final = re.compile(r"(?!the )[\w ]+ gave (no answer|status \d+: )")
#: What it says of a document whose every attempt failed.
_NOTHING: Final = re.compile(r"the \w+ URL gave (no answer|status \d+): ")
#: Ways to fail that leave it open whether the app has heard of the end of a call.
UNHEARD: Final = frozenset({"503", "reset", "late"})


class Violation(NamedTuple):
    """What was promised, and the sentence that says how it was broken."""

    promise: str
    sentence: str


class Told(NamedTuple):
    """What a request says about the command before it."""

    command_id: object
    command: str
    result: Result


def violations(found: Evidence) -> list[Violation]:
    """List everything that went wrong."""
    by_call: dict[int, list[Ask]] = defaultdict(list)
    for ask in sorted(found.asks, key=lambda one: one.at):
        by_call[ask.callid].append(ask)
    seen = {callid: call for call in found.calls for callid in callids(call)}
    wrong: list[Violation] = []
    for call in found.calls:
        wrong += _of_call(call)
    for callid, asks in by_call.items():
        wrong += _of_conversation(found, callid, asks, seen.get(callid))
    wrong += _of_outbound(found)
    wrong += [Violation("every call ends", f"the store still has {it}") for it in found.unfinished]
    wrong += [Violation("no fault of the bridge", line) for line in found.faults]
    wrong += [
        Violation("no fault of the bridge", f"a replica stopped with the status {status}")
        for status in found.stopped
        if status
    ]
    return wrong


def _of_call(call: Seen) -> Iterator[Violation]:
    """Look at what one caller got."""
    name = f"call {call.number} ({call.uuid})"
    if call.ended is None:
        yield Violation("every call ends", f"{name} has not ended")
    if len(known := callids(call)) > 1:
        yield Violation("one call, one callid", f"{name} is known as {sorted(known)}")
    rescues = rescued(call)
    for problem in call.problems:
        if "two different documents" in problem:
            yield Violation("one step, one document", f"{name}: {problem}")
        elif _NOTICE.match(problem):
            yield Violation("every notification is taken", f"{name}: {problem}")
        elif rescues and _NOTHING.match(problem):
            rescues -= 1
        elif not _is_sound(problem):
            yield Violation("nobody is left without a document", f"{name}: {problem}")
    yield from _patience(call, name)


def _patience(call: Seen, name: str) -> Iterator[Violation]:
    """Look at how long one caller was told to come back."""
    began = None
    for fetched in call.documents:
        began = fetched.asked if began is None else began
        if fetched.came - began > PATIENCE_S:
            sentence = f"{name} waited {fetched.came - began:.0f} s at {fetched.url}"
            yield Violation("nobody is left without a document", sentence)
        if not leads_back(fetched):
            began = None


def _is_sound(problem: str) -> bool:
    """Tell whether a problem is about a sound that did not come, which is silence to its caller."""
    return "/media/" in problem or problem.startswith(
        ("enterSound", "exitSound", "waitSound", "dialMusic", "confirmSound")
    )


def _of_conversation(
    found: Evidence, callid: int, asks: list[Ask], call: Seen | None
) -> Iterator[Violation]:
    """Look at what the app heard of one call."""
    questions = [ask for ask in asks if not ask.final]
    finals = [ask for ask in asks if ask.final]
    turns = [list(same) for _, same in groupby(questions, key=lambda ask: ask.body)]
    yield from _asked_twice(found, callid, turns, call)
    yield from _finals(found, callid, questions, finals)
    yield from _results(found, callid, turns, finals, call)


def _asked_twice(
    found: Evidence, callid: int, turns: list[list[Ask]], call: Seen | None
) -> Iterator[Violation]:
    promise = "no step is asked twice without a kill inside its POST"
    for turn in turns:
        for first, again in pairwise(turn):
            if not found.interrupted(first, min(_stored(first, call), again.at)):
                how = f"{first.process} at {first.at:.2f} s, {again.process} at {again.at:.2f} s"
                yield Violation(promise, f"call {callid}: {how}: {first.body!r}")
    bodies = Counter(turn[0].body for turn in turns)
    for body, times in bodies.items():
        if times > 1:
            yield Violation(promise, f"call {callid} went back to {body!r}")
    told = Counter(str(_told(turn[0]).command_id) for turn in turns)
    for command_id, times in told.items():
        if times > 1:
            yield Violation(promise, f"call {callid}: {command_id} was told with several results")


def _stored(ask: Ask, call: Seen | None) -> float:
    """Give the instant at which the outcome of a question surely was stored, unless its replica died."""
    documents = [] if call is None else call.documents
    shown = [one.came for one in documents if one.came > ask.answered and not leads_back(one)]
    return min([ask.answered + STORED_S, *shown])


def _finals(
    found: Evidence, callid: int, questions: list[Ask], finals: list[Ask]
) -> Iterator[Violation]:
    if not finals:
        yield Violation("every HANGUP is delivered", f"the app never heard that {callid} ended")
        return
    if len({final.body for final in finals}) > 1:
        bodies = [final.body for final in finals]
        yield Violation("repeats of HANGUP are byte-identical", f"call {callid}: {bodies}")
    for first, again in pairwise(finals):
        interrupted = found.interrupted(first, min(first.answered + STORED_S, again.at))
        if not interrupted and first.failure not in UNHEARD and found.in_time(first):
            how = f"{first.process} at {first.at:.2f} s, {again.process} at {again.at:.2f} s"
            yield Violation("HANGUP is repeated only with a reason", f"call {callid}: {how}")
    for question in questions:
        if question.at > finals[0].at:
            sentence = f"call {callid} at {question.at:.2f} s: {question.body!r}"
            yield Violation("no question after HANGUP", sentence)


def _results(
    found: Evidence, callid: int, turns: list[list[Ask]], finals: list[Ask], call: Seen | None
) -> Iterator[Violation]:
    """Follow the commands of a call: each is told once, with the result its documents had."""
    steps = Steps([]) if call is None else steps_of(call)
    following = [*(turn[0] for turn in turns[1:]), *finals[:1]]
    for turn, after in zip(turns, following, strict=False):
        told = _told(after)
        reply = next((a.reply for a in turn if a.reply and _id(a.reply) == told.command_id), None)
        if reply is None:
            if not after.final or told != _told(turn[0]) or not _may_be_lost(found, turn, call):
                sentence = f"call {callid}: after {turn[-1].body!r} came {after.body!r}"
                yield Violation("every result is delivered", sentence)
            return
        known = after.final and _knew_of_recording(call, after)
        complaint = _complaint(reply, told, steps, is_final=after.final, recorded=known)
        if complaint:
            sentence = f"call {callid}, {told.command} {told.command_id}: {complaint}"
            yield Violation("every result is the right one", sentence)
            return
        if after.final:
            return
    if finals and not turns and _told(finals[0]).command:
        yield Violation("every result is delivered", f"call {callid} was only told its end")


def _knew_of_recording(call: Seen | None, final: Ask) -> bool:
    """Tell whether the callback of the last recording was taken well before HANGUP was written."""
    known = {} if call is None else recordings(call)
    return bool(known) and known[max(known)] < final.at - STORED_S


def _complaint(reply: Json, told: Told, steps: Steps, *, is_final: bool, recorded: bool) -> str:
    """Compare a result with what the documents of its command came to; "" = it is right."""
    try:
        allowed = expected(reply, steps)
        if is_final and not steps.sure:
            allowed.append(("", ""))
    except Ended:
        allowed = [("", "")]
        if steps.last is not None and steps.last.recorded and reply["command"] == "record":
            name = (recording_name(steps.last.document), "")
            allowed = [name] if recorded else [*allowed, name]
        if is_final and reply["command"] == "conference":
            allowed += [("CONFERENCE_CLOSED", ""), ("LAST_PARTICIPANT", "")]
        if not is_final:
            return f"its documents never came to an end, but the app was told {told.result}"
    except AssertionError as error:
        return f"unexpected document: {error}"
    return "" if fits(told.result, allowed) else f"{told.result} instead of one of {allowed}"


def _may_be_lost(found: Evidence, turn: list[Ask], call: Seen | None) -> bool:
    """Tell whether a turn may have come to nothing: the app failed, or a kill came before its commit."""
    return any(
        ask.failure or not found.in_time(ask) or found.interrupted(ask, _stored(ask, call))
        for ask in turn
    )


def _of_outbound(found: Evidence) -> Iterator[Violation]:
    told = {ask.request["request_hash"] for ask in found.asks if ask.final}
    for token in found.accepted:
        if token not in told:
            yield Violation("every HANGUP is delivered", f"outbound {token} never came to an end")
    for number, times in Counter(found.dialled).items():
        if times > 1:
            yield Violation("nobody is called twice", f"{number} was dialled {times} times")


def _told(ask: Ask) -> Told:
    said = ask.request
    error = said["command_error"].partition(":")[0]
    return Told(said["command_id"], said["command"], (said["command_result"], error))


def _id(reply: Json) -> object:
    return reply["command_id"]


__all__ = ["Violation", "violations"]
