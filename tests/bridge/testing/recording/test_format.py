from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from bridge.testing.recording import (
    Header,
    RecordedTurn,
    Recording,
    RecordingError,
    format,  # noqa: A004 -- the module
    read_recording,
    write_recording,
)
from mappings._rt.request import FIELDS

Make = Callable[..., RecordedTurn]
HEADER = '{"format": "plivo-rt-bridge-recording", "version": 1, "redact": "all", "bridge": "0.1.0"}'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a file in a folder that is not there yet."""
    return tmp_path / "recordings" / "menu.jsonl"


def lines(path: Path) -> list[str]:
    """Read the lines of a file."""
    return path.read_text(encoding="utf-8").split("\n")


def fault(tmp_path: Path, content: str | bytes) -> str:
    """Say what is wrong with a file, without its folder."""
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RecordingError) as caught:
        read_recording(path)
    return str(caught.value).replace(f"{tmp_path}/", "")


def turn_line(**changes: Any) -> str:
    """Write the line of a turn."""
    request = dict.fromkeys(FIELDS, "") | {"call_status": "UP", "variables": {}}
    line = {"call": 1, "number": 1, "at": 0.0, "request": request} | changes
    return json.dumps({name: value for name, value in line.items() if value is not None})


def test_file_is_read_as_it_was_written(path: Path, recorded: Make) -> None:
    """Header and turns come back unchanged, whatever JSON they hold."""
    reply: dict[str, Any] = {
        "command": "play",
        "command_id": None,
        "params": [],
        "variables": {"é": [2**63, 1.5, None, "\ud800", "\u2028", "\x00"], "": {"x": []}},
    }
    heard = {"at": 1.5, "kind": "hears", "leg": 0, "text": "Größe 12"}
    recording = Recording(
        Header(redact="numbers", kept=("+33187654321",)),
        (
            recorded(reply, caller=(heard,)),
            recorded(turn=2, body="<b>no</b>", call_status="HANGUP"),
        ),
    )

    write_recording(path, recording)

    assert recording == read_recording(path)
    assert {1: recording.turns} == recording.calls()
    assert [False, True] == [turn.is_final for turn in recording.turns]


def test_lines_are_made_for_diffs(path: Path, recorded: Make) -> None:
    """Keys have one order, empty members are left out, text stays readable, lines end nowhere else."""
    reply = {
        "z": 1,
        "variables": {"b": {"d": 1, "c": 2}, "a": "\u2028é"},
        "command": "hangup",
        "a": 0,
    }

    write_recording(
        path, Recording(Header(redact="all"), (recorded(reply, variables={"y": 1, "x": 2}),))
    )

    assert [
        HEADER.replace("0.1.0", version("plivo-rt-bridge")),
        (
            '{"call": 1, "number": 1, "at": 0.0, "request": {"app": "DEFAULT", "callid": 7, '
            '"request_hash": null, "cli_name": "", "cli_number": "+33612345678", '
            '"date_started": "2025-11-21 09:22:33", "number": "+33187654321", "command": "", '
            '"command_id": 0, "command_result": "", "command_error": "", "call_status": "UP", '
            '"cdr_field": "", "variables": {"x": 2, "y": 1}}, "status": 200, "reply": {"command": '
            '"hangup", "variables": {"a": "\\u2028é", "b": {"c": 2, "d": 1}}, "a": 0, "z": 1}}'
        ),
        "",
    ] == lines(path)


def test_old_file_is_replaced_whole_or_not_at_all(
    path: Path, recorded: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure while writing leaves the old recording and nothing beside it."""
    old = Recording(Header(redact="all"), (recorded(),))
    write_recording(path, old)

    def full(_line: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(format, "dump_line", full)
    with pytest.raises(RecordingError, match=r"menu\.jsonl: cannot be written: No space left"):
        write_recording(path, Recording(Header(redact="none"), ()))

    assert old == read_recording(path)
    assert ["menu.jsonl"] == [entry.name for entry in path.parent.iterdir()]


def test_editors_may_add_a_byte_order_mark_and_line_ends(tmp_path: Path) -> None:
    """A byte order mark, CRLF and empty lines change nothing."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(f"\ufeff{HEADER}\r\n\r\n{turn_line()}\r\n\n".encode())

    assert 1 == len(read_recording(path).turns)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "bad.jsonl: is empty; a recording begins with a header"),
        (
            turn_line(),
            (
                'bad.jsonl, line 1: is no header of a recording; it begins {"format": '
                '"plivo-rt-bridge-recording", …}'
            ),
        ),
        ("[]", "bad.jsonl, line 1: is not a JSON object"),
        (
            "\n\n{",
            "bad.jsonl, line 3: is not valid JSON: expecting property name enclosed in double quotes, column 2",
        ),
        (b"\xff", "bad.jsonl, line 1: is not UTF-8 at byte 1"),
        (
            HEADER.replace("1,", '"1",'),
            "bad.jsonl, line 1: version must be a number from 1, not '1'",
        ),
        (
            HEADER.replace("1,", "2,"),
            (
                "bad.jsonl, line 1: this recording has format version 2 and was written by a newer "
                "rt-bridge; this one reads up to version 1: upgrade plivo-rt-bridge"
            ),
        ),
        (
            HEADER.replace("all", "some"),
            "bad.jsonl, line 1: redact: input should be 'none', 'numbers' or 'all'",
        ),
        (
            f'{HEADER}\n{{"call": NaN}}',
            "bad.jsonl, line 2: is not valid JSON: NaN is not known to it",
        ),
        (
            f"{HEADER}\n{turn_line(call=0, tun=1)}",
            (
                "bad.jsonl, line 2: call: input should be greater than or equal to 1; "
                "tun: extra inputs are not permitted"
            ),
        ),
        (
            f"{HEADER}\n{turn_line(request={'callid': 1})}",
            (
                "bad.jsonl, line 2: request lacks app, request_hash, cli_name, cli_number, "
                "date_started, number, command, command_id, command_result, command_error, "
                "call_status, cdr_field, variables"
            ),
        ),
        (
            f"{HEADER}\n{turn_line(reply={'params': 'x'})}",
            (
                "bad.jsonl, line 2: reply is no RT.Response: In the reply params is a string where a "
                "JSON object is expected."
            ),
        ),
        (
            f"{HEADER}\n{turn_line(caller=[{'at': 1}])}",
            "bad.jsonl, line 2: an entry of caller or after has no kind",
        ),
        (
            f"{HEADER}\n{turn_line()}\n{turn_line(number=3)}",
            (
                "bad.jsonl, line 3: turn 3 of call 1 stands where turn 2 is expected; a call can be "
                "verified only as a whole"
            ),
        ),
    ],
)
def test_wrong_files_are_named_with_line_and_reason(
    tmp_path: Path, content: str | bytes, sentence: str
) -> None:
    """A file that is no recording, or a broken one, gets one sentence that says where and what."""
    assert sentence == fault(tmp_path, content)


def test_deeply_nested_line_is_refused(tmp_path: Path) -> None:
    """Nesting that no recording has is a sentence, not a crash."""
    assert fault(tmp_path, "[" * 200_000).startswith("bad.jsonl, line 1: is not valid JSON: ")


def test_missing_file_is_a_sentence(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(RecordingError, match=r"no\.jsonl: cannot be read: No such file"):
        read_recording(tmp_path / "no.jsonl")


def test_older_versions_are_lifted_step_by_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line of version 1 passes through the upcaster of every version since."""
    monkeypatch.setattr(format, "VERSION", 3)
    monkeypatch.setitem(format.UPCASTERS, 1, lambda turn: turn | {"ms": 2.0})
    monkeypatch.setitem(format.UPCASTERS, 2, lambda turn: turn | {"ms": turn["ms"] * 10})
    path = tmp_path / "old.jsonl"
    path.write_text(f"{HEADER}\n{turn_line()}\n")

    recording = read_recording(path)

    assert (3, 20.0) == (recording.header.version, recording.turns[0].ms)


def test_every_older_version_has_its_upcaster() -> None:
    """No version that was ever written is forgotten."""
    assert list(range(1, format.VERSION)) == sorted(format.UPCASTERS)
