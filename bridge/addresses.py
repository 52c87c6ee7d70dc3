"""The URLs the bridge hands to Plivo, and the files they need hosted.

Below the public URL:

- `/plivo/{app}/{callid}/{step}/{kind}`: continuation of document `step`
- `/plivo/{app}/{callid}/{step}/notice/{kind}/{name}`: notification of the command `name`
- `/media/{name}`: hosted file under an unguessable name
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b, sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from bridge.store.protocol import MediaRow
from mappings._plivo.render import render_sounds
from mappings._plivo.verbs import Asset, HostedAudio, HostedRecording

if TYPE_CHECKING:
    from collections.abc import Callable

    from mappings._plivo.verbs import AudioUrl, Next, Notice, Sounds

#: Five retries of any failure within Plivo's 55 s (its callback page): a restart loses nothing.
RETRIES: Final = "#ct=2000&rt=10000&tt=55000&rc=5&rp=all"

SOUNDS_TYPE: Final = "application/xml"
WAV_TYPE: Final = "audio/wav"


def unguessable(secret: bytes, *parts: str) -> str:
    """Derive a name of 120 bits from the store's secret: the same parts give the same name."""
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    return blake2b(text, key=secret, digest_size=15).hexdigest()


def continuation_url(public_url: str, app: str, callid: int, step: int, kind: str) -> str:
    """Address of a continuation of document `step`."""
    return f"{public_url}/plivo/{_quoted(app)}/{callid}/{step}/{kind}{RETRIES}"


def notice_url(public_url: str, app: str, callid: int, step: int, notice: str) -> str:
    """Address of a notification that is asked for through REST; `notice` is kind/name."""
    return f"{public_url}/plivo/{_quoted(app)}/{callid}/{step}/notice/{notice}{RETRIES}"


#: There are a few apps, and each document names one.
_quoted = lru_cache(maxsize=256)(quote)


class Nowhere:
    """Addresses for documents that need none of ours."""

    def next(self, target: Next) -> str:
        """Refuse: there is no continuation."""
        raise AssertionError(target)

    def notice(self, target: Notice) -> str:
        """Refuse: there is no notification."""
        raise AssertionError(target)

    def audio(self, target: AudioUrl) -> str:
        """Refuse: nothing is hosted."""
        raise AssertionError(target)

    def sounds(self, target: Sounds) -> str:
        """Refuse: nothing is hosted."""
        raise AssertionError(target)


NOWHERE: Final = Nowhere()


class DocumentAddresses:
    """Addresses for one document; collects in `hosted` what must be committed with it."""

    def __init__(
        self,
        *,
        public_url: str,
        app: str,
        callid: int,
        step: int,
        name: str,
        secret: bytes,
        expires_at: float,
        asset: Callable[[str], bytes],
    ) -> None:
        self._public_url = public_url
        self._call = f"{public_url}/plivo/{_quoted(app)}/{callid}/{step}"
        self._name = name
        self._secret = secret
        self._expires_at = expires_at
        self._asset = asset
        self.hosted: list[MediaRow] = []

    def next(self, target: Next) -> str:
        """Address of the continuation."""
        return f"{self._call}/{target.kind}{RETRIES}"

    def notice(self, target: Notice) -> str:
        """Address of a notification."""
        return f"{self._call}/notice/{target.kind}/{self._name}{RETRIES}"

    def audio(self, target: AudioUrl) -> str:
        """Address of an audio file."""
        match target:
            case str():
                return target
            case Asset():
                return self._host(self._asset(target.name), WAV_TYPE, ".wav")
            case HostedAudio():
                return self._host(target.content, WAV_TYPE, ".wav")
            case HostedRecording():
                return f"{self._public_url}/media/{target.name}.mp3"

    def sounds(self, target: Sounds) -> str:
        """Address of a hosted document of sounds."""
        return self._host(render_sounds(target, self), SOUNDS_TYPE, ".xml") + RETRIES

    def _host(self, content: bytes, content_type: str, suffix: str) -> str:
        # Named by content: the same sound has one address, so Plivo's cache and our store keep one.
        name = unguessable(self._secret, "media", content_type, sha256(content).hexdigest())
        name += suffix
        if all(row.name != name for row in self.hosted):
            self.hosted.append(MediaRow(name, content_type, content, self._expires_at))
        return f"{self._public_url}/media/{name}"


__all__ = [
    "NOWHERE",
    "RETRIES",
    "SOUNDS_TYPE",
    "WAV_TYPE",
    "DocumentAddresses",
    "continuation_url",
    "notice_url",
    "unguessable",
]
