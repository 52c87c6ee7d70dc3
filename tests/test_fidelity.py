"""The fidelity matrix: complete against the Real-Time page, honest, and proved row by row."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import pytest

from bridge import fidelity_doc
from mappings._fidelity import LEVELS, MATRIX
from mappings._fidelity.rows import Fidelity, Level, Row
from mappings._rt.params import Params
from mappings.registry import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mappings._kernel.command import Command

ROOT: Final = Path(__file__).resolve().parent.parent

#: What the Real-Time page lists: the commands in its order, their parameters and result values.
DOCUMENTED: Final[dict[str, tuple[str, str]]] = {
    "conference": (
        "auto_leave_announce auto_leave_when_alone id pin_code pin_error pin_max_tries pin_prompt pin_valid pin_wait user_join user_leave waiting welcome",
        "CONFERENCE_CLOSED LAST_PARTICIPANT LEFT_CONFERENCE PIN_ERROR PIN_TIMEOUT",
    ),
    "dialout": ("cdr_field cli ringtone targets whisper", "NOANSWER"),
    "hangup": ("", ""),
    "hangup_callid": ("callid", ""),
    "play": ("media_id", "0 1"),
    "play_record": ("media_file", "0 1"),
    "play_talk_detect": ("analysistime_ms max_ms media_id min_ms silence_ms", "0 TALK"),
    "play_wav_data": ("audio_data", "0 1"),
    "read": ("attempts max_digits media_id timeout_ms", "(KEYS) TIMEOUT"),
    "record": ("max_duration silence", "media_file"),
    "send_dtmf": ("digits duration_ms timeout_ms", "0"),
    "simple_conference": ("auto_leave_when_alone id", ""),
    "start_call_recording": (
        "announce feeds locale ner pii sentiment transcription",
        "recording_hash",
    ),
    "stop_call_recording": ("announce", "recording_hash"),
    "wait": ("wait", "0"),
    "wait_for_silence": ("iterations silence_ms timeout", "SILENCE TIMEOUT"),
}
#: Fields of the object Target, which the page names without listing them.
TARGET: Final = {"targets[].number", "targets[].timeout"}

BY_COMMAND: Final = {fidelity.command: fidelity for fidelity in MATRIX}
ROWS: Final = [(fidelity, row) for fidelity in MATRIX for row in fidelity.rows]

each_row = pytest.mark.parametrize(
    ("fidelity", "row"), ROWS, ids=[f"{f.command}-{r.kind}-{r.name}" for f, r in ROWS]
)
each_documented = pytest.mark.parametrize("command", DOCUMENTED)
each_command = pytest.mark.parametrize("command", COMMANDS, ids=lambda c: f"{c.name}-v{c.version}")


def named(command: str, kind: str) -> list[str]:
    """Name the rows of one kind."""
    return [row.name for row in BY_COMMAND[command].rows if row.kind == kind]


def fields_of(model: type[Params], prefix: str = "") -> Iterator[str]:
    """Name the fields of a params model, and those of the objects in its lists."""
    for name, info in model.model_fields.items():
        yield prefix + name
        for inner in get_args(info.annotation):
            if isinstance(inner, type) and issubclass(inner, Params):
                yield from fields_of(inner, f"{prefix}{name}[].")


@cache
def functions_in(path: str) -> frozenset[str]:
    """Name the test functions of a file, without running it."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = (n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(function.name for function in functions if function.name.startswith("test_"))


def test_commands_are_those_of_the_page() -> None:
    """The matrix has the sixteen commands in the page's order, after the format they share."""
    assert ["rt_media", *DOCUMENTED] == [fidelity.command for fidelity in MATRIX]
    assert list(DOCUMENTED) == [command.name for command in COMMANDS]


@each_documented
def test_every_documented_parameter_has_one_row(command: str) -> None:
    """Each parameter of the page is there once, and no other but the fields of Target."""
    documented = set(DOCUMENTED[command][0].split()) | (TARGET if command == "dialout" else set())

    assert Counter(documented) == Counter(named(command, "param"))


@each_documented
def test_every_documented_result_has_one_row(command: str) -> None:
    """Each result of the page is there once, and no other."""
    assert Counter(DOCUMENTED[command][1].split()) == Counter(named(command, "result"))


@each_command
def test_every_field_has_a_row(command: Command[Any]) -> None:
    """Whatever a command reads is in the matrix, and the matrix names nothing it does not read."""
    assert set(fields_of(command.params)) == set(named(command.name, "param"))


@pytest.mark.parametrize("fidelity", MATRIX, ids=lambda fidelity: fidelity.command)
def test_behaviours_have_one_row_each(fidelity: Fidelity) -> None:
    """No behaviour is told twice, and no command is without rows."""
    assert fidelity.rows
    assert {} == {
        row: times
        for row, times in Counter((row.kind, row.name) for row in fidelity.rows).items()
        if times > 1
    }


@each_row
def test_test_of_the_row_exists(fidelity: Fidelity, row: Row) -> None:
    """Each row is proved by a test that can be found in its file."""
    path, _, name = fidelity.node_id(row).partition("::")

    assert name in functions_in(path)


@each_row
def test_whatever_is_not_exact_says_how_it_differs(fidelity: Fidelity, row: Row) -> None:
    """Only an exact row has no difference."""
    assert (row.level == "exact") == (row.difference == ""), fidelity.command


@each_row
def test_cells_are_one_sentence(fidelity: Fidelity, row: Row) -> None:
    """A cell begins like a sentence, ends like one, and holds no second one."""
    for cell in filter(None, (row.how, row.difference)):
        assert cell.endswith("."), fidelity.command
        assert not cell[0].islower() or cell.startswith("leg_"), cell
        assert ". " not in cell, cell
        assert "\n" not in cell, cell


def test_levels_are_explained() -> None:
    """Every level a row may have is on the page with its promise."""
    assert set(get_args(Level)) == set(LEVELS)
    for level in LEVELS:
        assert f"| **{level}** | " in fidelity_doc.page()


@pytest.mark.parametrize(
    ("command", "name", "level"),
    [
        ("rt_media", "file that cannot be fetched", "approximated"),
        ("rt_media", "unknown voice", "approximated"),
        ("play", "0", "approximated"),
        ("play_talk_detect", "TALK", "approximated"),
        ("play_talk_detect", "min_ms", "approximated"),
        ("read", "keys, then silence", "approximated"),
        ("read", "# alone", "approximated"),
        ("conference", "# alone at the PIN", "approximated"),
        ("conference", "auto_leave_when_alone without REST", "approximated"),
        ("simple_conference", "auto_leave_when_alone without REST", "approximated"),
        ("dialout", "targets[].timeout", "approximated"),
        ("dialout", "cli", "approximated"),
        ("send_dtmf", "duration_ms", "approximated"),
        ("start_call_recording", "ner", "refused"),
        ("start_call_recording", "pii", "refused"),
        ("start_call_recording", "sentiment", "refused"),
    ],
)
def test_known_deviation_is_admitted(command: str, name: str, level: str) -> None:
    """What Plivo is known not to do is never called exact."""
    assert [level] == [row.level for row in BY_COMMAND[command].rows if row.name == name]


def test_page_is_current() -> None:
    """docs/fidelity.md says what the matrix says."""
    done = subprocess.run(
        [sys.executable, "-m", "bridge.fidelity_doc", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)


def test_page_is_written_and_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing or changed page is reported with the command that writes it."""
    target = tmp_path / "fidelity.md"
    assert 1 == fidelity_doc.main(["--check"], target)
    assert (
        f"{target} is out of date; run python -m bridge.fidelity_doc\n" == capsys.readouterr().err
    )

    assert 0 == fidelity_doc.main([], target)
    assert 0 == fidelity_doc.main(["--check"], target)

    target.write_text(target.read_text().replace("exact", "perfect", 1))
    assert 1 == fidelity_doc.main(["--check"], target)


def test_page_has_every_row() -> None:
    """Each row is a line of the table of its command, bars escaped."""
    page = fidelity_doc.page()
    for fidelity in MATRIX:
        section = page.partition(f"\n## {fidelity.command}\n")[2].partition("\n## ")[0]
        lines = [line for line in section.splitlines() if line.startswith("| ")]
        assert 1 + len(fidelity.rows) == len(lines)
        for line, row in zip(lines[1:], fidelity.rows, strict=True):
            assert row.name.replace("|", "\\|") in line
            assert f"`{fidelity.node_id(row)}`" in line
            assert 6 == line.replace("\\|", "").count("|")


def test_overview_counts_all_rows() -> None:
    """The last line of the overview adds up to the whole matrix."""
    line = next(line for line in fidelity_doc.page().splitlines() if line.startswith("| all |"))

    assert len(ROWS) == sum(int(cell) for cell in line.strip("| ").split(" | ")[1:])
