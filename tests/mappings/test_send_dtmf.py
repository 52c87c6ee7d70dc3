"""send_dtmf: tones for the caller.

| parameter | type | meaning |
|---|---|---|
| digits (an older kit sends `digit`) | string of 0-9, * and # | the tones |
| duration_ms | int, 1 to 5000 | length of a tone |
| timeout_ms | int, 0 to 10000 | pause between tones |

| result | meaning |
|---|---|
| 0 (an integer) | they were sent |
"""

from __future__ import annotations

from typing import Any

import pytest
from playbook import CallEnded, Document, Error, Playbook, Result

from mappings._kernel.events import DigitsReceived, DocumentEnded, HungUp


@pytest.mark.parametrize(
    ("params", "tones"),
    [
        ({"digits": "123#"}, "1w2w3w#"),
        ({"digits": "*"}, "*"),
        ({"digits": "0123456789*#"}, "0w1w2w3w4w5w6w7w8w9w*w#"),
        ({"digit": "5"}, "5"),
        ({"digits": 42}, "4w2"),
        ({"digits": "1", "digit": "2"}, "1"),
    ],
)
def test_digits(params: dict[str, Any], tones: str) -> None:
    """Digits under either name, as text or number; the result is the integer 0."""
    assert (
        Playbook("send_dtmf", params)
        >> Document(f"""
            <Response>
              <DTMF async="false">{tones}</DTMF>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << DocumentEnded(3000)
        >> Result(0)
    )


@pytest.mark.parametrize(
    ("sent", "tones"),
    [
        (0, "12"),
        (249, "12"),
        (250, "1w2"),
        (500, "1w2"),
        ("500", "1w2"),
        (None, "1w2"),
        (749, "1w2"),
        (750, "1ww2"),
        (1000, "1ww2"),
        (10_000, "1" + 20 * "w" + "2"),
    ],
)
def test_timeout_ms(sent: object, tones: str) -> None:
    """The pause is made of half seconds, to the nearest; 500 ms when left out."""
    assert (
        Playbook("send_dtmf", {"digits": "12", "timeout_ms": sent})
        >> Document(f"""
            <Response>
              <DTMF async="false">{tones}</DTMF>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        >> ...
    )


@pytest.mark.parametrize("sent", [1, 500, "80", 5000, None])
def test_duration_ms(sent: object) -> None:
    """The DTMF element has no duration: whatever the app asks for changes nothing."""
    assert (
        Playbook("send_dtmf", {"digits": "1", "duration_ms": sent})
        >> Document("""
            <Response>
              <DTMF async="false">1</DTMF>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        >> ...
    )


def test_hundred_digits() -> None:
    """As many tones as anyone sends are still one document."""
    assert (
        Playbook("send_dtmf", {"digits": "7" * 100, "timeout_ms": 0})
        >> Document(f"""
            <Response>
              <DTMF async="false">{"7" * 100}</DTMF>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        >> ...
    )


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({}, "digits: Field required"),
        ({"digits": ""}, "digits: Field required"),
        ({"digits": "12A"}, "digits: String should match pattern '^[0-9*#]{1,100}$'"),
        ({"digits": "1w2"}, "digits: String should match pattern '^[0-9*#]{1,100}$'"),
        ({"digits": "1\n"}, "digits: String should match pattern '^[0-9*#]{1,100}$'"),
        ({"digits": "7" * 101}, "digits: String should match pattern '^[0-9*#]{1,100}$'"),
        (
            {"digits": "1", "duration_ms": 0},
            "duration_ms: Input should be greater than or equal to 1",
        ),
        (
            {"digits": "1", "duration_ms": 5001},
            "duration_ms: Input should be less than or equal to 5000",
        ),
        (
            {"digits": "1", "timeout_ms": -1},
            "timeout_ms: Input should be greater than or equal to 0",
        ),
        (
            {"digits": "1", "timeout_ms": 10_001},
            "timeout_ms: Input should be less than or equal to 10000",
        ),
    ],
)
def test_out_of_range(params: dict[str, Any], sentence: str) -> None:
    """A value beyond its documented range is refused with its name."""
    assert Playbook("send_dtmf", params) >> Error("INVALID_PARAMS", f"send_dtmf.{sentence}")


def test_event_of_another_verb_ends_it() -> None:
    """Whatever brings the call back, the tones were sent."""
    assert (
        Playbook("send_dtmf", {"digits": "1"})
        >> Document("""
            <Response>
              <DTMF async="false">1</DTMF>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << DigitsReceived("5")
        >> Result(0)
    )


def test_hang_up_while_sending() -> None:
    """A caller who hangs up ends the command without a result."""
    assert (
        Playbook("send_dtmf", {"digits": "1"})
        >> Document("""
            <Response>
              <DTMF async="false">1</DTMF>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << HungUp()
        >> CallEnded()
    )
