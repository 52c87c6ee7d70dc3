"""The façade for tests that are no coroutines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support_kit import Script, app_of, command, play, read

from bridge.testing.failures import ExpectationError
from bridge.testing.sync import sync_rig
from bridge.testing.sync_source import TARGET, source


def test_a_call() -> None:
    """A plain function places a call and expects things."""
    with sync_rig(app_of(Script(read("How old?"), play("Thanks."))), seed=1) as it:
        call = it.phone("+33611111111").dial("+33187654321")
        call.expect_prompt("How old?")
        call.press("42#")
        call.expect_result("42")
        call.soft.expect_prompt("Never", within=0)
        call.expect_ended(by="app")

        assert (1, True, True) == (call.number, call.is_over, it.finish())
        assert 1 == len(it.rig.soft_failures)


def test_a_failure_reaches_the_test() -> None:
    """ExpectationError comes out of the loop's thread, and everything is taken down."""
    with (
        pytest.raises(ExpectationError, match="Expected a prompt"),
        sync_rig(app_of(Script(play("Hello."))), seed=1) as it,
    ):
        it.phone().dial().expect_prompt("Bye.")


def test_no_frame_of_another_thread_is_in_a_failure() -> None:
    """Every frame between the test and the failure is hidden from a report."""
    with sync_rig(app_of(Script(play("Hello."))), seed=1) as it:
        call = it.phone().dial()
        with pytest.raises(ExpectationError) as caught:
            call.expect_prompt("Bye.")

    shown = [entry.path for entry in caught.traceback if not entry.ishidden(caught)]
    assert [Path(__file__)] == shown


def test_a_rig_has_a_short_name() -> None:
    """Reports that show the arguments of a test show few words."""
    with sync_rig(app_of(Script(play("Hello."))), seed=1) as it:
        texts = repr(it), repr(it.phone("+33611111111"))

    assert (
        "SyncRig(rig=<rig with seed 1, 0 calls, 0 turns>)",
        "SyncPhone(it=Phone(number='+33611111111'))",
    ) == texts


def test_a_dialled_party() -> None:
    """Parties are persons too."""
    targets = [{"number": "+33199000001", "timeout": 20}]
    dialout = command("dialout", targets=targets, cli="BLOCKED", ringtone="RING", whisper=0)
    with sync_rig(app_of(Script(dialout)), seed=1) as it:
        it.callee("+33199000001").answers(after=2)
        call = it.phone().dial()
        call.expect_leg(1, "connected")
        call.leg(1).hang_up()
        call.expect_ended(by="app")


def test_the_facade_is_current() -> None:
    """`python -m bridge.testing.sync_source` and the formatter would change nothing."""
    formatted = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(TARGET), "-"],
        input=source(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert TARGET.read_text(encoding="utf-8") == formatted
