"""Facts survive being stored, and logs of other releases are read or refused."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings._kernel import facts
from mappings._kernel.actions import Action, HangUpCall, KeepRecording, Reply, StartRecording
from mappings._kernel.events import (
    Broken,
    ConferenceLeft,
    DialEnded,
    DigitsReceived,
    DocumentEnded,
    Event,
    HungUp,
    RecordingFound,
    RecordingMissing,
    RecordingReceived,
    RestDone,
    RestFailed,
    RestUnknown,
    SpeechReceived,
)
from mappings._kernel.facts import (
    FORMAT,
    UPCASTERS,
    ActionYielded,
    CommandFinished,
    CommandStarted,
    EventReceived,
    dump,
    dump_event,
    dump_start,
    load,
    load_event,
    load_log,
    load_start,
    yielded,
)
from mappings._plivo.verbs import (
    Conference,
    Dial,
    GetDigits,
    HostedAudio,
    Play,
    Sounds,
    Speak,
    Verb,
    Wait,
)

START = CommandStarted("read", 1, '"ask_age"', {"max_digits": "2"}, {"callid": 7, "name": "m"})

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
# Every strategy is spelt out: nothing is derived from annotations or from the source of a lambda.
NUMBERS = st.integers()
SCALARS = st.none() | st.booleans() | NUMBERS | st.text()
LISTS = st.lists(SCALARS, max_size=3)
OBJECTS = st.dictionaries(st.text(), SCALARS | LISTS, max_size=3)
JSON_VALUES = SCALARS | LISTS | OBJECTS | st.lists(OBJECTS, max_size=2)
#: Per event the strategies of its fields, in order.
EVENT_FIELDS: dict[type, tuple[st.SearchStrategy[Any], ...]] = {
    Broken: (),
    ConferenceLeft: (
        st.sampled_from(["", "LAST_PARTICIPANT", "CONFERENCE_CLOSED"]),
        TEXTS,
        NUMBERS,
    ),
    DialEnded: (TEXTS, TEXTS, NUMBERS),
    DigitsReceived: (TEXTS, NUMBERS),
    DocumentEnded: (NUMBERS,),
    HungUp: (),
    RecordingFound: (st.booleans(),),
    RecordingMissing: (),
    RecordingReceived: (TEXTS, TEXTS, NUMBERS, TEXTS, NUMBERS),
    RestDone: (TEXTS, TEXTS),
    RestFailed: (TEXTS, TEXTS),
    RestUnknown: (TEXTS,),
    SpeechReceived: (TEXTS, NUMBERS),
}
EVENTS = st.one_of([st.builds(kind, *values) for kind, values in EVENT_FIELDS.items()])
FACTS = st.one_of(
    st.builds(ActionYielded, TEXTS, TEXTS),
    st.builds(EventReceived, EVENTS),
    st.builds(CommandFinished, TEXTS | NUMBERS, TEXTS),
)


def through_json(value: Any) -> Any:
    """Store and read back."""
    return json.loads(json.dumps(value))


def test_strategies_cover_the_closed_union() -> None:
    """Each event is generated below, with a value for each of its fields."""
    assert {kind: len(fields(kind)) for kind in get_args(Event)} == {
        kind: len(values) for kind, values in EVENT_FIELDS.items()
    }


@settings(max_examples=200)
@given(EVENTS)
def test_every_event_survives_being_stored(event: Event) -> None:
    """Any event of the closed union comes back equal, with equal types."""
    assert event == load_event(through_json(dump_event(event)))


@given(FACTS)
def test_every_fact_survives_being_stored(fact: facts.Fact) -> None:
    """Any fact comes back equal."""
    assert fact == load(through_json(dump(fact)))


@given(
    st.builds(
        CommandStarted,
        TEXTS,
        st.integers(1, 9),
        TEXTS,
        st.dictionaries(st.text(), JSON_VALUES),
        st.dictionaries(st.text(), JSON_VALUES),
    )
)
def test_every_start_survives_being_stored(start: CommandStarted) -> None:
    """Params of any shape and big integers come back as they were."""
    assert start == load_start(through_json(dump_start(start)))


def test_event_is_stored_as_its_name_and_its_fields_in_order() -> None:
    """The order of the fields of an event is part of the stored form."""
    for kind in get_args(Event):
        values = [field.name for field in fields(kind)]
        event = kind(*values)

        assert [kind.__name__, *values] == through_json(dump_event(event))


def test_log_is_its_start_and_its_facts() -> None:
    """A stored log opens with the start; the rest are its facts in order."""
    log: list[facts.Fact] = [
        yielded(Reply(Wait(1))),
        EventReceived(DocumentEnded(5)),
        CommandFinished("0"),
    ]
    stored = through_json([dump_start(START), *(dump(fact) for fact in log)])

    assert (START, log) == load_log(stored)


def test_stored_forms_stay_as_they_are() -> None:
    """Stored logs outlive a release: their form changes only together with FORMAT."""
    assert 1 == FORMAT
    assert [1, "read", 1, '"ask_age"', {"max_digits": "2"}, {"callid": 7, "name": "m"}] == (
        dump_start(START)
    )
    assert ["e", "DigitsReceived", "42", 1500] == dump(EventReceived(DigitsReceived("42", 1500)))
    assert ["f", 0, ""] == dump(CommandFinished(0))
    assert ["a", "HangUpCall", "330cc39fa888"] == dump(yielded(HangUpCall(7)))


def test_event_of_an_older_release_takes_defaults() -> None:
    """Fields added at the end of an event are missing from older logs."""
    assert DigitsReceived("42", 0) == load_event(["DigitsReceived", "42"])


def test_event_of_a_newer_release_loses_what_is_unknown() -> None:
    """Going back a release ignores fields that only the newer one knows."""
    assert DigitsReceived("42", 9) == load_event(["DigitsReceived", "42", 9, "new field"])
    assert RecordingFound(silent=True) == load_event(["RecordingFound", True, {"a": 1}])


def test_unknown_event_is_refused() -> None:
    """A kind of event this release lacks cannot be skipped, and is named."""
    with pytest.raises(ValueError, match="unknown event 'PigeonReceived'"):
        load_event(["PigeonReceived", 1])


def test_unknown_fact_is_refused() -> None:
    """A kind of fact this release lacks is named."""
    with pytest.raises(ValueError, match="unknown kind of fact 'z'"):
        load(["z", 1])


def test_upcasters_are_applied_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log two formats old takes both steps, start and facts alike."""

    def from_minus_1(log: list[Any]) -> list[Any]:
        start, *rest = log
        return [[0, *start[1:], "1"], *rest]

    def from_0(log: list[Any]) -> list[Any]:
        (_, name, params, inputs, command_id), *rest = log
        return [[1, name, 1, command_id, params, inputs], *(["e", *fact[1:]] for fact in rest)]

    monkeypatch.setitem(UPCASTERS, -1, from_minus_1)
    monkeypatch.setitem(UPCASTERS, 0, from_0)
    stored = [[-1, "wait", {"wait": 2}, {"callid": 7}], ["event", "DocumentEnded", 5]]

    expected = CommandStarted("wait", 1, "1", {"wait": 2}, {"callid": 7})
    assert (expected, [EventReceived(DocumentEnded(5))]) == load_log(stored)
    assert [-1, "wait", {"wait": 2}, {"callid": 7}] == stored[0]
    assert expected == load_start(stored[0])


def test_log_of_an_unknown_format_is_refused() -> None:
    """After going back a release its newer logs are refused with both formats named."""
    with pytest.raises(ValueError, match="format 2 cannot be read, only up to 1"):
        load_log([[2, "wait", 1, "1", {}, {}]])


def test_digest_covers_kind_and_values() -> None:
    """Actions that differ in any compared value differ in their facts."""
    actions: list[Action] = [
        Reply(),
        Reply(Wait(1)),
        Reply(Wait(2)),
        Reply(Wait(1), Wait(1)),
        Reply(Wait(1, silence=True)),
        Reply(Speak("1", "WOMAN", "en-US")),
        Reply(Play("1")),
        HangUpCall(1),
        HangUpCall(2),
        KeepRecording("a", "", ""),
        KeepRecording("", "a", ""),
        StartRecording(1, stereo=True, transcribe=False),
        StartRecording(1, stereo=False, transcribe=True),
    ]

    assert len(actions) == len({yielded(action) for action in actions})


def test_digest_leaves_out_fields_at_their_default() -> None:
    """A verb may gain a field with a default while calls are open."""

    @dataclass(frozen=True)
    class Before:
        length: int

    @dataclass(frozen=True)
    class After:
        length: int
        volume: int = 5

    Before.__name__ = After.__name__ = "Verb"

    def digest(*verbs: object) -> str:
        return yielded(Reply(*verbs)).digest  # type: ignore[arg-type]

    assert digest(Before(2)) == digest(After(2))
    assert digest(Before(2)) != digest(After(2, volume=6))


def test_digest_stands_for_audio_by_its_content() -> None:
    """A WAV file is compared by the digest of its bytes, which are not in the log."""
    one, same, other = HostedAudio.of(b"1"), HostedAudio.of(b"1"), HostedAudio.of(b"2")

    assert yielded(Reply(Play(one))) == yielded(Reply(Play(same)))
    assert yielded(Reply(Play(one))) != yielded(Reply(Play(other)))


def test_digest_bears_broken_unicode() -> None:
    """Half a surrogate pair in an app's text does not stop the command."""
    assert "Reply" == yielded(Reply(Speak("\ud83d", "WOMAN", "en-US"))).kind


LONG = Speak("x" * 1001, "WOMAN", "en-US")
SHORT = Speak("x" * 900, "WOMAN", "en-US")
LONG_WAV = HostedAudio.of(b"x" * 1001)


@pytest.mark.parametrize(
    ("verb", "kept"),
    [
        (SHORT, 1),
        (LONG, 0),
        (Play(LONG_WAV), 0),
        (GetDigits((LONG,), 5, 5, 1), 0),
        (GetDigits((SHORT,), 5, 5, 1), 1),
        (Dial("33612345678", 30, None), 1),
        (Dial("33612345678", 30, None, confirm_sound=Sounds((LONG,))), 0),
        (Dial("33612345678", 30, None, dial_music=Sounds((SHORT, Wait(1), SHORT))), 0),
        (Conference("room", enter_sound=Sounds((SHORT,))), 1),
        (Conference("room", exit_sound=Sounds((SHORT,)), wait_sound=Sounds((SHORT,))), 0),
    ],
)
def test_long_actions_are_not_kept(verb: Verb, kept: int) -> None:
    """What an action weighs in memory counts wherever its texts and sounds are."""
    facts._remembered.clear()

    assert yielded(Reply(verb)) == yielded(Reply(verb))
    assert kept == len(facts._remembered)


def test_no_more_actions_are_remembered_than_there_is_room_for() -> None:
    """Whoever makes up a text for every call makes the bridge forget, not grow."""
    for number in range(2 * facts.MOST_REMEMBERED):
        facts.yielded(Reply(Speak(f"Number {number}", "WOMAN", "en-US")))
        assert len(facts._remembered) <= facts.MOST_REMEMBERED
