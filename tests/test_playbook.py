"""The harness itself: a Playbook passes only when the mapping kept to every word of it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from playbook import CallEnded, Document, Does, Error, Playbook, Result
from playbook_rules import STRAYS

from mappings._kernel.actions import KeepRecording, Note, Reply
from mappings._kernel.command import Command, Flow
from mappings._kernel.errors import CommandRefused, MappingBug
from mappings._kernel.events import (
    Broken,
    DigitsReceived,
    DocumentEnded,
    Event,
    HungUp,
    RecordingReceived,
)
from mappings._kernel.facts import load_log
from mappings._plivo.verbs import DTMF, Hangup, HostedAudio, Play, Redirect, Speak, Wait
from mappings._rt.params import Params

if TYPE_CHECKING:
    from collections.abc import Callable

    from mappings._kernel.context import CallContext

WAIT_2 = """
    <Response>
      <Wait length="2"/>
      <Redirect>https://bridge.test/next/next</Redirect>
    </Response>
"""


class NoParams(Params):
    """Params of the commands made up here."""


def trial(flow: Callable[[Params, CallContext], Flow]) -> Playbook:
    """Begin a Playbook of a mapping that is in no registry."""
    command: Command[Any] = Command("trial", NoParams, flow)
    return Playbook("trial", of=command)


def failure_of(playbook: Playbook) -> str:
    """Run a Playbook that must fail and give its message."""
    with pytest.raises(AssertionError) as caught:
        bool(playbook)
    return str(caught.value)


def test_dialogue_kept_passes() -> None:
    """A dialogue the mapping keeps to is true."""
    assert Playbook("wait", {"wait": 2}) >> Document(WAIT_2) << DocumentEnded(2000) >> Result("0")


def test_attribute_order_and_white_space_do_not_matter() -> None:
    """Documents are compared as trees."""
    assert (
        Playbook("record", {"max_duration": 5, "silence": 3})
        >> Document(
            '<Response><Record timeout="3" maxLength="5"  playBeep="true" finishOnKey="#"\n'
            ' callbackUrl="https://bridge.test/notice/recording"'
            ' action="https://bridge.test/next/recording"></Record>\n\n'
            "<!-- a comment --><Redirect>https://bridge.test/next/next</Redirect></Response>"
        )
        >> ...
    )


@pytest.mark.parametrize(
    "xml",
    [
        WAIT_2.replace("2", "3"),
        WAIT_2.replace('length="2"', 'length="2" silence="true"'),
        WAIT_2.replace("<Wait", "<Pause"),
        WAIT_2.replace("next/next", "next/digits"),
        '<Response><Wait length="2"/></Response>',
        '<Response><Redirect>https://bridge.test/next/next</Redirect><Wait length="2"/></Response>',
    ],
)
def test_any_difference_between_documents_fails(xml: str) -> None:
    """A wrong attribute, element, text, order or a missing element always fails."""
    failure_of(Playbook("wait", {"wait": 2}) >> Document(xml) >> ...)


def test_failure_shows_the_whole_dialogue_with_arrows() -> None:
    """The message holds what agreed, what was expected (-) and what came (+), in order."""
    message = failure_of(
        Playbook("wait", {"wait": 2})
        >> Document(WAIT_2.replace('"2"', '"3"'))
        << DocumentEnded(2000)
        >> Result("1")
    )

    assert [
        "wait({'wait': 2}): expected (-) and actual (+) differ",
        "  >> Document",
        "       <Response>",
        '-        <Wait length="3"/>',
        '+        <Wait length="2"/>',
        "         <Redirect>https://bridge.test/next/next</Redirect>",
        "       </Response>",
        "  << DocumentEnded(elapsed_ms=2000)",
        "- >> Result('1')",
        "+ >> Result('0')",
    ] == message.splitlines()


def test_result_compares_types() -> None:
    """The string "0" is not the integer 0."""
    failure_of(Playbook("play") >> Result(0))
    assert Playbook("play") >> Result("0")


def test_step_that_was_not_expected_fails() -> None:
    """A document nobody wrote down is a failure, and so is one that never came."""
    unexpected = failure_of(Playbook("wait", {"wait": 2}) << DocumentEnded(2000) >> Result("0"))
    missing = failure_of(Playbook("play") >> Document(WAIT_2) >> Result("0"))

    assert '+        <Wait length="2"/>' in unexpected
    assert '-        <Wait length="2"/>' in missing


def test_end_that_came_early_fails() -> None:
    """Events after the end of the command have nobody to hear them."""
    message = failure_of(Playbook("play") >> Result("0") << DocumentEnded() >> Result("0"))

    assert "- << DocumentEnded(elapsed_ms=0)" in message


def test_effects_are_compared_in_order() -> None:
    """Effects are steps of the dialogue like documents."""

    def flow(_p: Params, _call: CallContext) -> Flow:
        yield Note("ONE", "first")
        yield Note("TWO", "second")
        return ""

    assert trial(flow) >> Does(Note("ONE", "first")) >> Does(Note("TWO", "second")) >> Result("")
    failure_of(
        trial(flow) >> Does(Note("TWO", "second")) >> Does(Note("ONE", "first")) >> Result("")
    )
    failure_of(trial(flow) >> Does(Note("ONE", "first")) >> Result(""))
    failure_of(trial(flow) >> Result(""))


def test_placeholder_takes_any_value_and_keeps_it() -> None:
    """`$name` matches a value wherever it stands, and the dialogue must repeat it."""
    kept = (
        Playbook("record", name="m7")
        >> Document(
            '<Response><Record action="$action" callbackUrl="$notice" maxLength="$limit"'
            ' timeout="$limit" finishOnKey="#" playBeep="true"/><Redirect>$next</Redirect></Response>'
        )
        << RecordingReceived("https://media.test/r.mp3", "rec-1")
        >> Does(KeepRecording("$name", "https://media.test/r.mp3", "rec-1"))
        >> Result("$name")
    )
    assert kept
    assert {
        "action": "https://bridge.test/next/recording",
        "notice": "https://bridge.test/notice/recording",
        "limit": "86400",
        "next": "https://bridge.test/next/next",
        "name": "m7",
    } == kept.bound


def test_placeholder_has_one_value() -> None:
    """The same placeholder cannot stand for two values."""
    failure_of(
        Playbook("record", {"silence": 3})
        >> Document(
            '<Response><Record action="$a" callbackUrl="$b" maxLength="$limit" timeout="$limit"'
            ' finishOnKey="#" playBeep="true"/><Redirect>$next</Redirect></Response>'
        )
        >> ...
    )


def test_hosted_sounds_are_part_of_the_document() -> None:
    """What the bridge hosts for a document is compared as trees too."""
    document = """
        <Response>
          <Conference action="https://bridge.test/next/conference" hangupOnStar="true"
            callbackUrl="https://bridge.test/notice/room" maxMembers="20" stayAlone="true"
            timeLimit="86400" waitSound="https://bridge.test/sounds/1">$room</Conference>
          <Redirect>https://bridge.test/next/next</Redirect>
        </Response>
    """
    params = {"id": 1, "waiting": "TTS|TTS_EN-GB_DANIEL|Patience"}
    sounds = '<Response><Speak voice="MAN" language="en-GB">Patience</Speak></Response>'

    assert Playbook("conference", params) >> Document(document, sounds=(sounds,)) >> ...
    failure_of(Playbook("conference", params) >> Document(document) >> ...)
    wrong = sounds.replace("MAN", "WOMAN")
    failure_of(Playbook("conference", params) >> Document(document, sounds=(wrong,)) >> ...)


def test_hosted_files_are_part_of_the_document() -> None:
    """The bytes of a hosted WAV file are compared."""

    def flow(_p: Params, _call: CallContext) -> Flow:
        yield Reply(Play(HostedAudio.of(b"RIFF")))
        return ""

    document = """
        <Response>
          <Play>https://bridge.test/wav/1</Play>
          <Redirect>https://bridge.test/next/next</Redirect>
        </Response>
    """
    assert trial(flow) >> Document(document, wavs=(b"RIFF",)) >> ...
    failure_of(trial(flow) >> Document(document, wavs=(b"RIFX",)) >> ...)


def test_refused_params_are_an_error() -> None:
    """A command that never started ends with the code and sentence the app gets."""
    sentence = "wait.wait: Input should be less than or equal to 30"

    assert Playbook("wait", {"wait": 31}) >> Error("INVALID_PARAMS", sentence)
    failure_of(Playbook("wait", {"wait": 31}) >> Error("INVALID_PARAMS", "wrong"))
    failure_of(Playbook("wait", {"wait": 31}) >> Error("UNKNOWN_COMMAND"))


def test_unknown_command_is_an_error() -> None:
    """A name outside the registry ends with UNKNOWN_COMMAND."""
    assert Playbook("whistle") >> Error("UNKNOWN_COMMAND")


def test_hang_up_ends_without_a_result() -> None:
    """CallEnded differs from an empty result."""
    assert Playbook("wait", {"wait": 2}) >> Document(WAIT_2) << HungUp() >> CallEnded()
    failure_of(Playbook("wait", {"wait": 2}) >> Document(WAIT_2) << HungUp() >> Result(""))


def test_break_is_an_error() -> None:
    """`calls.realtime_break` gives BREAK."""
    assert (
        Playbook("wait", {"wait": 2})
        >> Document(WAIT_2)
        << Broken()
        >> Error("BREAK", "calls.realtime_break ended the command")
    )


def test_playbook_never_asserted_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forgotten assert surfaces as an exception in the destructor, which pytest makes an error."""
    caught: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: caught.append(str(args.exc_value)))
    playbook = Playbook("wait") >> ...
    del playbook

    assert ["a Playbook of wait was never asserted"] == caught


def test_playbook_must_come_to_an_end() -> None:
    """A dialogue that stops in the middle has to say so with `...`."""
    assert "a Playbook ends with" in failure_of(Playbook("wait"))
    assert "a Playbook ends with" in failure_of(Playbook("wait", {"wait": 2}) >> Document(WAIT_2))


def test_nothing_follows_an_open_end() -> None:
    """What comes after `...` would never be looked at."""
    with pytest.raises(TypeError, match="nothing can follow"):
        Playbook("wait") >> ... << DocumentEnded()


def test_operands_of_the_wrong_kind_are_refused() -> None:
    """Events come in and deeds go out, never the other way round."""
    with pytest.raises(TypeError, match=r"see Does\(…\)"):
        Playbook("wait") >> DocumentEnded()  # type: ignore[operator]
    with pytest.raises(TypeError, match="is no event"):
        Playbook("wait") << Result("0")  # type: ignore[operator]


def test_malformed_expectation_is_refused_where_it_is_written() -> None:
    """An expected document must be XML."""
    with pytest.raises(SyntaxError):
        Document("<Response>")


def test_mapping_that_remembers_is_caught() -> None:
    """A mapping whose steps depend on anything but its facts fails on its first replay."""
    runs: list[int] = []

    def flow(_p: Params, _call: CallContext) -> Flow:
        runs.append(1)
        yield Reply(Wait(len(runs)))
        return ""

    message = failure_of(trial(flow) >> ...)

    assert "replayed, the mapping came to" in message


def test_document_without_a_way_back_is_caught() -> None:
    """Every document ends by redirecting to the bridge, or hangs up."""

    def away(_p: Params, _call: CallContext) -> Flow:
        yield Reply(Redirect("https://elsewhere.test/"))
        return ""

    def gone(_p: Params, _call: CallContext) -> Flow:
        yield Reply(Hangup())
        return ""

    assert "Redirect is last: there is no way back to the bridge." in failure_of(trial(away) >> ...)
    assert trial(gone) >> Document("<Response><Hangup/></Response>") >> ...


def test_document_plivo_would_refuse_is_caught() -> None:
    """Every document is held against the grammar of Plivo's XML."""

    def flow(_p: Params, _call: CallContext) -> Flow:
        yield Reply(DTMF("12A"))
        return ""

    assert "DTMF" in failure_of(trial(flow) >> ...)


def test_empty_speech_is_caught() -> None:
    """Texts are held against Plivo's limits too."""

    def flow(_p: Params, _call: CallContext) -> Flow:
        yield Reply(Speak(" ", "WOMAN", "en-US"))
        return ""

    assert "Speak" in failure_of(trial(flow) >> ...)


def test_mapping_that_cannot_bear_a_stray_event_is_caught() -> None:
    """Any event may come at any step, so that a mapping which falls over one never passes."""

    def flow(_p: Params, _call: CallContext) -> Flow:
        event = yield Reply(Wait(2))
        if not isinstance(event, DocumentEnded):
            raise KeyError(event)
        return ""

    playbook = trial(flow) >> Document(WAIT_2) << DocumentEnded() >> Result("")
    with pytest.raises(MappingBug, match="KeyError in the mapping after DigitsReceived"):
        bool(playbook)


def test_mapping_that_cannot_bear_a_duplicate_is_caught() -> None:
    """The last event comes a second time at every step."""

    def flow(_p: Params, _call: CallContext) -> Flow:
        first = yield Reply(Wait(2))
        second = yield Reply(Wait(2))
        if first == second and isinstance(first, DigitsReceived) and first.digits == "7":
            raise LookupError
        return ""

    playbook = (
        trial(flow)
        >> Document(WAIT_2)
        << DigitsReceived("7")
        >> Document(WAIT_2)
        << DocumentEnded()
        >> Result("")
    )
    with pytest.raises(MappingBug, match="LookupError"):
        bool(playbook)


def test_refusal_after_a_stray_event_is_a_defined_outcome() -> None:
    """A mapping may refuse what it did not ask for."""

    def flow(_p: Params, _call: CallContext) -> Flow:
        event = yield Reply(Wait(2))
        if not isinstance(event, DocumentEnded):
            raise CommandRefused("REST_UNKNOWN", "unexpected")
        return ""

    assert trial(flow) >> Document(WAIT_2) << DocumentEnded() >> Result("")


def test_strays_cover_every_event() -> None:
    """No kind of event is left out of the injections."""
    injected = {type(event) for event in STRAYS} | {HungUp, Broken}

    assert set(Event.__args__) == injected


def test_history_is_a_log_that_can_be_read_back() -> None:
    """A finished Playbook gives a fixture: origin, start and facts."""
    playbook = (
        Playbook("wait", {"wait": "2"}) >> Document(WAIT_2) << DocumentEnded(2000) >> Result("0")
    )
    assert playbook
    fixture = json.loads(playbook.history("made up here"))
    start, facts = load_log([fixture["start"], *fixture["facts"]])

    assert "made up here" == fixture["origin"]
    assert ("wait", 1, {"wait": "2"}) == (start.name, start.version, start.params)
    assert ["a", "e", "f"] == [fact[0] for fact in fixture["facts"]]
    assert 3 == len(facts)


def test_unfinished_dialogue_has_no_history() -> None:
    """Only a finished command can be compared as a whole later."""
    playbook = Playbook("wait") >> ...
    assert playbook
    with pytest.raises(AssertionError, match="only a finished command"):
        playbook.history("nowhere")
