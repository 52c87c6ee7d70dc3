from __future__ import annotations

import pytest
from support_trace import Story, menu_call, speak

from bridge.simulator.timeline import Entry, Kind
from bridge.testing.trace.reading import causes, effects, reading_order, turn_numbers


def told(*kinds: Kind, call: int = 1) -> list[Entry]:
    """Give entries of these kinds."""
    return [Entry(0.0, kind, kind, call=call) for kind in kinds]


def kinds(entries: list[Entry]) -> str:
    """Read the kinds in reading order."""
    return " ".join(entries[index].kind for index in reading_order(entries))


def chain(entries: list[Entry]) -> list[tuple[str, str, str]]:
    """Name the kind of the cause, of the entry and of its effect."""
    caused = causes(entries)
    led = effects(entries, caused)

    def name(index: int | None) -> str:
        return "-" if index is None else f"{entries[index].kind} {index}"

    return [(name(caused[i]), entry.kind, name(led[i])) for i, entry in enumerate(entries)]


@pytest.mark.parametrize(
    ("noted", "expected"),
    [
        ("app asks gets app asks gets", "asks app gets asks app gets"),
        ("asks app gets asks app gets", "asks app gets asks app gets"),
        ("does app app asks gets", "does asks app app gets"),
        ("app asks gets ends app tells", "asks app gets ends tells app"),
        ("app asks gets app", "asks app gets app"),
        ("hears does", "hears does"),
        ("", ""),
    ],
)
def test_a_request_is_read_before_its_turns(noted: str, expected: str) -> None:
    """Turns noted before the request they came from are moved behind it, others stay."""
    entries = [entry for kind in noted.split() for entry in told(kind)]  # type: ignore[arg-type]

    assert expected == kinds(entries)


def test_calls_do_not_disturb_each_other() -> None:
    """A turn waits for the request of its own call."""
    entries = told("app") + told("asks", call=2) + told("asks") + told("app", call=2)

    assert [1, 2, 0, 3] == reading_order(entries)


def test_every_entry_is_read_once() -> None:
    """Reading order loses nothing and repeats nothing."""
    entries = list(menu_call().entries)

    assert list(range(len(entries))) == sorted(reading_order(entries))


def test_turns_are_numbered() -> None:
    """Turns count from 1; a number noted by the kit is kept and counted on from."""
    entries = [*told("app", "gets", "app"), Entry(0, "app", "", data={"turn": 7}), *told("app")]

    assert [1, None, 2, 7, 8] == turn_numbers(entries)


def test_a_document_lies_between_the_reply_and_the_callback() -> None:
    """XML comes of an RT reply, and the callback that follows comes of the XML."""
    story = Story()
    story.asks("answer", "answer")
    story.app("play")
    story.gets(speak("Hello"))
    story.hears("Hello")
    story.asks("redirect", "1/1/next")
    story.app("hangup")

    assert [
        ("-", "asks", "app 1"),
        ("asks 0", "app", "gets 2"),
        ("app 1", "gets", "asks 4"),
        ("gets 2", "hears", "asks 4"),
        ("gets 2", "asks", "app 5"),
        ("asks 4", "app", "-"),
    ] == chain(story.entries)


def test_a_rest_request_comes_of_a_turn() -> None:
    """A command that needs no document leads to the REST request, and the next turn goes on."""
    story = Story()
    story.asks("answer", "answer")
    story.app("start_call_recording")
    story.add("rest", "POST /Record/")
    story.app("play")
    story.gets(speak("Hello"))

    assert [
        ("-", "asks", "app 1"),
        ("asks 0", "app", "rest 2"),
        ("app 1", "rest", "-"),
        ("asks 0", "app", "gets 4"),
        ("app 3", "gets", "-"),
    ] == chain(story.entries)


def test_the_final_turn_comes_of_the_hangup() -> None:
    """The request that says a call is over comes of what Plivo told, not of the last document."""
    story = Story()
    story.asks("answer", "answer")
    story.app("play")
    story.gets(speak("Hello"))
    story.add("tells", "hangup", name="hangup", url="https://bridge.example.com/hangup")
    story.app("", status="HANGUP")

    assert [("-", "tells", "app 4"), ("tells 3", "app", "-")] == chain(story.entries)[3:]


def test_a_notification_comes_of_the_document_that_names_it() -> None:
    """A callback URL is found in the document although it is escaped and has retry settings."""
    url = "https://bridge.example.com/notice?a=1&b=2"
    story = Story()
    story.gets('<Dial callbackUrl="https://bridge.example.com/notice?a=1&amp;b=2#rc=3"/>')
    story.add("tells", "dial", name="dial", url=url)
    story.add("tells", "dial", name="dial", url="https://bridge.example.com/other")

    assert [0, None] == causes(story.entries)[1:]


def test_a_transfer_comes_of_the_rest_request() -> None:
    """A document asked for after a transfer is not the document's doing."""
    story = Story()
    story.gets(speak("Hello"))
    story.add("rest", "POST /Call/")
    story.asks("transfer", "1/2/next")

    assert 1 == causes(story.entries)[2]
    assert 2 == effects(story.entries, causes(story.entries))[1]


def test_an_expectation_shows_the_document_it_was_made_in() -> None:
    """What a test expects or breaks leads to nothing, but the document of that moment is shown."""
    story = Story()
    story.gets(speak("Hello"))
    story.expects("expect_prompt('Hello')")
    story.asks("redirect", "1/1/next")

    assert ("gets 0", "expects", "-") == chain(story.entries)[1]


def test_a_leg_with_its_own_document_keeps_to_it() -> None:
    """What a transferred party hears comes of that party's document."""
    entries = [
        Entry(0, "gets", "", leg=0),
        Entry(0, "gets", "", leg=1),
        Entry(0, "hears", "", leg=0),
        Entry(0, "hears", "", leg=1),
    ]

    assert [0, 1] == causes(entries)[2:]
