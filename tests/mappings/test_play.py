"""play: a media of the library, or a text said aloud.

| parameter | type | meaning |
|---|---|---|
| media_id | rt_media | library id, or TTS|VOICE|text |

| result | meaning |
|---|---|
| "0" | it was played |
| "1" | something went wrong |
"""

from __future__ import annotations

from typing import Any

import pytest
from playbook import CallEnded, Document, Does, Error, Playbook, Result

from mappings._kernel.actions import Note
from mappings._kernel.events import Broken, DigitsReceived, DocumentEnded, HungUp

LIBRARY = {"42": "https://media.test/42.mp3"}


def test_text_is_spoken_with_the_voice_it_names() -> None:
    """TTS|VOICE|text becomes Speak; "0" when Plivo comes back."""
    assert (
        Playbook("play", {"media_id": "TTS|TTS_EN-GB_DANIEL|Hello & welcome <here>"})
        >> Document("""
            <Response>
              <Speak voice="MAN" language="en-GB">Hello &amp; welcome &lt;here&gt;</Speak>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << DocumentEnded(2500)
        >> Result("0")
    )


def test_text_may_contain_the_separator_and_any_script() -> None:
    """Everything after the second | is text, whatever its alphabet."""
    assert (
        Playbook("play", {"media_id": "TTS|TTS_FR-FR_AUDREY|Appuyez | sur l'étoile ☆ 日本"})
        >> Document("""
            <Response>
              <Speak voice="WOMAN" language="fr-FR">Appuyez | sur l'étoile ☆ 日本</Speak>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << DocumentEnded(2500)
        >> Result("0")
    )


def test_control_characters_are_dropped() -> None:
    """What XML cannot carry never reaches it."""
    assert (
        Playbook("play", {"media_id": "TTS|TTS_EN-GB_DANIEL|a\x00b\x1fc"})
        >> Document("""
            <Response>
              <Speak voice="MAN" language="en-GB">abc</Speak>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        >> ...
    )


def test_long_text_is_spoken_in_parts() -> None:
    """Plivo says 3000 characters at a time; a longer text is split between words."""
    words = "word " * 599 + "word."
    assert (
        Playbook("play", {"media_id": f"TTS|TTS_EN-GB_DANIEL|{words} The end."})
        >> Document(f"""
            <Response>
              <Speak voice="MAN" language="en-GB">{words}</Speak>
              <Speak voice="MAN" language="en-GB">The end.</Speak>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << DocumentEnded()
        >> Result("0")
    )


@pytest.mark.parametrize("media_id", [42, "42", " 42 ", "0042"])
def test_library_media_is_played(media_id: int | str) -> None:
    """A library id, as a number or as text, becomes Play of its configured address."""
    assert (
        Playbook("play", {"media_id": media_id}, library=LIBRARY)
        >> Document("""
            <Response>
              <Play>https://media.test/42.mp3</Play>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << DocumentEnded(8000)
        >> Result("0")
    )


def test_unknown_library_media_is_1() -> None:
    """An id outside the library gives the documented error result, and a line in the log."""
    assert (
        Playbook("play", {"media_id": 43}, library=LIBRARY)
        >> Does(
            Note(
                "MEDIA_NOT_FOUND",
                "the media library has no id 43: add it to the bridge's media settings",
            )
        )
        >> Result("1")
    )


@pytest.mark.parametrize(
    "params",
    [{}, {"media_id": 0}, {"media_id": "0"}, {"media_id": ""}, {"media_id": None}],
)
def test_no_media_is_0_at_once(params: dict[str, Any]) -> None:
    """All spellings of "no media" need no document."""
    assert Playbook("play", params) >> Result("0")


@pytest.mark.parametrize("text", ["", "   ", "\x00"])
def test_text_without_words_is_0_at_once(text: str) -> None:
    """Plivo is never given an empty Speak."""
    assert Playbook("play", {"media_id": f"TTS|TTS_EN-GB_DANIEL|{text}"}) >> Result("0")


@pytest.mark.parametrize("media_id", ["hello", "TTS|no text", -1, ["42"], 4.2])
def test_what_is_no_media_is_refused(media_id: object) -> None:
    """Anything else is the app's mistake, and the sentence names the param."""
    playbook = Playbook("play", {"media_id": media_id}) >> Error("INVALID_PARAMS", "$why")

    assert playbook
    assert "play.media_id" == playbook.bound["why"].partition(":")[0]


def test_unknown_params_are_ignored() -> None:
    """Apps send more than the page documents."""
    assert Playbook("play", {"media_id": 0, "volume": 11}) >> Result("0")


def test_voice_unknown_to_us_speaks_its_language() -> None:
    """A voice that is not in the table falls back to the language it names."""
    assert (
        Playbook("play", {"media_id": "TTS|TTS_FR-BE_NOBODY|Bonjour"})
        >> Document("""
            <Response>
              <Speak voice="WOMAN" language="fr-FR">Bonjour</Speak>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        >> ...
    )


def test_keys_during_play_do_not_matter() -> None:
    """Whatever brings the call back, the media was played."""
    assert (
        Playbook("play", {"media_id": 42}, library=LIBRARY)
        >> Document("""
            <Response>
              <Play>https://media.test/42.mp3</Play>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << DigitsReceived("5")
        >> Result("0")
    )


def test_hang_up_during_play() -> None:
    """A caller who hangs up ends the command without a result."""
    assert (
        Playbook("play", {"media_id": 42}, library=LIBRARY)
        >> Document("""
            <Response>
              <Play>https://media.test/42.mp3</Play>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << HungUp()
        >> CallEnded()
    )


def test_break_during_play() -> None:
    """calls.realtime_break ends the command with an error."""
    assert (
        Playbook("play", {"media_id": 42}, library=LIBRARY)
        >> Document("""
            <Response>
              <Play>https://media.test/42.mp3</Play>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << Broken()
        >> Error("BREAK", "calls.realtime_break ended the command")
    )
