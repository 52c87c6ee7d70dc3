"""Facts in, pending action or result out: the only place where mappings are driven.

Every step rebuilds the generator from the log and feeds it every recorded event before the new one,
so a live step and a replay are the same code. What the mapping yields is compared with what the log
says it yielded; the first difference stops the command (docs/adr/0001).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from mappings._kernel.actions import Action, Effect, WaitingAction
from mappings._kernel.errors import CommandRefused, Diverged, MappingBug
from mappings._kernel.events import Broken, HungUp
from mappings._kernel.facts import ActionYielded, CommandFinished, EventReceived, yielded
from mappings._kernel.values import value_class

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mappings._kernel.command import Flow
    from mappings._kernel.events import Event
    from mappings._kernel.facts import Fact

#: A mapping that takes effect more often than this without waiting is looping.
MAX_EFFECTS = 100


@value_class
class Pending:
    """The command waits for an answer to `action`."""

    action: WaitingAction
    effects: tuple[Effect, ...]
    new: tuple[Fact, ...]


@value_class
class Finished:
    """The command is over: `result` for the app, or `error` ("CODE: sentence").

    `hung_up` says the call ended during the command, which therefore has no result.
    """

    result: str | int
    error: str
    effects: tuple[Effect, ...]
    new: tuple[Fact, ...]
    hung_up: bool = False


Outcome = Pending | Finished


def run(flow: Flow, log: Sequence[Fact]) -> Outcome:
    """Feed a log to a fresh generator and say what comes after its last fact.

    `new` holds the facts to append to the log; it is empty when the log already held them all.
    Effects are returned only when they are new, so replaying never repeats one.
    Raises Diverged or MappingBug; a CommandRefused of the mapping becomes a Finished with its error.
    """
    replay = _Replay(log)
    try:
        return _drive(flow, replay)
    finally:
        flow.close()


class _Replay:
    """The cursor over the log, and what was found beyond its end."""

    def __init__(self, log: Sequence[Fact]) -> None:
        self.log = log
        self.position = 0
        self.effects: list[Effect] = []
        self.new: list[Fact] = []

    def meet(self, action: Action) -> bool:
        """Take note of an action; tell whether the log already held it."""
        found = yielded(action)
        if self.position == len(self.log):
            self.new.append(found)
            return False
        self._expect(found)
        return True

    def finish(self, result: str | int, error: str, *, hung_up: bool = False) -> Finished:
        found = CommandFinished(result, error)
        if self.position < len(self.log):
            self._expect(found)
        else:
            self.new.append(found)
        if self.position < len(self.log):
            raise self._diverged(_words(self.log[self.position]), "its end")
        return Finished(result, error, tuple(self.effects), tuple(self.new), hung_up)

    def next_event(self) -> Event | None:
        """Give the event that answered the pending action, if the log holds one."""
        if self.position == len(self.log):
            return None
        fact = self.log[self.position]
        if not isinstance(fact, EventReceived):
            raise self._diverged(_words(fact), "waiting for an event")
        self.position += 1
        return fact.event

    def _expect(self, found: Fact) -> None:
        expected = self.log[self.position]
        if expected != found:
            raise self._diverged(_words(expected), _words(found))
        self.position += 1

    def _diverged(self, expected: str, actual: str) -> Diverged:
        return Diverged(
            f"at fact {self.position} the log says {expected} but the mapping came to {actual}: "
            "the mapping changed without a new version, or it used a value that is not in its "
            "params, context or events"
        )


def _drive(flow: Flow, replay: _Replay) -> Outcome:
    event: Event | None = None
    try:
        while True:
            action = _next_wait(flow, replay, event)
            event = replay.next_event()
            if event is None:
                return Pending(action, tuple(replay.effects), tuple(replay.new))
            if isinstance(event, HungUp):
                return replay.finish("", "", hung_up=True)
            if isinstance(event, Broken):
                return replay.finish("", "BREAK: calls.realtime_break ended the command")
    except StopIteration as stop:
        return replay.finish(_checked_result(stop.value), "")
    except CommandRefused as refused:
        return replay.finish("", str(refused))
    except (Diverged, MappingBug):
        raise
    except Exception as fault:
        # Only the kinds: an event may hold keys and numbers, and this sentence is logged.
        when = type(event).__name__ if event is not None else "its start"
        raise MappingBug(f"{type(fault).__name__} in the mapping after {when}") from fault


def _next_wait(flow: Flow, replay: _Replay, event: Event | None) -> WaitingAction:
    """Let the mapping go on until it waits, taking note of everything it yields."""
    action = next(flow) if event is None else flow.send(event)
    while isinstance(action, Effect):
        if not replay.meet(action):
            replay.effects.append(action)
            if len(replay.effects) > MAX_EFFECTS:
                raise MappingBug("the mapping takes effects without ever waiting")
        action = next(flow)
    _check(action)
    replay.meet(action)
    return action


def _check(action: object) -> None:
    if not isinstance(action, WaitingAction):
        raise MappingBug(
            f"the mapping yielded {type(action).__name__}, which is no action: "
            "a helper may have been called without `yield from`"
        )


def _checked_result(result: object) -> str | int:
    if not isinstance(result, str | int) or isinstance(result, bool):
        raise MappingBug(f"the mapping returned {type(result).__name__}, not an RT result")
    return result


def _words(fact: Fact) -> str:
    match fact:
        case ActionYielded():
            return f"action {fact.kind} ({fact.digest})"
        case EventReceived():
            return f"event {type(fact.event).__name__}"
        case CommandFinished():
            return f"the end with {fact.error or _shown(fact.result)}"
        case _:
            assert_never(fact)


def _shown(result: str | int) -> str:
    """Show a result without the keys a caller pressed: this sentence is logged."""
    secret = isinstance(result, str) and len(result) > 1 and not result.isalpha()
    return f"a result of {len(str(result))} characters" if secret else repr(result)


def prefixes(log: Sequence[Fact]) -> Iterator[Sequence[Fact]]:
    """Give every prefix of a log at which the command was waiting or over (for replay checks)."""
    for end, fact in enumerate(log):
        if isinstance(fact, EventReceived):
            yield log[:end]
    yield log


__all__ = ["MAX_EFFECTS", "Finished", "Outcome", "Pending", "prefixes", "run"]
