from __future__ import annotations

from typing import Any

import pytest
from pydantic_core import to_json

from bridge.cdr.commands_run import MORE, MOST_LISTED, commands_run

Record = dict[str, Any]


def ran(*records: Record) -> list[tuple[str, str, int]]:
    """Read records that are all stored in one row."""
    return commands_run([to_json(records)], [])


def turn(name: str, result: Any = "0", error: str = "") -> list[Record]:
    """Write what the history says of one command."""
    return [
        {"reply": [name, "1", "{}"], "start": [], "facts": [["a", "Reply", "x"]]},
        {"facts": [["e", "DocumentEnded", 0], ["f", result, error]]},
    ]


def test_commands_are_listed_in_order_with_their_class() -> None:
    """Result words stay, keys and names become ok, errors and breaks are told apart."""
    records = [
        *turn("play"),
        *turn("read", "4711"),
        *turn("read", "TIMEOUT"),
        *turn("record", "", "BREAK: by the API"),
        *turn("wait", "", "BRIDGE_ERROR: x"),
    ]

    assert [
        ("play", "ok", 1),
        ("read", "ok", 1),
        ("read", "TIMEOUT", 1),
        ("record", "break", 1),
        ("wait", "error", 1),
    ] == ran(*records)


def test_repetitions_are_counted() -> None:
    """The same command with the same class of result in a row is one entry."""
    assert [("play", "ok", 3), ("wait", "ok", 1), ("play", "ok", 1)] == ran(
        *(turn("play") * 3), *turn("wait"), *turn("play")
    )


def test_refused_command_takes_its_class_from_the_next_question() -> None:
    """A command that never started is an error as soon as the app is asked about it."""
    records = [
        {"asked": ["", "", "", "", "UP"], "reply": ["dance", "1", "{}"]},
        {"asked": ["dance", "1", "", "UNKNOWN_COMMAND: dance", "UP"], "reply": ["hangup", "2", ""]},
    ]

    assert [("dance", "error", 1), ("hangup", "hangup", 1)] == ran(*records)


def test_refused_command_that_was_one_too_many() -> None:
    """When the bridge gives the call up, the last refused command was an error as well."""
    assert [("dance", "error", 1)] == ran({"reply": ["dance", "1", ""], "given_up": "5 failed"})


def test_command_cut_short_by_the_end() -> None:
    """Without a result a command was ended by the hangup."""
    assert [("read", "hangup", 1)] == ran({"reply": ["read", "1", "{}"], "start": []})
    facts = [["e", "HungUp", 0], ["f", "", ""]]
    assert [("dialout", "hangup", 1)] == ran({"reply": ["dialout", "1", "{}"]}, {"facts": facts})


def test_rows_and_what_is_not_stored_yet_join() -> None:
    """A command may begin in one row and end in what has no row yet."""
    first, last = turn("read", "SILENCE")

    assert [("read", "SILENCE", 1)] == commands_run([to_json([first])], [last])


def test_long_calls_are_summed_up() -> None:
    """After so many entries the rest is only counted."""
    records = [record for n in range(MOST_LISTED + 7) for record in turn(f"c{n}")]

    found = ran(*records)
    assert MOST_LISTED + 1 == len(found)
    assert (MORE, "", 7) == found[-1]


@pytest.mark.parametrize(
    "body", [b"[", b"7", b'["x"]', b'[{"reply":7,"asked":"x","facts":[7,["f"],[]]}]', b"[{}]"]
)
def test_what_cannot_be_read_is_left_out(body: bytes) -> None:
    """History of another release does not keep the rest from being listed."""
    assert [("play", "ok", 1)] == commands_run([body, to_json(turn("play"))], [])


def test_names_are_cut() -> None:
    """An app may call an unknown command anything; the record keeps the beginning."""
    assert [("x" * 64, "hangup", 1)] == ran({"reply": ["x" * 1000, "1", ""]})
