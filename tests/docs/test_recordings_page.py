from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bridge.__main__ import main
from bridge.testing.recording import LEVELS, MODES, Header, RecordedTurn, read_recording
from bridge.testing.rig import rig
from examples.ivr import make_app

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "recordings.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)


def test_every_mode_level_and_member_is_documented() -> None:
    """The page names what can be chosen and what a line holds."""
    cells = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\|([^|]*)\|", PAGE, re.MULTILINE))))

    assert set() == {*MODES, *LEVELS, *RecordedTurn.model_fields} - cells


def test_every_option_of_verify_is_documented() -> None:
    """Whoever reads the page need not ask for help."""
    command = main.commands["verify"]

    options = [one for param in command.params for one in param.opts if one.startswith("--")]
    assert [] == [option for option in options if option not in PAGE]


def test_header_shown_is_one() -> None:
    """The header of the page can be read."""
    (shown,) = [text for language, text in BLOCKS if language == "json"]

    assert Header(redact="all", bridge="0.1.0") == Header.model_validate(json.loads(shown))


async def test_recording_example_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code of the page records a call, and the generated test looks like the one shown."""
    monkeypatch.chdir(tmp_path)
    first, generated = [text for language, text in BLOCKS if language == "python"]
    names: dict[str, Any] = {}
    exec(compile(first, "recordings.md", "exec"), names)  # noqa: S102 -- what the reader does

    async with rig(make_app(), seed=1) as it:
        await names["test_menu"](it)

    path = Path("recordings/menu.jsonl")
    assert 3 < len(read_recording(path).turns)
    assert 0 == CliRunner().invoke(main, ["redact", str(path)]).exit_code
    code = CliRunner().invoke(main, ["codegen", str(path), "--to", "pytest"]).stdout
    shapes = [re.sub(r"[0-9]+", "N", line).replace("menu", "calls") for line in code.splitlines()]
    assert [] == [
        line for line in generated.splitlines() if re.sub(r"[0-9]+", "N", line) not in shapes
    ]
