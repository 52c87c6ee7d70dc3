"""read: a prompt, and keys at the same time, ended by `#` or by their number.

| parameter | type | meaning |
|---|---|---|
| media_id | rt_media | the prompt |
| max_digits | int, 1 to 20 | this many keys end the input |
| attempts | int, 1 to 10 | how often the caller is asked |
| timeout_ms | int, 100 to 30000 | how long to wait for a key |

| result | meaning |
|---|---|
| keys | what the caller pressed, without `#` |
| "TIMEOUT" | neither `#` nor enough keys came in time |
"""

from __future__ import annotations

from typing import Any

import pytest
from playbook import CallEnded, Document, Error, Playbook, Result

from mappings._kernel.events import Broken, DigitsReceived, DocumentEnded, HungUp, SpeechReceived

DEFAULTS = """
    <Response>
      <GetDigits action="https://bridge.test/next/digits" timeout="30" digitTimeout="30"
        numDigits="20" finishOnKey="#" retries="1"/>
      <Redirect>https://bridge.test/next/next</Redirect>
    </Response>
"""
THREE_DIGITS = """
    <Response>
      <GetDigits action="https://bridge.test/next/digits" timeout="5" digitTimeout="5"
        numDigits="3" finishOnKey="#" retries="1">
        <Speak voice="MAN" language="en-GB">Age?</Speak>
      </GetDigits>
      <Redirect>https://bridge.test/next/next</Redirect>
    </Response>
"""
ASK_AGE = {
    "media_id": "TTS|TTS_EN-GB_DANIEL|Age?",
    "max_digits": 3,
    "attempts": 2,
    "timeout_ms": 5000,
}


def test_keys_are_the_result() -> None:
    """The prompt plays inside GetDigits, so that a key interrupts it."""
    assert (
        Playbook("read", ASK_AGE)
        >> Document(THREE_DIGITS)
        << DigitsReceived("42", 1800)
        >> Result("42")
    )


@pytest.mark.parametrize("keys", ["1", "0", "007", "*", "1*3"])
def test_keys_come_back_as_pressed(keys: str) -> None:
    """Leading zeros and stars are keys like others."""
    assert (
        Playbook("read", ASK_AGE) >> Document(THREE_DIGITS) << DigitsReceived(keys) >> Result(keys)
    )


def test_more_keys_than_asked_for_are_cut() -> None:
    """The app never gets more than max_digits keys, whatever a form holds."""
    assert (
        Playbook("read", ASK_AGE)
        >> Document(THREE_DIGITS)
        << DigitsReceived("12345")
        >> Result("123")
    )


def test_library_media_is_a_prompt() -> None:
    """A library id becomes Play inside GetDigits."""
    assert (
        Playbook(
            "read", {"media_id": 42, "max_digits": 1}, library={"42": "https://media.test/42.mp3"}
        )
        >> Document("""
            <Response>
              <GetDigits action="https://bridge.test/next/digits" timeout="30" digitTimeout="30"
                numDigits="1" finishOnKey="#" retries="1">
                <Play>https://media.test/42.mp3</Play>
              </GetDigits>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << DigitsReceived("1")
        >> Result("1")
    )


def test_unknown_library_media_is_an_error() -> None:
    """A prompt nobody would hear is refused before the caller waits for it."""
    assert Playbook("read", {"media_id": 42}) >> Error(
        "MEDIA_NOT_FOUND", "the media library has no id 42: add it to the bridge's media settings"
    )


@pytest.mark.parametrize("media", [{}, {"media_id": 0}, {"media_id": ""}, {"media_id": None}])
def test_without_a_prompt_it_listens_in_silence(media: dict[str, Any]) -> None:
    """No media means no prompt; everything left out takes its default."""
    assert Playbook("read", media) >> Document(DEFAULTS) << DigitsReceived("1") >> Result("1")


@pytest.mark.parametrize(
    ("sent", "num_digits"), [(1, "1"), (20, "20"), ("3", "3"), (3.0, "3"), (None, "20"), ("", "20")]
)
def test_max_digits(sent: object, num_digits: str) -> None:
    """max_digits is numDigits: 1 to 20, 20 when left out, text or number."""
    assert (
        Playbook("read", {"max_digits": sent})
        >> Document(f"""
            <Response>
              <GetDigits action="https://bridge.test/next/digits" timeout="30" digitTimeout="30"
                numDigits="{num_digits}" finishOnKey="#" retries="1"/>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        >> ...
    )


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        (100, "1"),
        (999, "1"),
        (1000, "1"),
        (1001, "2"),
        (4000, "4"),
        ("4500", "5"),
        (30_000, "30"),
        (None, "30"),
    ],
)
def test_timeout_ms(sent: object, seconds: str) -> None:
    """timeout_ms is both of Plivo's timeouts in whole seconds, rounded up, at least 1."""
    assert (
        Playbook("read", {"timeout_ms": sent})
        >> Document(f"""
            <Response>
              <GetDigits action="https://bridge.test/next/digits" timeout="{seconds}"
                digitTimeout="{seconds}" numDigits="20" finishOnKey="#" retries="1"/>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        >> ...
    )


def test_attempts_repeat_the_question() -> None:
    """Each attempt is a document of its own; the last one without keys is TIMEOUT."""
    assert (
        Playbook("read", ASK_AGE)
        >> Document(THREE_DIGITS)
        << DocumentEnded(6500)
        >> Document(THREE_DIGITS)
        << DocumentEnded(6500)
        >> Result("TIMEOUT")
    )


def test_later_attempt_may_succeed() -> None:
    """Keys in the second attempt are the result."""
    assert (
        Playbook("read", ASK_AGE)
        >> Document(THREE_DIGITS)
        << DocumentEnded(6500)
        >> Document(THREE_DIGITS)
        << DigitsReceived("7")
        >> Result("7")
    )


@pytest.mark.parametrize("attempts", [1, "1"])
def test_one_attempt(attempts: object) -> None:
    """The smallest number of attempts asks once."""
    assert (
        Playbook("read", {"attempts": attempts})
        >> Document(DEFAULTS)
        << DocumentEnded(30_000)
        >> Result("TIMEOUT")
    )


@pytest.mark.parametrize("params", [{}, {"attempts": 10}, {"attempts": None}])
def test_ten_attempts(params: dict[str, Any]) -> None:
    """Ten attempts are the most, and the default."""
    playbook = Playbook("read", params)
    for _ in range(10):
        playbook = playbook >> Document(DEFAULTS) << DocumentEnded(30_000)

    assert playbook >> Result("TIMEOUT")


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"max_digits": 0}, "read.max_digits: Input should be greater than or equal to 1"),
        ({"max_digits": 21}, "read.max_digits: Input should be less than or equal to 20"),
        ({"attempts": 0}, "read.attempts: Input should be greater than or equal to 1"),
        ({"attempts": 11}, "read.attempts: Input should be less than or equal to 10"),
        ({"timeout_ms": 99}, "read.timeout_ms: Input should be greater than or equal to 100"),
        ({"timeout_ms": 30_001}, "read.timeout_ms: Input should be less than or equal to 30000"),
        (
            {"attempts": "three"},
            "read.attempts: Input should be a valid integer, unable to parse string as an integer",
        ),
    ],
)
def test_out_of_range(params: dict[str, Any], sentence: str) -> None:
    """A value beyond its documented range is refused with its name."""
    assert Playbook("read", params) >> Error("INVALID_PARAMS", sentence)


def test_hash_alone_is_no_keys() -> None:
    """`#` pressed at once is an answer: no keys, and no further attempt."""
    assert Playbook("read", ASK_AGE) >> Document(THREE_DIGITS) << DigitsReceived("") >> Result("")


def test_keys_without_hash_are_returned_by_default() -> None:
    """partial_read "keys": what was typed before the silence counts, as Plivo submits it."""
    assert (
        Playbook("read", ASK_AGE, partial_read="keys")
        >> Document(THREE_DIGITS)
        << DigitsReceived("4")
        >> Result("4")
    )


def test_too_few_keys_are_a_timeout_if_wanted() -> None:
    """partial_read "timeout": fewer than max_digits use up the attempt."""
    assert (
        Playbook("read", ASK_AGE, partial_read="timeout")
        >> Document(THREE_DIGITS)
        << DigitsReceived("4")
        >> Document(THREE_DIGITS)
        << DigitsReceived("42")
        >> Result("TIMEOUT")
    )


@pytest.mark.parametrize("keys", ["423", ""])
def test_enough_keys_or_hash_alone_are_no_timeout(keys: str) -> None:
    """partial_read "timeout": max_digits keys are the result, and so is `#` alone."""
    assert (
        Playbook("read", ASK_AGE, partial_read="timeout")
        >> Document(THREE_DIGITS)
        << DigitsReceived(keys)
        >> Result(keys)
    )


@pytest.mark.parametrize(
    ("collected", "result"), [("42#", "42"), ("#", ""), ("423", "423"), ("4#2", "4")]
)
def test_hash_is_collected_to_be_exact(collected: str, result: str) -> None:
    """partial_read "exact": `#` is a key like others, and the keys are cut at the first one."""
    assert (
        Playbook("read", ASK_AGE, partial_read="exact")
        >> Document("""
            <Response>
              <GetDigits action="https://bridge.test/next/digits" timeout="5" digitTimeout="5"
                numDigits="3" finishOnKey="none" retries="1">
                <Speak voice="MAN" language="en-GB">Age?</Speak>
              </GetDigits>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << DigitsReceived(collected)
        >> Result(result)
    )


@pytest.mark.parametrize("collected", ["4", "42", ""])
def test_exactness_tells_silence_from_hash(collected: str) -> None:
    """partial_read "exact": too few keys without `#` use up the attempt."""
    assert (
        Playbook("read", {"max_digits": 3, "attempts": 1}, partial_read="exact")
        >> Document("""
            <Response>
              <GetDigits action="https://bridge.test/next/digits" timeout="30" digitTimeout="30"
                numDigits="3" finishOnKey="none" retries="1"/>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << DigitsReceived(collected)
        >> Result("TIMEOUT")
    )


def test_event_of_another_verb_uses_up_an_attempt() -> None:
    """Whatever brings the call back without keys is an attempt without keys."""
    assert (
        Playbook("read", ASK_AGE)
        >> Document(THREE_DIGITS)
        << SpeechReceived("four")
        >> Document(THREE_DIGITS)
        << DigitsReceived("4")
        >> Result("4")
    )


def test_hang_up_while_asking() -> None:
    """A caller who hangs up in the second attempt ends the command without a result."""
    assert (
        Playbook("read", ASK_AGE)
        >> Document(THREE_DIGITS)
        << DocumentEnded(6500)
        >> Document(THREE_DIGITS)
        << HungUp()
        >> CallEnded()
    )


def test_break_while_asking() -> None:
    """calls.realtime_break ends the command with an error."""
    assert (
        Playbook("read", ASK_AGE)
        >> Document(THREE_DIGITS)
        << Broken()
        >> Error("BREAK", "calls.realtime_break ended the command")
    )
