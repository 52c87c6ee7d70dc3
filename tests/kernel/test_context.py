"""The context of a command: what it resolves, and its stored form."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from mappings._kernel.context import CallContext, restore, snapshot
from mappings._kernel.errors import CommandRefused
from mappings._plivo.verbs import Asset, Play, Speak
from mappings._rt.media import LibraryMedia, NoMedia, TtsMedia

PLAIN = CallContext(callid=7, name="m1", scope="APP1")
FULL = CallContext(
    callid=2**64 - 1,
    name="m2",
    scope="",
    caller_id="+33187654321",
    answered=True,
    rest=False,
    partial_read="exact",
    dial_music_url="https://app.test/music.mp3",
    call_recording="rec-1",
    voices={"TTS_EN-GB_DANIEL": ("MAN", "en-GB")},
    library={"42": "https://app.test/42.mp3", "43": None},
)


def test_context_is_stored_without_defaults() -> None:
    """A live call keeps only what differs from the defaults."""
    assert {"callid": 7, "name": "m1", "scope": "APP1"} == snapshot(PLAIN)


@pytest.mark.parametrize("context", [PLAIN, FULL])
def test_context_survives_being_stored(context: CallContext) -> None:
    """What a mapping knew is what it knows after a restart."""
    assert context == restore(json.loads(json.dumps(snapshot(context))))


def test_every_field_is_stored_when_it_differs() -> None:
    """No field is forgotten by the stored form."""
    assert {field.name for field in fields(CallContext)} == set(snapshot(FULL))


def test_unknown_keys_are_ignored() -> None:
    """Going back a release drops what only the newer one knew."""
    assert PLAIN == restore({**snapshot(PLAIN), "weather": "fine"})


def test_no_media_is_no_sound() -> None:
    """Nothing to play gives no verb, so that none is empty."""
    assert () == PLAIN.sounds(NoMedia())


def test_text_is_spoken_with_the_voice_resolved_for_it() -> None:
    """Voices come from the snapshot, never from settings of the moment."""
    expected = (Speak("Hello", "MAN", "en-GB"),)

    assert expected == FULL.sounds(TtsMedia("TTS_EN-GB_DANIEL", "Hello"))


def test_long_text_is_spoken_in_parts() -> None:
    """A text of 3000 characters is one Speak, one more makes two, and nothing is lost."""
    whole = FULL.sounds(TtsMedia("TTS_EN-GB_DANIEL", "x" * 3000))
    split = FULL.sounds(TtsMedia("TTS_EN-GB_DANIEL", "x" * 3001))

    assert [3000] == [len(sound.text) for sound in whole if isinstance(sound, Speak)]
    assert [3000, 1] == [len(sound.text) for sound in split if isinstance(sound, Speak)]


def test_library_media_is_played_from_its_address() -> None:
    """A known id becomes a Play."""
    assert (Play("https://app.test/42.mp3"),) == FULL.sounds(LibraryMedia("42"))


@pytest.mark.parametrize("unknown", ["43", "44"])
def test_unknown_library_media_is_refused(unknown: str) -> None:
    """An id without an address is refused with a sentence that names it and the remedy."""
    with pytest.raises(CommandRefused) as caught:
        FULL.sounds(LibraryMedia(unknown))

    assert (
        f"MEDIA_NOT_FOUND: the media library has no id {unknown}: "
        "add it to the bridge's media settings"
    ) == str(caught.value)


def test_ringing_call_is_answered_with_silence() -> None:
    """Verbs that leave a call ringing are preceded by one that answers it, once."""
    assert (Play(Asset("silence")),) == PLAIN.answer_first()
    assert () == FULL.answer_first()
