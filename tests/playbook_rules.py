"""What every mapping must keep at every step, whatever a Playbook says about it.

1. Its log, written to JSON and read back, leads to the same step again (live = replay).
2. Its documents are Plivo's, nest as the official SDK lets them, and lead back to the bridge.
3. A hang-up, `calls.realtime_break`, the last event once more and any other event have a defined
   outcome: the command goes on or ends, and an error has one of the documented codes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from lxml import etree
from playbook_expectations import Document, actual_of
from support_sdk_nesting import sdk_accepts

from bridge.plivo.schema import problems
from mappings._kernel.context import restore
from mappings._kernel.engine import Finished, Pending, prefixes, run
from mappings._kernel.errors import CODES
from mappings._kernel.events import (
    Broken,
    ConferenceLeft,
    DialEnded,
    DigitsReceived,
    DocumentEnded,
    HungUp,
    RecordingFound,
    RecordingMissing,
    RecordingReceived,
    RestDone,
    RestFailed,
    RestUnknown,
    SpeechReceived,
)
from mappings._kernel.facts import EventReceived, dump, dump_start, load, load_start

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mappings._kernel.command import Command
    from mappings._kernel.engine import Outcome
    from mappings._kernel.events import Event
    from mappings._kernel.facts import CommandStarted, Fact

__all__ = ["STRAYS", "check_step"]

#: One event of each kind a mapping may meet, whether or not it asked for it.
STRAYS: Final[tuple[Event, ...]] = (
    DocumentEnded(1),
    DigitsReceived("", 1),
    DigitsReceived("1#2", 1),
    SpeechReceived("", 1),
    RecordingReceived("", "", -1, "", 1),
    RecordingReceived("https://media.test/r.mp3", "rec", 1000, "#", 1),
    DialEnded("", "", 1),
    ConferenceLeft("LAST_PARTICIPANT", "uuid", 1),
    RestDone(),
    RestFailed("REST_REFUSED", "refused"),
    RestUnknown(),
    RecordingFound(silent=False),
    RecordingMissing(),
)


def check_step(
    command: Command[Any], start: CommandStarted, before: Sequence[Fact], outcome: Outcome
) -> None:
    """Check the step that followed the facts `before`. Raises AssertionError with a sentence."""
    after = (*before, *outcome.new)
    _check_replay(command, start, before, after, outcome)
    if isinstance(outcome, Finished):
        _check_error(outcome)
        return
    for done in actual_of(outcome):
        if isinstance(done, Document):
            _check_document(done)
    _check_interruptions(command, start, after)


def _rebuilt(command: Command[Any], start: CommandStarted, log: Sequence[Fact]) -> Outcome:
    stored = json.loads(json.dumps([dump_start(start), [dump(fact) for fact in log]]))
    known = load_start(stored[0])
    flow = command.flow(command.read_params(known.params), restore(known.inputs))
    return run(flow, [load(fact) for fact in stored[1]])


def _check_replay(
    command: Command[Any],
    start: CommandStarted,
    before: Sequence[Fact],
    after: Sequence[Fact],
    outcome: Outcome,
) -> None:
    again = _rebuilt(command, start, before)
    if again != outcome:
        raise AssertionError(f"replayed, the mapping came to {again} instead of {outcome}")
    for prefix in prefixes(after):
        replayed = _rebuilt(command, start, prefix)
        if replayed.new or replayed.effects:
            raise AssertionError(f"a complete log of {len(prefix)} facts did not suffice")
    last = _rebuilt(command, start, after)
    if _essence(last) != _essence(outcome):
        raise AssertionError(f"from its log, the mapping came to {last} instead of {outcome}")


def _essence(outcome: Outcome) -> object:
    match outcome:
        case Pending():
            return outcome.action
        case Finished():
            return (outcome.result, outcome.error, outcome.hung_up)


def _check_document(document: Document) -> None:
    xml = document.xml if isinstance(document.xml, bytes) else document.xml.encode()
    faults = [*problems(xml), *sdk_accepts(xml)]
    for sounds in document.sounds:
        hosted = sounds if isinstance(sounds, bytes) else sounds.encode()
        faults += [f"in sounds: {fault}" for fault in problems(hosted, kind="sounds")]
    last = etree.fromstring(xml)[-1]
    back = last.tag == "Redirect" and last.text == "https://bridge.test/next/next"
    if not back and last.tag != "Hangup":
        faults.append(f"{last.tag!s} is last: there is no way back to the bridge.")
    if faults:
        shown = "\n".join(Document(xml, document.sounds, document.wavs).lines())
        raise AssertionError("\n".join([*faults, shown]))


def _check_interruptions(
    command: Command[Any], start: CommandStarted, after: Sequence[Fact]
) -> None:
    hung_up = _after(command, start, after, HungUp())
    if not isinstance(hung_up, Finished) or not hung_up.hung_up or hung_up.error:
        raise AssertionError(f"after a hang-up the mapping came to {hung_up}")
    broken = _after(command, start, after, Broken())
    if not isinstance(broken, Finished) or not broken.error.startswith("BREAK: "):
        raise AssertionError(f"after calls.realtime_break the mapping came to {broken}")
    heard = [fact.event for fact in after if isinstance(fact, EventReceived)]
    for event in (*heard[-1:], *STRAYS):
        outcome = _after(command, start, after, event)
        if isinstance(outcome, Finished):
            _check_error(outcome)


def _after(
    command: Command[Any], start: CommandStarted, log: Sequence[Fact], event: Event
) -> Outcome:
    return _rebuilt(command, start, [*log, EventReceived(event)])


def _check_error(outcome: Finished) -> None:
    code = outcome.error.partition(": ")[0]
    if code and code not in CODES:
        raise AssertionError(f"{outcome.error!r} has no documented code")
    if code and outcome.result:
        raise AssertionError(f"a failed command has the result {outcome.result!r}")
