"""The player: asks an app what it was asked in a recording, and compares what it answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from bridge.rt_client import AppFailure, AppUnreachable, RtApp, RtTransport
from bridge.testing.recording.format import RecordedTurn, Recording
from bridge.testing.verify.compare import Difference, Pairs, compare_replies
from bridge.testing.verify.paths import JsonPath
from mappings._rt.reader import ReplyError, RtResponse, read_response

__all__ = ["PlayedTurn", "Player", "Verdict", "Verification"]

#: What an app has to answer in, in s (RT page).
BUDGET_S: Final = 5.0
Verdict = Literal["same", "differs", "ignored", "not compared"]

_START: Final = RtResponse("", "0", {}, "{}")
_NUMBER_FIELDS: Final = ("cli_number", "number")


@dataclass(frozen=True, slots=True)
class PlayedTurn:
    """How a turn went: `asked` says after what, `note` why it was not compared or what to know.

    The verdict is `ignored` for the final request of a call, whose reply means nothing.
    """

    call: int
    number: int
    callid: int
    asked: str
    verdict: Verdict
    differences: tuple[Difference, ...] = ()
    note: str = ""


@dataclass(slots=True)
class Verification:
    """The turns in the order in which they were played; `unreachable` says why they end early."""

    turns: list[PlayedTurn] = field(default_factory=list)
    unreachable: str = ""
    by_shape: int = 0
    unused: tuple[str, ...] = ()

    def count(self, verdict: Verdict) -> int:
        """Count the turns with a verdict."""
        return sum(turn.verdict == verdict for turn in self.turns)

    @property
    def same(self) -> bool:
        """Tell whether the app answered every turn as recorded."""
        return not self.unreachable and not self.count("differs")


@dataclass(slots=True)
class _Call:
    callid: int
    last: RtResponse = _START
    off: str = ""


class Player:
    """Plays the calls of a recording, in the order in which their turns came.

    `first_callid` and those after it take the places of the recorded callids. `fields` are members
    of every RT.Request to send in the place of the recorded ones. `ignored` paths are not compared.
    `keep_going` plays a call on after its app gave another command.
    """

    def __init__(
        self,
        transport: RtTransport,
        app: RtApp,
        *,
        first_callid: int,
        ignored: Sequence[JsonPath] = (),
        fields: Mapping[str, str] | None = None,
        keep_going: bool = False,
        budget_s: float = BUDGET_S,
    ) -> None:
        self._transport = transport
        self._app = app
        self._first_callid = first_callid
        self._ignored = ignored
        self._fields = dict(fields or {})
        self._keep_going = keep_going
        self._budget_s = budget_s
        self._used: set[str] = set()

    async def play(self, recording: Recording) -> Verification:
        """Play all of it, or until the app cannot be reached any more."""
        calls = {call: _Call(self._first_callid + n) for n, call in enumerate(recording.calls())}
        pairs = Pairs(recording.header.redact)
        for turn in recording.turns:
            pairs.callids[str(turn.request["callid"])] = str(calls[turn.call].callid)
            for name in _NUMBER_FIELDS:
                number = str(turn.request[name])
                pairs.sent(number, self._fields.get(name, number))
        done = Verification()
        for turn in sorted(recording.turns, key=lambda turn: turn.at):
            call = calls[turn.call]
            if call.off and not turn.is_final:
                done.turns.append(self._result(turn, call, "not compared", note=call.off))
                continue
            try:
                done.turns.append(await self._turn(turn, call, pairs))
            except AppUnreachable as failure:
                done.unreachable = failure.sentence
                break
        done.by_shape = pairs.by_shape
        done.unused = tuple(path.text for path in self._ignored if path.text not in self._used)
        return done

    async def _turn(self, turn: RecordedTurn, call: _Call, pairs: Pairs) -> PlayedTurn:
        try:
            body = await self._transport.ask(self._app, self._request(turn, call), self._budget_s)
        except AppUnreachable:
            raise
        except AppFailure as failure:
            return self._failed(turn, call, failure.sentence)
        if turn.is_final:
            return self._result(turn, call, "ignored")
        try:
            response = read_response(body)
        except ReplyError as error:
            return self._failed(turn, call, error.sentence)
        if turn.reply is None:
            call.last = response
            expected = turn.failure or "no RT.Response"
            return self._off(turn, call, Difference((), f"({expected})", response.command))
        found = self._compared(turn.reply, body, pairs)
        call.last = response
        if any(difference.steps == ("command",) for difference in found):
            return self._off(turn, call, *found)
        return self._result(turn, call, "differs" if found else "same", found)

    def _compared(
        self, recorded: dict[str, Any], body: bytes, pairs: Pairs
    ) -> tuple[Difference, ...]:
        found = []
        for difference in compare_replies(json.dumps(recorded).encode(), body, pairs):
            covering = [path.text for path in self._ignored if path.covers(difference.steps)]
            self._used.update(covering)
            if not covering:
                found.append(difference)
        return tuple(found)

    def _request(self, turn: RecordedTurn, call: _Call) -> bytes:
        request = turn.request | {"callid": call.callid} | self._fields
        if call.off:
            # The app waits for another command's result than the recorded one.
            request |= {"command": call.last.command, "command_result": "", "command_error": ""}
        members = {name: json.dumps(value) for name, value in request.items()}
        if turn.number > 1:
            # JSON text, so that the app gets back what it wrote.
            members |= {"command_id": call.last.command_id, "variables": call.last.variables}
        text = ",".join(f"{json.dumps(name)}:{value}" for name, value in members.items())
        return f"{{{text}}}".encode("utf-8", "replace")

    def _failed(self, turn: RecordedTurn, call: _Call, sentence: str) -> PlayedTurn:
        if turn.is_final:
            if turn.failure:
                return self._result(turn, call, "ignored", note="failed then as now")
            return self._result(turn, call, "differs", (Difference((), "(answered)", sentence),))
        if turn.reply is None:
            return self._result(turn, call, "same", note=f"failed then as now: {sentence}")
        recorded = str(turn.reply.get("command", ""))
        return self._off(turn, call, Difference((), recorded, f"({sentence})"))

    def _off(self, turn: RecordedTurn, call: _Call, *found: Difference) -> PlayedTurn:
        """Leave the call: what was recorded next was asked of an app that went another way."""
        if self._keep_going:
            return self._result(turn, call, "differs", found)
        call.off = f"the app went another way at turn {turn.number}"
        return self._result(
            turn, call, "differs", found, "the rest of this call cannot be compared"
        )

    def _result(
        self,
        turn: RecordedTurn,
        call: _Call,
        verdict: Verdict,
        found: tuple[Difference, ...] = (),
        note: str = "",
    ) -> PlayedTurn:
        return PlayedTurn(turn.call, turn.number, call.callid, _asked(turn), verdict, found, note)


def _asked(turn: RecordedTurn) -> str:
    """Say what the app was told, as a heading."""
    request = turn.request
    status = str(request["call_status"])
    if not request["command"]:
        return "the call begins" if status == "UP" else status
    told = request["command_error"] or json.dumps(request["command_result"], ensure_ascii=False)
    line = f"{request['command']} → {told}" + ("" if status == "UP" else f", {status}")
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)
