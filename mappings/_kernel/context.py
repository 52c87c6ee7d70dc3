"""What a mapping knows besides its params: a snapshot taken when its command started."""

from __future__ import annotations

from dataclasses import field
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Literal, assert_never

from mappings._kernel.errors import CommandRefused
from mappings._kernel.values import value_class
from mappings._plivo.verbs import Asset, Play, Speak
from mappings._rt.media import (
    LONGEST_REMEMBERED,
    LibraryMedia,
    NoMedia,
    TtsMedia,
    split_text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mappings._plivo.verbs import Sound
    from mappings._rt.media import Media

PartialRead = Literal["keys", "timeout", "exact"]


@value_class
class CallContext:
    """One call as its mapping sees it; every value is fixed for the life of the command.

    `name` is unguessable and unique to the command. `caller_id` is the account-side number of the
    call in E.164, or the number configured to stand in for BLOCKED. `scope` keeps the rooms of
    apps apart. `voices` and `library` hold the rt_media of this command's params, resolved.
    """

    callid: int
    name: str
    scope: str
    caller_id: str = ""
    answered: bool = False
    rest: bool = True
    partial_read: PartialRead = "keys"
    dial_music_url: str | None = None
    call_recording: str = ""
    voices: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    library: Mapping[str, str | None] = field(default_factory=dict)

    def sounds(self, media: Media) -> tuple[Sound, ...]:
        """Turn rt_media into verbs; no media gives none. Text over 3000 characters is split.

        Raises CommandRefused MEDIA_NOT_FOUND when the library has no such id.
        """
        match media:
            case NoMedia():
                return ()
            case TtsMedia():
                voice, language = self.voices[media.voice]
                if len(media.text) > LONGEST_REMEMBERED:
                    return _speak(media.text, voice, language)
                return _remembered(media.text, voice, language)
            case LibraryMedia():
                url = self.library.get(media.id)
                if url is None:
                    sentence = f"the media library has no id {media.id}: add it to the bridge's media settings"
                    raise CommandRefused("MEDIA_NOT_FOUND", sentence)
                return (Play(url),)
            case _:
                assert_never(media)

    def answer_first(self) -> tuple[Sound, ...]:
        """Give the verbs that answer a ringing call before a verb that would leave it ringing."""
        return () if self.answered else (Play(Asset("silence")),)


#: Left out of a snapshot at these values.
_DEFAULTS: Final[dict[str, Any]] = {
    "caller_id": "",
    "answered": False,
    "rest": True,
    "partial_read": "keys",
    "dial_music_url": None,
    "call_recording": "",
    "voices": {},
    "library": {},
}
_SPARSE: Final = tuple(_DEFAULTS.values())
_NAMES: Final = frozenset(CallContext.__match_args__)
_get_sparse = attrgetter(*_DEFAULTS)


def _speak(text: str, voice: str, language: str) -> tuple[Sound, ...]:
    return tuple(Speak(part, voice, language) for part in split_text(text))


#: Prompts come back in every call of an app.
_remembered = lru_cache(maxsize=1024)(_speak)


def snapshot(context: CallContext) -> dict[str, Any]:
    """Give the stored form: JSON values, defaults left out to keep a live call small."""
    stored: dict[str, Any] = {
        "callid": context.callid,
        "name": context.name,
        "scope": context.scope,
    }
    values = _get_sparse(context)
    if values != _SPARSE:
        stored |= {
            name: value
            for name, default, value in zip(_DEFAULTS, _SPARSE, values, strict=True)
            if value != default
        }
    return stored


def restore(inputs: Mapping[str, Any]) -> CallContext:
    """Read a stored snapshot back; unknown keys of a newer release are ignored."""
    known = dict(inputs)
    if not known.keys() <= _NAMES:
        known = {key: value for key, value in known.items() if key in _NAMES}
    if "voices" in known:
        known["voices"] = {name: (pair[0], pair[1]) for name, pair in known["voices"].items()}
    return CallContext(**known)


__all__ = ["CallContext", "PartialRead", "restore", "snapshot"]
