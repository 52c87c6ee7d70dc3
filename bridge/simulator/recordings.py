"""Recordings of the simulated account, and the host that serves their files.

A file can be fetched by its URL alone from `Recording.ready_at` on, with the account's credentials
where the profile demands them (page "Recordings"). It holds silence of the right length.
"""

from __future__ import annotations

import base64
import hmac
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from bridge.simulator.platform import Plivo

PATH: Final = "/v1/Account/{auth_id}/Recording/{name}"
TYPES: Final = {"mp3": "audio/mpeg", "wav": "audio/wav"}
RATE_HZ: Final = 8000
_CHUNK: Final = bytes(65_536)
#: A silent frame of MPEG 1 layer III, 32 kbit/s, 44.1 kHz, mono: header, then nothing but zeros.
_FRAME: Final = b"\xff\xfb\x10\xc4" + bytes(100)
_FRAME_S: Final = 1152 / 44_100


@dataclass(slots=True)
class Recording:
    """A recording of the account: its file can be fetched from `ready_at` on.

    `began` is wall time in s, `seconds` its length; less than 0 = it still runs.
    """

    recording_id: str
    url: str
    file_format: str
    call_uuid: str
    began: float
    seconds: float = -1.0
    ready_at: float = 0.0
    conference_name: str = ""
    channels: int = 2

    def is_ready(self, now: float) -> bool:
        """Say whether its file can be fetched."""
        return self.seconds >= 0 and now >= self.ready_at


def recording_url(plivo: Plivo, recording_id: str, file_format: str) -> str:
    """Give the URL of a recording's file."""
    path = PATH.format(auth_id=plivo.account.auth_id, name=f"{recording_id}.{file_format}")
    return f"{plivo.media_url}{path}"


def recording_routes(plivo: Plivo) -> list[web.RouteDef]:
    """Give the routes that serve the files, for a server that has others as well.

    404 = there is no such recording or its file is not ready; 401 = the profile wants credentials.
    """

    async def serve(request: web.Request) -> web.StreamResponse:
        known = plivo.recordings.get(request.match_info["name"].partition(".")[0])
        if plivo.profile.recordings_need_login and not _may(plivo, request):
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": 'Basic realm="Plivo"'})
        ours = request.match_info["auth_id"] == plivo.account.auth_id
        if known is None or not ours or not known.is_ready(plivo.clock.now()):
            raise web.HTTPNotFound
        return await _send(request, known)

    return [web.get(PATH, serve)]


def _may(plivo: Plivo, request: web.Request) -> bool:
    login = f"{plivo.account.auth_id}:{plivo.account.auth_token}"
    wanted = f"Basic {base64.b64encode(login.encode()).decode()}"
    return hmac.compare_digest(wanted, request.headers.get("Authorization", ""))


async def _send(request: web.Request, recording: Recording) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_type = TYPES[recording.file_format]
    frames = round(recording.seconds / _FRAME_S)
    samples = round(recording.seconds * RATE_HZ)
    if recording.file_format == "mp3":
        head, silence = _FRAME * frames, 0
    else:
        head = _wav_header(samples, recording.channels)
        silence = samples * recording.channels * 2
    response.content_length = len(head) + silence
    await response.prepare(request)
    await response.write(head)
    while silence > 0:
        await response.write(_CHUNK[:silence])
        silence -= len(_CHUNK)
    await response.write_eof()
    return response


def _wav_header(samples: int, channels: int) -> bytes:
    width = 2 * channels
    # A WAV file says its size in 32 bits; hours of stereo still fit, a day of it does not.
    size = min(samples * width, 0xFFFF_FFFF - 36)
    form = (1, channels, RATE_HZ, RATE_HZ * width, width, 16)
    return b"".join(
        (
            struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE"),
            struct.pack("<4sIHHIIHH", b"fmt ", 16, *form),
            struct.pack("<4sI", b"data", size),
        )
    )


__all__ = [
    "PATH",
    "Recording",
    "recording_routes",
    "recording_url",
]
