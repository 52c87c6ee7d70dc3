"""play_talk_detect: a media that stops when the caller talks.

| parameter | type | meaning |
|---|---|---|
| media_id | rt_media | what is played |
| min_ms | int, 1 to 60000 | shortest sound that counts as talk |
| max_ms | int, 1 to 60000 | longest sound that counts as talk |
| silence_ms | int, 1 to 5000 | silence required after it |
| analysistime_ms | int, 1 to 60000 | how long to listen |

| result | meaning |
|---|---|
| "TALK" | the caller talked, and playing stopped |
| "0" | nobody talked |
"""

from __future__ import annotations

from typing import Any

import pytest
from playbook import CallEnded, Document, Error, Playbook, Result

from mappings._kernel.events import Broken, DigitsReceived, DocumentEnded, HungUp, SpeechReceived
from mappings._plivo.voices import PLIVO_VOICES, PlivoVoice, recognised_language

LIBRARY = {"42": "https://media.test/42.mp3"}
LISTENING = """
    <Response>
      <GetInput action="https://bridge.test/next/speech" inputType="speech" executionTimeout="5"
        language="en-US">
        <Play>https://media.test/42.mp3</Play>
      </GetInput>
      <Redirect>https://bridge.test/next/next</Redirect>
    </Response>
"""


def test_speech_is_talk() -> None:
    """Speech stops the prompt, which plays inside GetInput."""
    assert (
        Playbook("play_talk_detect", {"media_id": 42}, library=LIBRARY)
        >> Document(LISTENING)
        << SpeechReceived("hello", 2100)
        >> Result("TALK")
    )


def test_silence_is_0() -> None:
    """Plivo comes back without speech 5 s after the prompt: nobody talked."""
    assert (
        Playbook("play_talk_detect", {"media_id": 42}, library=LIBRARY)
        >> Document(LISTENING)
        << DocumentEnded(13_000)
        >> Result("0")
    )


@pytest.mark.parametrize(
    ("voice", "spoken", "recognised"),
    [
        ("TTS_EN-GB_DANIEL", 'voice="MAN" language="en-GB"', "en-GB"),
        ("TTS_FR-FR_AUDREY", 'voice="WOMAN" language="fr-FR"', "fr-FR"),
        ("TTS_PL-PL_ZOSIA", 'voice="WOMAN" language="pl-PL"', "en-US"),
    ],
)
def test_text_is_expected_to_be_answered_in_its_language(
    voice: str, spoken: str, recognised: str
) -> None:
    """GetInput listens in the language of the prompt, or in English when it does not know it."""
    assert (
        Playbook("play_talk_detect", {"media_id": f"TTS|{voice}|Speak!"})
        >> Document(f"""
            <Response>
              <GetInput action="https://bridge.test/next/speech" inputType="speech"
                executionTimeout="5" language="{recognised}">
                <Speak {spoken}>Speak!</Speak>
              </GetInput>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << SpeechReceived("yes")
        >> Result("TALK")
    )


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en-GB", "en-GB"),
        ("EN-gb", "en-GB"),
        ("en-GB-WLS", "en-GB"),
        ("en-NZ", "en-US"),
        ("cmn-CN", "zh"),
        ("pt", "pt-PT"),
        ("cy-GB", "en-US"),
        ("", "en-US"),
    ],
)
def test_recognised_language(language: str, expected: str) -> None:
    """A language is itself, another region of it, or else US English."""
    assert expected == recognised_language(language)


@pytest.mark.parametrize(
    "voice", {voice.language: voice for voice in PLIVO_VOICES}.values(), ids=str
)
def test_every_spoken_language_makes_a_document(voice: PlivoVoice) -> None:
    """Whatever language a prompt is in, GetInput is given one of Plivo's list."""
    assert (
        Playbook("play_talk_detect", {"media_id": f"TTS|{voice}|Speak!"})
        >> Document(f"""
            <Response>
              <GetInput action="https://bridge.test/next/speech" inputType="speech"
                executionTimeout="5" language="{recognised_language(voice.language)}">
                <Speak voice="{voice.voice}" language="{voice.language}">Speak!</Speak>
              </GetInput>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        >> ...
    )


@pytest.mark.parametrize("params", [{}, {"media_id": 0}, {"media_id": ""}, {"media_id": None}])
def test_no_media_is_0_at_once(params: dict[str, Any]) -> None:
    """Playback that ends at once detects nothing."""
    assert Playbook("play_talk_detect", params) >> Result("0")


def test_unknown_library_media_is_an_error() -> None:
    """The page documents no result for it, so it is an error."""
    assert Playbook("play_talk_detect", {"media_id": 43}, library=LIBRARY) >> Error(
        "MEDIA_NOT_FOUND", "the media library has no id 43: add it to the bridge's media settings"
    )


@pytest.mark.parametrize(
    "params",
    [
        {"min_ms": 1},
        {"min_ms": 60_000},
        {"min_ms": "500"},
        {"max_ms": 1},
        {"max_ms": 60_000},
        {"max_ms": None},
        {"silence_ms": 1},
        {"silence_ms": 5000},
        {"silence_ms": "5"},
        {"analysistime_ms": 1},
        {"analysistime_ms": 60_000},
        {"analysistime_ms": ""},
    ],
)
def test_times_are_accepted_and_change_nothing(params: dict[str, Any]) -> None:
    """min_ms, max_ms, silence_ms and analysistime_ms: Plivo decides itself what speech is."""
    assert (
        Playbook("play_talk_detect", {"media_id": 42, **params}, library=LIBRARY)
        >> Document(LISTENING)
        >> ...
    )


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"min_ms": 0}, "min_ms: Input should be greater than or equal to 1"),
        ({"min_ms": 60_001}, "min_ms: Input should be less than or equal to 60000"),
        ({"max_ms": 0}, "max_ms: Input should be greater than or equal to 1"),
        ({"max_ms": 60_001}, "max_ms: Input should be less than or equal to 60000"),
        ({"silence_ms": 0}, "silence_ms: Input should be greater than or equal to 1"),
        ({"silence_ms": 5001}, "silence_ms: Input should be less than or equal to 5000"),
        ({"analysistime_ms": 0}, "analysistime_ms: Input should be greater than or equal to 1"),
        (
            {"analysistime_ms": 60_001},
            "analysistime_ms: Input should be less than or equal to 60000",
        ),
    ],
)
def test_out_of_range(params: dict[str, Any], sentence: str) -> None:
    """A value beyond its documented range is refused with its name."""
    assert Playbook("play_talk_detect", params) >> Error(
        "INVALID_PARAMS", f"play_talk_detect.{sentence}"
    )


def test_keys_are_not_talk() -> None:
    """A key that brings the call back is not speech."""
    assert (
        Playbook("play_talk_detect", {"media_id": 42}, library=LIBRARY)
        >> Document(LISTENING)
        << DigitsReceived("5")
        >> Result("0")
    )


def test_hang_up_while_listening() -> None:
    """A caller who hangs up ends the command without a result."""
    assert (
        Playbook("play_talk_detect", {"media_id": 42}, library=LIBRARY)
        >> Document(LISTENING)
        << HungUp()
        >> CallEnded()
    )


def test_break_while_listening() -> None:
    """calls.realtime_break ends the command with an error."""
    assert (
        Playbook("play_talk_detect", {"media_id": 42}, library=LIBRARY)
        >> Document(LISTENING)
        << Broken()
        >> Error("BREAK", "calls.realtime_break ended the command")
    )
