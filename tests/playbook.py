"""Playbooks: one command of an app as a dialogue with Plivo, written as one expression.

    assert (
        Playbook("read", {"max_digits": 2, "attempts": 1})
        >> Document('<Response><GetDigits …/><Redirect>…</Redirect></Response>')
        << DigitsReceived("42")
        >> Result("42")
    )

`>>` is what the bridge must do next, `<<` what happens to it.
What the bridge can do:

    Document(xml)       answer with this document, in full; its addresses are those of `Addresses`
    Does(action)        a REST action, a look-up, or an effect (Note, KeepRecording …)
    Result(value)       finish with this command_result
    Error(code, why)    finish with this command_error
    CallEnded()         finish without a result because the call ended
    ...                 anything; the rest of the dialogue is another test's

A value `$name` in an expectation matches any value, and the same value wherever it comes again;
`playbook.bound["name"]` holds it afterwards.
The rules a mapping must keep whatever it says are checked at every step: see `playbook_rules`.
A Playbook nobody asserted fails its test.
"""

from __future__ import annotations

import json
from dataclasses import replace
from difflib import SequenceMatcher
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Self

from playbook_expectations import (
    CallEnded,
    Document,
    Does,
    Error,
    Expected,
    Result,
    actual_of,
)
from playbook_rules import check_step

from mappings._kernel.context import CallContext, restore, snapshot
from mappings._kernel.engine import Finished, run
from mappings._kernel.errors import CommandRefused
from mappings._kernel.events import Event
from mappings._kernel.facts import (
    CommandFinished,
    CommandStarted,
    EventReceived,
    dump,
    dump_start,
)
from mappings._plivo.voices import resolve_voice
from mappings._rt.media import LibraryMedia, TtsMedia
from mappings.registry import newest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from playbook_expectations import Bound

    from mappings._kernel.command import Command
    from mappings._kernel.engine import Outcome
    from mappings._kernel.facts import Fact

__all__ = ["CallEnded", "Document", "Does", "Error", "Playbook", "Result"]

_CALL = CallContext(callid=1, name="recording1", scope="APP1", answered=True)


class Playbook:
    """A dialogue; true when the mapping keeps to it, AssertionError with both dialogues when not.

    `values` are fields of CallContext, except that `library` maps media ids to addresses and
    that voices are found as the bridge finds them.
    """

    def __init__(
        self,
        command: str,
        params: Mapping[str, Any] | None = None,
        /,
        *,
        of: Command[Any] | None = None,
        **values: Any,
    ) -> None:
        """Begin with what the app sent; `of` tries a mapping that is not in the registry."""
        self._asserted = True  # until it is complete, a fault in here speaks for itself
        self._name = command
        self._of = of
        self._params = dict(params or {})
        self._context = replace(_CALL, **values)
        self._script: list[Expected | Event | EllipsisType] = []
        self._log: list[Fact] = []
        self._start: CommandStarted | None = None
        self._asserted = False
        self.bound: Bound = {}

    def __rshift__(self, expected: Expected | EllipsisType) -> Self:
        """Expect the bridge to do this next."""
        return self._add(expected, Expected | EllipsisType, "nothing a bridge does; see Does(…)")

    def __lshift__(self, event: Event) -> Self:
        """Let this happen next."""
        return self._add(event, Event, "no event")

    def _add(self, step: Any, kinds: Any, complaint: str) -> Self:
        fault = "" if isinstance(step, kinds) else f"{step!r} is {complaint}"
        if self._script and self._script[-1] is ...:
            fault = "nothing can follow ..."
        if fault:
            self._asserted = True  # one error is enough
            raise TypeError(fault)
        self._script.append(step)
        return self

    def __del__(self) -> None:
        """Fail the test that forgot to assert (pytest turns this into an error)."""
        if not self._asserted:
            raise RuntimeError(f"a Playbook of {self._name} was never asserted")

    def __bool__(self) -> bool:
        """Run the dialogue."""
        __tracebackhide__ = True
        self._asserted = True
        if not self._script or not (
            self._script[-1] is ... or isinstance(self._script[-1], Result | Error | CallEnded)
        ):
            raise AssertionError("a Playbook ends with Result, Error, CallEnded or ...")
        said = self._run()
        lines, same = _compared(self._script, said, self.bound)
        if not same:
            legend = f"{self._name}({self._params}): expected (-) and actual (+) differ"
            raise AssertionError("\n".join([legend, *lines]))
        return True

    def history(self, origin: str) -> str:
        """Give the dialogue as a fixture for `tests/histories`, with a line on where it is from."""
        if self._start is None or not self._log or not isinstance(self._log[-1], CommandFinished):
            raise AssertionError("only a finished command that was asserted has a history")
        facts = ",\n  ".join(json.dumps(dump(fact), ensure_ascii=False) for fact in self._log)
        start = json.dumps(dump_start(self._start), ensure_ascii=False)
        return (
            f'{{"origin": {json.dumps(origin)},\n "start": {start},\n "facts": [\n  {facts}\n]}}\n'
        )

    def _run(self) -> list[Expected | Event]:
        """Give what happened: the events of the script, and what the mapping really did."""
        events = [step for step in self._script if isinstance(step, Event)]
        try:
            command = self._of or newest(self._name)
            params = command.read_params(self._params)
        except CommandRefused as refused:
            return [Error(refused.code, refused.sentence)]
        context = self._resolved(command, params)
        self._start = CommandStarted(
            command.name, command.version, "1", self._params, snapshot(context)
        )
        self._log = []
        said: list[Expected | Event] = []
        outcome = self._step(command, None)
        while True:
            said += actual_of(outcome)
            if isinstance(outcome, Finished) or not events:
                return said
            event = events.pop(0)
            said.append(event)
            outcome = self._step(command, event)

    def _step(self, command: Command[Any], event: Event | None) -> Outcome:
        start = self._start
        if start is None:
            raise AssertionError("no start")
        if event is not None:
            self._log.append(EventReceived(event))
        before = tuple(self._log)
        flow = command.flow(command.read_params(start.params), restore(start.inputs))
        outcome = run(flow, before)
        self._log += outcome.new
        check_step(command, start, before, outcome)
        return outcome

    def _resolved(self, command: Command[Any], params: Any) -> CallContext:
        voices: dict[str, tuple[str, str]] = {}
        library: dict[str, str | None] = {}
        for media in command.media_of(params):
            if isinstance(media, TtsMedia):
                voice = resolve_voice(media.voice).voice
                voices[media.voice] = (voice.voice, voice.language)
            elif isinstance(media, LibraryMedia):
                library[media.id] = self._context.library.get(media.id)
        return replace(self._context, voices=voices, library=library)


def _compared(
    script: list[Expected | Event | EllipsisType], said: list[Expected | Event], bound: Bound
) -> tuple[list[str], bool]:
    """Lay the two dialogues side by side; tell whether they are the same."""
    same = True
    expected_lines: list[str] = []
    actual_lines: list[str] = []
    for position in range(max(len(script), len(said))):
        want = script[position] if position < len(script) else None
        have = said[position] if position < len(said) else None
        if want is ...:
            break
        if want is not None and have is not None and _agree(want, have, bound):
            # Both sides show what was really said, so that nothing but a difference stands out.
            want = have
        else:
            same = False
        expected_lines += _lines(want)
        actual_lines += _lines(have)
    return _diff(expected_lines, actual_lines), same


def _agree(want: Expected | Event | EllipsisType, have: Expected | Event, bound: Bound) -> bool:
    if isinstance(want, Expected) and isinstance(have, Expected):
        return want.matches(have, bound)
    return want == have


def _lines(item: Expected | Event | EllipsisType | None) -> list[str]:
    match item:
        case None:
            return []
        case Expected():
            head, *rest = item.lines()
            return [f">> {head}", *(f"     {line}" for line in rest)]
        case _:
            return [f"<< {item!r}"]


def _diff(expected: list[str], actual: list[str]) -> list[str]:
    lines: list[str] = []
    matcher = SequenceMatcher(None, expected, actual, autojunk=False)
    for _, start, end, other_start, other_end in matcher.get_opcodes():
        if expected[start:end] == actual[other_start:other_end]:
            lines += [f"  {line}" for line in expected[start:end]]
            continue
        lines += [f"- {line}" for line in expected[start:end]]
        lines += [f"+ {line}" for line in actual[other_start:other_end]]
    return lines
