from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bridge.__main__ import main
from bridge.testing.app_under_test import running
from bridge.testing.call import Call
from bridge.testing.recording import (
    Header,
    Level,
    RecordedTurn,
    Recorder,
    Recording,
    write_recording,
)
from bridge.testing.rig import CALLED, Rig, rig
from bridge.testing.scenario.files import load
from bridge.testing.scenario.results import ScenarioResult
from bridge.testing.scenario.rigging import standing
from bridge.testing.scenario.runner import play
from examples.ivr import make_app

Act = Callable[[Call], Awaitable[None]]


def codegen(*arguments: str | Path) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, ["codegen", *map(str, arguments)])


async def nobody_answers(call: Call) -> None:
    """Enter an age, ask for somebody, find nobody, leave."""
    await call.press("42#")
    await call.press("1")
    await call.busy(leg=1)
    await call.no_answer(leg=2)
    await call.press("9")
    await call.expect_ended()


async def somebody_answers(call: Call) -> None:
    """Ask for somebody, the first one declines, the second one talks and hangs up."""
    await call.press("42#")
    await call.press("1")
    await call.reject(leg=1)
    await call.answer(leg=2)
    await call.expect_leg(2, "connected")
    await call.wait(7)
    await call.leg(2).hang_up()
    await call.expect_ended()


async def caller_is_silent(call: Call) -> None:
    """Press nothing at all until the app gives up."""
    await call.expect_ended(within=300)


async def caller_hangs_up(call: Call) -> None:
    """Hang up while a prompt is spoken."""
    await call.expect_prompt("Please enter your age")
    await call.wait(1.5)
    await call.hang_up()


async def message_and_conference(call: Call) -> None:
    """Leave a message, hear it, wait in the conference, leave it."""
    await call.press("42#")
    await call.press("0")
    await call.speak(4)
    await call.press("2")
    await call.expect_room(members=1)
    await call.wait(10)
    await call.press("*")
    await call.press("9")
    await call.expect_ended()


CALLS: list[Act] = [
    nobody_answers,
    somebody_answers,
    message_and_conference,
    caller_is_silent,
    caller_hangs_up,
]
each_call = pytest.mark.parametrize("act", CALLS, ids=lambda act: str(act.__name__))
each_level = pytest.mark.parametrize("level", ["none", "all"])


async def record(path: Path, act: Act, level: Level) -> None:
    """Record one call of the example app."""
    async with rig(make_app(), seed=1) as it:
        with Recorder(path, redact=level, keep=[CALLED]) as recorder:
            it.timeline.listeners.append(recorder.entry)
            await act(await it.phone("+33699999999").dial(CALLED))
            assert await it.finish()


async def run_generated(code: str, it: Rig) -> None:
    """Run the only test of a generated module on a rig."""
    names: dict[str, Any] = {}
    exec(compile(code, "generated.py", "exec"), names)  # noqa: S102 -- what pytest would do
    (test,) = [value for name, value in names.items() if name.startswith("test_")]
    await test(it.phone())


@each_call
@each_level
async def test_recorded_calls_pass_as_tests(tmp_path: Path, act: Act, level: Level) -> None:
    """Record, generate, run: the example app passes the test made of its own call."""
    path = tmp_path / "ivr.jsonl"
    await record(path, act, level)
    result = codegen(path, "--to", "pytest")
    assert 0 == result.exit_code, result.output

    async with rig(make_app(), seed=2) as it:
        await run_generated(result.stdout, it)

        expected = [entry for entry in it.timeline.entries if entry.kind == "expects"]
        assert [] == [entry.text for entry in expected if not entry.data["ok"]]
        assert 3 <= len(expected)
        assert await it.finish()


@each_call
@each_level
async def test_recorded_calls_pass_as_scenarios(tmp_path: Path, act: Act, level: Level) -> None:
    """Record, generate, play: the example app passes the scenario made of its own call."""
    path, target = tmp_path / "ivr.jsonl", tmp_path / "ivr.yaml"
    await record(path, act, level)
    result = codegen(path, "--to", "scenario", "-o", target)
    assert (0, f"{target}: written\n") == (result.exit_code, result.output)

    (scenario,) = load([target])
    played = ScenarioResult(scenario, 2)
    async with (
        running(make_app()) as url,
        standing(scenario, url, seed=2, reproduce="") as stand,
    ):
        await play(stand, played)

    assert [] == played.failures
    assert ["passed"] * len(scenario.steps) == [step.status for step in played.steps]


async def test_generated_tests_can_fail(tmp_path: Path) -> None:
    """An app that says something else does not pass the test of the old recording."""
    path = tmp_path / "ivr.jsonl"
    await record(path, nobody_answers, "none")
    changed = path.read_text().replace("You are 42.", "You were 42.")
    path.write_text(changed)
    code = codegen(path, "--to", "pytest").stdout

    async with rig(make_app(), seed=2) as it:
        with pytest.raises(AssertionError, match="You were 42"):
            await run_generated(code, it)


def turn(call: int, **entry: Any) -> RecordedTurn:
    """Make a turn of a call, with one entry or none."""
    request = dict.fromkeys(
        ("app", "cli_name", "cli_number", "date_started", "number", "command", "cdr_field"), ""
    )
    return RecordedTurn(
        call=call,
        number=1,
        at=0,
        request={
            **request,
            "callid": call,
            "request_hash": None,
            "command_id": 0,
            "command_result": "",
            "command_error": "",
            "call_status": "UP",
            "variables": {},
        },
        caller=(entry,) if entry else (),
    )


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Write a recording of two calls; the phone's side of the second is missing."""
    path = tmp_path / "x.jsonl"
    turns = (turn(1, kind="hears", element="Speak", text="Hi"), turn(2))
    write_recording(path, Recording(Header(redact="none"), turns))
    return path


def test_one_of_several_calls_is_chosen(recording: Path) -> None:
    """--call says which call becomes a test."""
    result = codegen(recording, "--to", "pytest", "--call", "1")

    assert 0 == result.exit_code
    assert 'await call.expect_prompt("Hi")' in result.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "x.jsonl: holds the calls 1, 2; choose one with --call\n"),
        (("--call", "3"), "x.jsonl: holds no call 3; there is 1, 2\n"),
        (
            ("--call", "2"),
            (
                "x.jsonl: call 2 cannot become a test: what the caller heard and did was not "
                "recorded; it can be verified, not generated.\n"
            ),
        ),
        (
            ("--call", "1", "-o", "/no/such/folder/x.py"),
            "/no/such/folder/x.py: cannot be written: No such file or directory\n",
        ),
    ],
)
def test_what_cannot_be_generated_exits_2(
    recording: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    """Each reason is a sentence on standard error."""
    result = codegen(recording, "--to", "pytest", *arguments)

    assert (2, sentence) == (result.exit_code, result.stderr.replace(f"{recording.parent}/", ""))


def test_recordings_without_turns_are_refused(tmp_path: Path) -> None:
    """A header alone is no call."""
    path = tmp_path / "x.jsonl"
    write_recording(path, Recording(Header(redact="none"), ()))

    result = codegen(path, "--to", "scenario")

    assert (2, f"{path}: holds no turn; record a call first\n") == (result.exit_code, result.stderr)
