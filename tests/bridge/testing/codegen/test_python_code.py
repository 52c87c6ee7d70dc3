from __future__ import annotations

import ast
import random
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from bridge.testing.codegen import Chapter, Step, Story, python_code
from bridge.testing.codegen.python_code import literal


def story(*steps: Step, title: str = "play", **fields: str) -> Story:
    """Make a story of one chapter."""
    known = {"called": "+33187654321", "caller": "+33612345678", "caller_name": ""} | fields
    return Story(**known, chapters=(Chapter(title, steps),))


def formatted(tmp_path: Path, code: str) -> str:
    """Format code with ruff's defaults."""
    path = tmp_path / "test_generated.py"
    path.write_text(code, encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--no-cache", path],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return path.read_text(encoding="utf-8")


def test_module_is_a_test_that_reads_well() -> None:
    """Title, masks, phone, and one commented block for each command of the app."""
    code = python_code(
        Story(
            "+33187654321",
            "+33612345678",
            "Jean",
            (
                Chapter(
                    "read (age)", (Step("expect_prompt", ("Your age?",)), Step("press", ("42#",)))
                ),
                Chapter(
                    "dialout",
                    (Step("press", ("1",), leg=1), Step("fail", (), {"leg": 2, "code": 3030})),
                ),
                Chapter("record", (Step("speak", (4.0,), {"key": ""}), Step("wait", (2.5,)))),
            ),
        ),
        "call 1 of ivr-menu",
        "all",
    )

    assert (
        '''"""A test of the app, made from call 1 of ivr-menu."""

import pytest

# Numbers, names and keys are masks (redact = all), not those of real calls.
# Where the app compares them with its own, put the real ones.


@pytest.mark.rt(number="+33187654321")
async def test_call_1_of_ivr_menu(phone):
    """The call goes as it was recorded."""
    call = await phone.dial("+33187654321", from_="+33612345678", caller_name="Jean")

    # read (age)
    await call.expect_prompt("Your age?")
    await call.press("42#")

    # dialout
    await call.leg(1).press("1")
    await call.fail(leg=2, code=3030)

    # record
    await call.speak(4, key="")
    await call.wait(2.5)
'''
        == code
    )


def test_number_called_is_rented_for_the_test(tmp_path: Path) -> None:
    """The number is passed to the rig by a marker."""
    code = python_code(story(Step("hang_up"), called="+33199999999"), "x", "all")

    assert '@pytest.mark.rt(number="+33199999999")\nasync def test_x(phone):' in code
    assert code.startswith('"""A test of the app, made from x."""\n\nimport pytest\n\n# Numbers')
    assert formatted(tmp_path, code) == code
    plain = python_code(story(called="+33199999999"), "x", "none")
    assert formatted(tmp_path, plain) == plain


def test_hidden_callers_call_anonymously() -> None:
    """A caller without number is anonymous, a called number that is unknown is the kit's own."""
    code = python_code(story(called="", caller=""), "x", "none")

    assert 'phone.dial(from_="anonymous")' in code


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain é ✓", '"plain é ✓"'),
        ('say "hi"', "'say \"hi\"'"),
        ("it's", '"it\'s"'),
        ('it\'s "so"', "'it\\'s \"so\"'"),
        ("it's \"", '"it\'s \\""'),
        ("a\\b\n\r\t", '"a\\\\b\\n\\r\\t"'),
        ("\x00\x9b\u202e\ud800\U000e0001", '"\\x00\\x9b\\u202e\\ud800\\U000e0001"'),
        (("a", 1), '["a", 1]'),
        ({"a": None}, '{"a": None}'),
        (2.0, "2"),
    ],
)
def test_literals_are_valid_and_show_nothing_invisible(value: Any, expected: str) -> None:
    """A literal evaluates to its value and holds no control or formatting character."""
    written = literal(value)

    assert expected == written
    assert ast.literal_eval(written) == (list(value) if isinstance(value, tuple) else value)
    assert [] == [c for c in written if unicodedata.category(c).startswith("C")]


def test_hostile_texts_stay_texts() -> None:
    """A prompt, a title or a label cannot become code."""
    evil = '"""); import os; os.abort() #\n\\'
    code = python_code(story(Step("expect_prompt", (evil,)), title="play (x)"), evil, "none")

    tree = ast.parse(code)
    imported = [name.name for n in ast.walk(tree) if isinstance(n, ast.Import) for name in n.names]
    calls = {ast.unparse(n.func): n for n in ast.walk(tree) if isinstance(n, ast.Call)}
    assert ["pytest"] == imported
    assert ["pytest.mark.rt", "phone.dial", "call.expect_prompt"] == list(calls)
    assert evil == ast.literal_eval(calls["call.expect_prompt"].args[0])


def test_formatter_has_nothing_to_do(tmp_path: Path) -> None:
    """Generated code of every length and with every kind of text is as ruff formats it."""
    rng = random.Random(7)
    alphabet = "ab cd\"'\\\n\x00é✓\u202e🙂漢"
    steps: list[Step] = []
    for length in range(110):
        text = "".join(rng.choice(alphabet) for _ in range(length))
        steps += [
            Step("expect_prompt", ("x" * length,)),
            Step("expect_prompt", (text,)),
            Step("expect_prompt", (text,), {"within": 70}),
            Step(
                "expect_dialled", (("+331" * (length // 9), "+33199000002"),), {"caller_id": text}
            ),
            Step("press", ("1" * length,), leg=1),
            Step("hang_up"),
        ]
    code = python_code(story(*steps, caller_name="n" * 60), "call 1 of x", "all")

    assert formatted(tmp_path, code) == code


def test_formatter_leaves_an_empty_call(tmp_path: Path) -> None:
    """A module without masks and without steps is stable as well."""
    code = python_code(Story("", "", "", ()), "", "none")

    assert formatted(tmp_path, code) == code
    assert "async def test_call(phone):" in code
