"""The engine: what comes after a log, and every way a mapping can differ from its log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mappings._kernel.actions import HangUpCall, KeepRecording, Note, Reply
from mappings._kernel.engine import MAX_EFFECTS, Finished, Pending, prefixes, run
from mappings._kernel.errors import CommandRefused, Diverged, MappingBug
from mappings._kernel.events import Broken, DigitsReceived, DocumentEnded, HungUp, RestDone
from mappings._kernel.facts import CommandFinished, EventReceived, yielded
from mappings._plivo.verbs import Wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from mappings._kernel.actions import Action
    from mappings._kernel.command import Flow, SubFlow
    from mappings._kernel.events import Event
    from mappings._kernel.facts import Fact

WAIT_1 = Reply(Wait(1))
WAIT_2 = Reply(Wait(2))
NOTE = Note("CODE", "a sentence")
ENDED = DocumentEnded(1000)


def script(*actions: Action, result: str | int = "0") -> Flow:
    """Yield these actions whatever happens, then return."""
    for action in actions:  # noqa: UP028 - a tuple's iterator cannot be sent events
        yield action
    return result


def log_of(*steps: Reply | HangUpCall | Note | KeepRecording | Event | str) -> list[Fact]:
    """Write a log by hand: actions, events, and a result as text."""
    log: list[Fact] = []
    for step in steps:
        if isinstance(step, str):
            log.append(CommandFinished(step))
        elif isinstance(step, Reply | HangUpCall | Note | KeepRecording):
            log.append(yielded(step))
        else:
            log.append(EventReceived(step))
    return log


def test_new_command_waits_for_its_first_action() -> None:
    """An empty log gives the first waiting action and the fact to append."""
    assert Pending(WAIT_1, (), (yielded(WAIT_1),)) == run(script(WAIT_1), [])


def test_event_is_answered_by_the_next_action() -> None:
    """Only what comes after the last fact is new."""
    log = log_of(WAIT_1, ENDED)

    assert Pending(WAIT_2, (), (yielded(WAIT_2),)) == run(script(WAIT_1, WAIT_2), log)


def test_events_reach_the_mapping_as_they_are() -> None:
    """What is sent into the generator is the event of the log."""
    seen: list[Event] = []

    def flow() -> Flow:
        seen.append((yield WAIT_1))
        seen.append((yield HangUpCall(7)))
        return "0"

    run(flow(), log_of(WAIT_1, DigitsReceived("42"), HangUpCall(7), RestDone()))

    assert [DigitsReceived("42"), RestDone()] == seen


def test_returned_value_is_the_result() -> None:
    """The end of the generator is the end of the command."""
    finished = run(script(WAIT_1, result="42"), log_of(WAIT_1, ENDED))

    assert Finished("42", "", (), (CommandFinished("42"),)) == finished


def test_result_may_be_an_integer() -> None:
    """`send_dtmf` returns the integer 0, which stays one."""
    finished = run(script(result=0), [])

    assert Finished(0, "", (), (CommandFinished(0),)) == finished


def test_mapping_may_return_before_its_first_yield() -> None:
    """Nothing to do is a normal end, not a StopIteration at the engine's caller."""
    assert Finished("1", "", (), (CommandFinished("1"),)) == run(script(result="1"), [])


def test_refusal_before_the_first_yield_is_an_error() -> None:
    """A CommandRefused is a finished command with the app's code and sentence."""

    def flow() -> Flow:
        yield from ()
        raise CommandRefused("ROOM_FULL", "the room is full")

    error = "ROOM_FULL: the room is full"
    assert Finished("", error, (), (CommandFinished("", error),)) == run(flow(), [])


def test_refusal_after_an_event_is_an_error() -> None:
    """A refusal may come at any step."""

    def flow() -> Flow:
        yield WAIT_1
        raise CommandRefused("NOT_RECORDING", "nothing to stop")

    finished = run(flow(), log_of(WAIT_1, ENDED))

    assert isinstance(finished, Finished)
    assert ("", "NOT_RECORDING: nothing to stop") == (finished.result, finished.error)


def test_hang_up_ends_the_command_without_a_result() -> None:
    """A mapping never sees the end of the call."""
    finished = run(script(WAIT_1), log_of(WAIT_1, HungUp()))

    assert Finished("", "", (), (CommandFinished(""),), hung_up=True) == finished


def test_break_ends_the_command_with_an_error() -> None:
    """A mapping never sees calls.realtime_break."""
    finished = run(script(WAIT_1), log_of(WAIT_1, Broken()))

    error = "BREAK: calls.realtime_break ended the command"
    assert Finished("", error, (), (CommandFinished("", error),)) == finished


@pytest.mark.parametrize("event", [HungUp(), Broken()])
def test_interrupted_generator_is_closed(event: Event) -> None:
    """The engine closes a generator it will not resume, and what it does then is not an action."""
    closed: list[bool] = []

    def flow() -> Flow:
        try:
            yield WAIT_1
        finally:
            closed.append(True)
        return "0"

    run(flow(), log_of(WAIT_1, event))

    assert [True] == closed


def test_effects_come_with_the_step_that_follows_them() -> None:
    """Effects do not wait: all up to the next wait are handed out at once, in order."""
    second = Note("CODE", "another")
    outcome = run(script(NOTE, second, WAIT_1), [])

    assert Pending(WAIT_1, (NOTE, second), (yielded(NOTE), yielded(second), yielded(WAIT_1))) == (
        outcome
    )


def test_effects_before_the_end_come_with_the_result() -> None:
    """The last effects of a command are not lost."""
    keep = KeepRecording("m1", "", "")
    finished = run(script(WAIT_1, keep), log_of(WAIT_1, ENDED))

    assert Finished("0", "", (keep,), (yielded(keep), CommandFinished("0"))) == finished


def test_effects_are_not_repeated_on_replay() -> None:
    """An effect the log holds has taken place and is not handed out again."""
    outcome = run(script(NOTE, WAIT_1, NOTE, WAIT_2), log_of(NOTE, WAIT_1, ENDED))

    assert Pending(WAIT_2, (NOTE,), (yielded(NOTE), yielded(WAIT_2))) == outcome


def test_complete_log_gives_nothing_new() -> None:
    """Replaying a finished command gives its result again and no fact or effect."""
    log = log_of(NOTE, WAIT_1, ENDED, "0")

    assert Finished("0", "", (), ()) == run(script(NOTE, WAIT_1), log)


def test_hang_up_replays() -> None:
    """The log of a command that ended with its call replays to the same end."""
    log = log_of(WAIT_1, HungUp(), "")

    assert Finished("", "", (), (), hung_up=True) == run(script(WAIT_1), log)


def test_divergence_names_both_actions() -> None:
    """Another action than the log's stops the command; both and the position are named."""
    with pytest.raises(Diverged) as caught:
        run(script(HangUpCall(7)), log_of(WAIT_1, ENDED))

    expected, actual = yielded(WAIT_1), yielded(HangUpCall(7))
    assert str(caught.value).startswith(
        f"at fact 0 the log says action Reply ({expected.digest}) but the mapping came to "
        f"action HangUpCall ({actual.digest}): "
    )
    assert "the mapping changed without a new version" in str(caught.value)


def test_divergence_within_an_action_is_seen() -> None:
    """The same kind of action with another value diverges."""
    with pytest.raises(
        Diverged, match=r"at fact 2 the log says action Reply \(.*came to action Re"
    ):
        run(script(WAIT_1, WAIT_1), log_of(WAIT_1, ENDED, WAIT_2, ENDED))


def test_effect_instead_of_an_action_diverges() -> None:
    """A new effect in the middle is as much a change as a new document."""
    with pytest.raises(Diverged, match=r"says action Reply .* came to action Note"):
        run(script(NOTE, WAIT_1), log_of(WAIT_1))


def test_other_effect_diverges() -> None:
    """Effects are compared on replay."""
    with pytest.raises(
        Diverged, match=r"at fact 0 the log says action Note .* came to action Note"
    ):
        run(script(Note("OTHER", "x"), WAIT_1), log_of(NOTE, WAIT_1))


def test_action_after_the_logged_end_diverges() -> None:
    """A mapping that goes on where the log ended is stopped."""
    with pytest.raises(
        Diverged, match=r"at fact 2 the log says the end with '0' but .* came to act"
    ):
        run(script(WAIT_1, WAIT_2), log_of(WAIT_1, ENDED, "0"))


def test_end_before_the_logged_action_diverges() -> None:
    """A mapping that ends where the log went on is stopped."""
    with pytest.raises(
        Diverged, match=r"at fact 2 the log says action Reply .* came to the end wi"
    ):
        run(script(WAIT_1), log_of(WAIT_1, ENDED, WAIT_2))


def test_end_before_the_logged_event_diverges() -> None:
    """An event in the log that the mapping no longer waits for is a divergence."""
    with pytest.raises(
        Diverged, match=r"at fact 0 the log says event DocumentEnded .* the end with"
    ):
        run(script(), log_of(ENDED))


def test_waiting_where_the_log_does_not_diverges() -> None:
    """A logged action that was an effect then and waits now is named."""
    log = [yielded(WAIT_1), yielded(WAIT_2)]
    with pytest.raises(
        Diverged, match=r"at fact 1 the log says action Reply .* to waiting for an ev"
    ):
        run(script(WAIT_1, WAIT_2), log)


def test_facts_after_the_end_diverge() -> None:
    """Nothing can follow the end of a command."""
    with pytest.raises(Diverged, match=r"at fact 3 the log says event DocumentEnded .* to its end"):
        run(script(WAIT_1), log_of(WAIT_1, ENDED, "0", ENDED))


def test_other_result_diverges() -> None:
    """Results are compared, not only actions."""
    with pytest.raises(
        Diverged, match=r"the log says the end with '0' but .* the end with 'TIMEOUT'"
    ):
        run(script(WAIT_1, result="TIMEOUT"), log_of(WAIT_1, ENDED, "0"))


def test_integer_result_is_not_its_text() -> None:
    """The type of a result belongs to it."""
    with pytest.raises(Diverged, match=r"the end with '0' but the mapping came to the end with 0:"):
        run(script(result=0), log_of("0"))


def test_error_instead_of_a_result_diverges() -> None:
    """A command that failed does not replay as one that succeeded."""

    def refused() -> Flow:
        yield WAIT_1
        raise CommandRefused("ROOM_FULL", "full")

    with pytest.raises(Diverged, match=r"the end with '0' but .* the end with ROOM_FULL: full"):
        run(refused(), log_of(WAIT_1, ENDED, "0"))


def test_divergence_does_not_quote_keys() -> None:
    """Keys a caller pressed do not reach the message, which is logged."""
    with pytest.raises(Diverged) as caught:
        run(script(WAIT_1, result="1234"), log_of(WAIT_1, DigitsReceived("98765"), "98765"))

    assert "a result of 5 characters but the mapping came to the end with a result of 4" in str(
        caught.value
    )
    assert "1234" not in str(caught.value)
    assert "98765" not in str(caught.value)


def test_forgotten_yield_from_is_named() -> None:
    """A generator that reaches the engine as a value is a bug with its usual cause."""

    def helper_flow() -> SubFlow[str]:
        yield WAIT_1
        return ""

    def flow() -> Any:
        yield helper_flow()
        return "0"

    with pytest.raises(MappingBug, match=r"yielded generator, which is no action: .*`yield from`"):
        run(flow(), [])


@pytest.mark.parametrize("value", [None, "Reply", ENDED, Wait(1), ()])
def test_only_actions_may_be_yielded(value: object) -> None:
    """Events, verbs and anything else are refused by their type's name."""

    def flow() -> Any:
        yield value
        return "0"

    with pytest.raises(MappingBug, match=f"yielded {type(value).__name__}, which is no action"):
        run(flow(), [])


@pytest.mark.parametrize("value", [None, True, b"0", 1.5, ENDED])
def test_only_rt_results_may_be_returned(value: object) -> None:
    """A result is text or an integer."""

    def flow() -> Any:
        yield WAIT_1
        return value

    with pytest.raises(MappingBug, match=f"returned {type(value).__name__}, not an RT result"):
        run(flow(), log_of(WAIT_1, ENDED))


def at_start() -> Flow:
    """Fail at once."""
    yield from ()
    raise ZeroDivisionError


def after_digits() -> Flow:
    """Fail after an event."""
    yield WAIT_1
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("flow", "log", "when"),
    [
        (at_start, [], "its start"),
        (after_digits, log_of(WAIT_1, DigitsReceived("1234")), "DigitsReceived"),
    ],
)
def test_exception_in_a_mapping_is_its_bug(
    flow: Callable[[], Flow], log: list[Fact], when: str
) -> None:
    """The exception is named with the kind of event before it, and kept as the cause."""
    with pytest.raises(MappingBug) as caught:
        run(flow(), log)

    assert f"ZeroDivisionError in the mapping after {when}" == str(caught.value)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_stop_iteration_inside_a_mapping_is_its_bug() -> None:
    """A stray StopIteration is not taken for the end of the command."""

    def flow() -> Flow:
        yield WAIT_1
        next(iter(list[str]()))
        return "0"

    with pytest.raises(MappingBug, match="RuntimeError in the mapping"):
        run(flow(), log_of(WAIT_1, ENDED))


def test_endless_effects_are_stopped() -> None:
    """A mapping that never waits cannot hold the bridge."""

    def flow() -> Flow:
        while True:
            yield NOTE

    with pytest.raises(MappingBug, match="takes effects without ever waiting"):
        run(flow(), [])


def test_as_many_effects_as_allowed_pass() -> None:
    """The limit itself is allowed."""
    outcome = run(script(*[NOTE] * MAX_EFFECTS), [])

    assert MAX_EFFECTS == len(outcome.effects)


def test_refusal_after_a_yield_in_a_helper_reaches_the_app() -> None:
    """Helpers used with `yield from` refuse for the whole command."""

    def helper_flow() -> SubFlow[str]:
        yield WAIT_1
        raise CommandRefused("ROOM_FULL", "full")

    def flow() -> Flow:
        return (yield from helper_flow())

    finished = run(flow(), log_of(WAIT_1, ENDED))

    assert isinstance(finished, Finished)
    assert "ROOM_FULL: full" == finished.error


def test_prefixes_are_the_logs_of_every_wait() -> None:
    """The prefixes of a log end before each event, and with the whole log."""
    log = log_of(NOTE, WAIT_1, ENDED, WAIT_2, ENDED, "0")

    assert [log[:2], log[:4], log] == list(prefixes(log))


def test_every_prefix_of_a_log_replays() -> None:
    """At each prefix the command waits for what it waited for then."""
    log = log_of(NOTE, WAIT_1, ENDED, WAIT_2, ENDED, "0")
    outcomes = [run(script(NOTE, WAIT_1, WAIT_2), prefix) for prefix in prefixes(log)]

    assert [Pending(WAIT_1, (), ()), Pending(WAIT_2, (), ()), Finished("0", "", (), ())] == outcomes
