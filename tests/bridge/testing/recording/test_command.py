from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bridge.__main__ import main
from bridge.testing.recording import (
    Header,
    RecordedTurn,
    Recording,
    read_recording,
    write_recording,
)


@pytest.fixture
def old(tmp_path: Path, recorded: Callable[..., RecordedTurn]) -> Path:
    """Write a recording without redaction."""
    path = tmp_path / "old.jsonl"
    turn = recorded(command="read", command_result="4821", variables={"x": "+33612345678 4821"})
    write_recording(path, Recording(Header(redact="none"), (turn,)))
    return path


def redact(*arguments: str | Path) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, ["redact", *map(str, arguments)])


def test_old_recording_is_masked_in_place(old: Path) -> None:
    """After `redact` the file shows none of its secrets and says how it is redacted."""
    result = redact(old)

    assert (0, f"{old}: 1 turn, redacted: all\n") == (result.exit_code, result.output)
    assert "all" == read_recording(old).header.redact
    assert [] == [secret for secret in ("612345678", "4821") if secret in old.read_text()]


def test_masked_copy_leaves_the_old_file(old: Path, tmp_path: Path) -> None:
    """With -o the recording itself stays; weaker redaction and numbers to keep are options."""
    before, copy = old.read_bytes(), tmp_path / "new.jsonl"

    result = redact(old, "-o", copy, "--redact", "numbers", "--keep", "+33 1 87 65 43 21")

    assert (0, before) == (result.exit_code, old.read_bytes())
    (turn,) = read_recording(copy).turns
    assert ("+33 1 87 65 43 21",) == read_recording(copy).header.kept
    assert ("+33187654321", "4821") == (turn.request["number"], turn.request["command_result"])
    assert "612345678" not in copy.read_text()


def test_key_file_gives_the_same_masks(old: Path, tmp_path: Path) -> None:
    """Two copies made with one key are the same."""
    key = tmp_path / "key"
    key.write_text("0123456789abcdef\n")
    copies = [tmp_path / name for name in ("a.jsonl", "b.jsonl")]

    for copy in copies:
        assert 0 == redact(old, "-o", copy, "--key-file", key).exit_code

    assert copies[0].read_bytes() == copies[1].read_bytes()


def test_wrong_files_and_keys_are_sentences(old: Path, tmp_path: Path) -> None:
    """Nothing is written when the recording or the key cannot be used."""
    before, short = old.read_bytes(), tmp_path / "short"
    short.write_text("abc")

    wrong = [
        redact(old, "--key-file", short),
        redact(old, "--key-file", tmp_path / "none"),
        redact(short),
    ]

    assert [
        (2, "short: is no key: it must hold at least 16 bytes\n"),
        (2, "none: cannot be read: No such file or directory\n"),
        (2, "short, line 1: is not valid JSON: expecting value, column 1\n"),
    ] == [(one.exit_code, one.stderr.replace(f"{tmp_path}/", "")) for one in wrong]
    assert before == old.read_bytes()
