"""wait: a few seconds.

| parameter | type | meaning |
|---|---|---|
| wait (SDKs also send `seconds`) | int, 1 to 30 | s |

| result | meaning |
|---|---|
| "0" | it waited |
"""

from __future__ import annotations

from typing import Any

import pytest
from playbook import CallEnded, Document, Error, Playbook, Result

from mappings._kernel.events import DigitsReceived, DocumentEnded, HungUp


@pytest.mark.parametrize(
    ("params", "length"),
    [
        ({"wait": 1}, "1"),
        ({"wait": 30}, "30"),
        ({"wait": "5"}, "5"),
        ({"seconds": 5}, "5"),
        ({"seconds": "5"}, "5"),
        ({"wait": 3, "seconds": 5}, "3"),
        ({"wait": "", "seconds": 5}, "5"),
        ({"wait": None}, "1"),
        ({}, "1"),
    ],
)
def test_wait(params: dict[str, Any], length: str) -> None:
    """Seconds become the length of Wait, under either name; 1 when left out."""
    assert (
        Playbook("wait", params)
        >> Document(f"""
            <Response>
              <Wait length="{length}"/>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << DocumentEnded(1000 * int(length))
        >> Result("0")
    )


def test_ringing_call_is_answered_first() -> None:
    """A Wait that comes first would leave the call ringing, so silence answers it."""
    assert (
        Playbook("wait", {"wait": 2}, answered=False)
        >> Document("""
            <Response>
              <Play>https://bridge.test/asset/silence.wav</Play>
              <Wait length="2"/>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << DocumentEnded(2200)
        >> Result("0")
    )


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"wait": 0}, "wait.wait: Input should be greater than or equal to 1"),
        ({"wait": 31}, "wait.wait: Input should be less than or equal to 30"),
        ({"seconds": 31}, "wait.seconds: Input should be less than or equal to 30"),
        (
            {"wait": "a while"},
            "wait.wait: Input should be a valid integer, unable to parse string as an integer",
        ),
    ],
)
def test_out_of_range(params: dict[str, Any], sentence: str) -> None:
    """A value beyond its documented range is refused under the name the app used."""
    assert Playbook("wait", params) >> Error("INVALID_PARAMS", sentence)


def test_event_of_another_verb_ends_the_wait() -> None:
    """Whatever brings the call back, the wait is over."""
    assert (
        Playbook("wait")
        >> Document("""
            <Response>
              <Wait length="1"/>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << DigitsReceived("5")
        >> Result("0")
    )


def test_hang_up_while_waiting() -> None:
    """A caller who hangs up ends the command without a result."""
    assert (
        Playbook("wait")
        >> Document("""
            <Response>
              <Wait length="1"/>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << HungUp()
        >> CallEnded()
    )
