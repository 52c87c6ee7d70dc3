"""wait_for_silence: until the caller has been silent often enough, or time is up.

| parameter | type | meaning |
|---|---|---|
| iterations | int, 1 to 10 | silences required |
| silence_ms | int, 1 to 5000 | the shortest silence that counts |
| timeout (an older kit sends `timeout_ms`, in s as well) | int, 0 to 300 | s in all; 0 = no limit |

| result | meaning |
|---|---|
| "SILENCE" | it was silent |
| "TIMEOUT" | time was up before |
"""

from __future__ import annotations

from typing import Any

import pytest
from playbook import CallEnded, Document, Error, Playbook, Result

from mappings._kernel.events import DigitsReceived, DocumentEnded, HungUp

DEFAULTS = """
    <Response>
      <Wait length="14400" silence="true" minSilence="1000"/>
      <Redirect>https://bridge.test/next/next</Redirect>
    </Response>
"""
TEN_SECONDS = """
    <Response>
      <Wait length="10" silence="true" minSilence="800"/>
      <Redirect>https://bridge.test/next/next</Redirect>
    </Response>
"""


def test_wait_cut_short_is_silence() -> None:
    """Plivo does not say why a Wait ended; one that was cut short heard silence."""
    assert (
        Playbook("wait_for_silence", {"silence_ms": 800, "timeout": 10})
        >> Document(TEN_SECONDS)
        << DocumentEnded(2300)
        >> Result("SILENCE")
    )


@pytest.mark.parametrize("elapsed_ms", [9500, 10_000, 12_000])
def test_whole_wait_is_a_timeout(elapsed_ms: int) -> None:
    """A Wait that took its time, within half a second, heard none."""
    assert (
        Playbook("wait_for_silence", {"silence_ms": 800, "timeout": 10})
        >> Document(TEN_SECONDS)
        << DocumentEnded(elapsed_ms)
        >> Result("TIMEOUT")
    )


def test_just_early_enough_is_silence() -> None:
    """More than half a second before the end is early."""
    assert (
        Playbook("wait_for_silence", {"silence_ms": 800, "timeout": 10})
        >> Document(TEN_SECONDS)
        << DocumentEnded(9499)
        >> Result("SILENCE")
    )


def test_iterations_share_one_budget() -> None:
    """Each silence is a Wait of its own, as long as what is left of the timeout."""
    assert (
        Playbook("wait_for_silence", {"iterations": 3, "silence_ms": 800, "timeout": 10})
        >> Document(TEN_SECONDS)
        << DocumentEnded(2300)
        >> Document("""
            <Response>
              <Wait length="7" silence="true" minSilence="800"/>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << DocumentEnded(4000)
        >> Document("""
            <Response>
              <Wait length="3" silence="true" minSilence="800"/>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << DocumentEnded(900)
        >> Result("SILENCE")
    )


def test_timeout_in_a_later_iteration() -> None:
    """Fewer silences than required are none."""
    assert (
        Playbook("wait_for_silence", {"iterations": 2, "silence_ms": 800, "timeout": 10})
        >> Document(TEN_SECONDS)
        << DocumentEnded(4000)
        >> Document("""
            <Response>
              <Wait length="6" silence="true" minSilence="800"/>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << DocumentEnded(6000)
        >> Result("TIMEOUT")
    )


def test_rest_of_the_budget_too_short_for_a_silence() -> None:
    """A silence as long as the time left cannot be heard: wait it out, then TIMEOUT."""
    assert (
        Playbook("wait_for_silence", {"iterations": 2, "timeout": 3})
        >> Document("""
            <Response>
              <Wait length="3" silence="true" minSilence="1000"/>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << DocumentEnded(2000)
        >> Document("""
            <Response>
              <Wait length="1"/>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << DocumentEnded(1000)
        >> Result("TIMEOUT")
    )


@pytest.mark.parametrize("silence_ms", [1000, 5000])
def test_silence_as_long_as_the_timeout(silence_ms: int) -> None:
    """The same from the start: Plivo's Wait has to be longer than its silence."""
    assert (
        Playbook("wait_for_silence", {"silence_ms": silence_ms, "timeout": 1})
        >> Document("""
            <Response>
              <Wait length="1"/>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << DocumentEnded(1000)
        >> Result("TIMEOUT")
    )


@pytest.mark.parametrize(
    ("sent", "iterations"), [(1, 1), ("1", 1), (None, 1), (2, 2), ("10", 10), (10, 10)]
)
def test_iterations(sent: object, iterations: int) -> None:
    """iterations: 1 to 10 silences, 1 when left out, text or number."""
    playbook = Playbook("wait_for_silence", {"iterations": sent})
    length = 14_400
    for _ in range(iterations):
        playbook = (
            playbook
            >> Document(f"""
                <Response>
                  <Wait length="{length}" silence="true" minSilence="1000"/>
                  <Redirect>https://bridge.test/next/next</Redirect>
                </Response>
            """)
            << DocumentEnded(2000)
        )
        length -= 2

    assert playbook >> Result("SILENCE")


@pytest.mark.parametrize(
    ("sent", "min_silence"), [(1, "1"), (5000, "5000"), ("250", "250"), (None, "1000")]
)
def test_silence_ms(sent: object, min_silence: str) -> None:
    """silence_ms is minSilence: 1 to 5000, 1000 when left out."""
    assert (
        Playbook("wait_for_silence", {"silence_ms": sent})
        >> Document(f"""
            <Response>
              <Wait length="14400" silence="true" minSilence="{min_silence}"/>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        >> ...
    )


@pytest.mark.parametrize(
    ("params", "length"),
    [
        ({"timeout": 2}, "2"),
        ({"timeout": 300}, "300"),
        ({"timeout": "30"}, "30"),
        ({"timeout": 0}, "14400"),
        ({"timeout": None}, "14400"),
        ({"timeout_ms": 30}, "30"),
        ({"timeout": 20, "timeout_ms": 30}, "20"),
        ({}, "14400"),
    ],
)
def test_timeout(params: dict[str, Any], length: str) -> None:
    """Timeout is the length of Wait in s under either name; 0 is the longest call."""
    assert (
        Playbook("wait_for_silence", params)
        >> Document(f"""
            <Response>
              <Wait length="{length}" silence="true" minSilence="1000"/>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        >> ...
    )


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"iterations": 0}, "iterations: Input should be greater than or equal to 1"),
        ({"iterations": 11}, "iterations: Input should be less than or equal to 10"),
        ({"silence_ms": 0}, "silence_ms: Input should be greater than or equal to 1"),
        ({"silence_ms": 5001}, "silence_ms: Input should be less than or equal to 5000"),
        ({"timeout": -1}, "timeout: Input should be greater than or equal to 0"),
        ({"timeout": 301}, "timeout: Input should be less than or equal to 300"),
        ({"timeout_ms": 3000}, "timeout_ms: Input should be less than or equal to 300"),
    ],
)
def test_out_of_range(params: dict[str, Any], sentence: str) -> None:
    """A value beyond its documented range is refused under the name the app used."""
    assert Playbook("wait_for_silence", params) >> Error(
        "INVALID_PARAMS", f"wait_for_silence.{sentence}"
    )


def test_ringing_call_is_answered_first_and_once() -> None:
    """A Wait that comes first would leave the call ringing, so silence answers it."""
    assert (
        Playbook("wait_for_silence", {"iterations": 2, "timeout": 10}, answered=False)
        >> Document("""
            <Response>
              <Play>https://bridge.test/asset/silence.wav</Play>
              <Wait length="10" silence="true" minSilence="1000"/>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << DocumentEnded(3000)
        >> Document("""
            <Response>
              <Wait length="7" silence="true" minSilence="1000"/>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << DocumentEnded(3000)
        >> Result("SILENCE")
    )


def test_event_of_another_verb_counts_as_cut_short() -> None:
    """Whatever brings the call back at once ended the Wait early."""
    assert (
        Playbook("wait_for_silence")
        >> Document(DEFAULTS)
        << DigitsReceived("5", 100)
        >> Result("SILENCE")
    )


def test_hang_up_while_waiting() -> None:
    """A caller who hangs up ends the command without a result."""
    assert Playbook("wait_for_silence") >> Document(DEFAULTS) << HungUp() >> CallEnded()
