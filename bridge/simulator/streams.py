"""The WebSocket of a Stream: Plivo's side of it, on virtual time.

After each frame a ping is sent and its pong awaited. A server answers it once it has dealt with
the frame, so whatever it sends in reply happens at the same virtual instant.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import TYPE_CHECKING, Any, Final, Literal

import aiohttp
from yarl import URL

from bridge.plivo.signature import sign
from bridge.simulator.document import Element
from bridge.simulator.inputs import Input, Key
from bridge.simulator.leg import Method
from bridge.simulator.stream_audio import frame_of
from bridge.simulator.stream_frames import (
    BadFrame,
    Checkpoint,
    ClearAudio,
    PlayAudio,
    SendTones,
    read_frame,
)

if TYPE_CHECKING:
    from bridge.simulator.line import Line

#: Attempts to connect: "the connection is retried twice" (page "Audio streaming").
ATTEMPTS: Final = 3
#: Virtual s between two attempts; nobody documents it.
RETRY_S: Final = 1.0
#: Audio that is kept for playing, in s (the same page).
MOST_BUFFERED_S: Final = 40.0
#: Longest real s for connecting, for an application to deal with a frame, and for closing.
_CONNECT_S: Final = 10.0
_PATIENCE_S: Final = 2.0
_UNREACHABLE: Final = "Could not establish connection with the remote service"
_DISCONNECTED: Final = "Connection disconnected with the remote service"

Why = Literal["stopped", "dropped", "closed", "call over"]


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What a stream is asked to be, in the words of the Plivo XML reference; `timeout` in s."""

    url: str
    bidirectional: bool = False
    track: str = "inbound"
    timeout: float = 86_400.0
    content_type: str = "audio/x-l16;rate=8000"
    extra_headers: str = ""
    callback_url: str = ""
    callback_method: Method = "POST"

    @classmethod
    def of(cls, element: Element) -> StreamOptions:
        """Read them from the element, with its defaults."""
        return cls(
            url=element.text,
            bidirectional=element.get("bidirectional") == "true",
            track=element.get("audioTrack", "inbound"),
            timeout=element.number("streamTimeout", 86_400),
            content_type=element.get("contentType", "audio/x-l16;rate=8000"),
            extra_headers=element.get("extraHeaders"),
            callback_url=element.get("statusCallbackUrl"),
            callback_method="GET" if element.get("statusCallbackMethod") == "GET" else "POST",
        )

    @property
    def tracks(self) -> tuple[str, ...]:
        """Give the names of the tracks."""
        return ("inbound", "outbound") if self.track == "both" else (self.track,)


class Stream:
    """One stream of a line; `over` is set once nothing goes over its WebSocket any more."""

    def __init__(self, line: Line, options: StreamOptions) -> None:
        self.line = line
        self.options = options
        self.stream_id = line.leg.new_uuid()
        self.over = asyncio.Event()
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None
        self._why: Why | None = None
        self._waiting: deque[dict[str, Any]] = deque()
        self._left = asyncio.Event()
        self._stirred = asyncio.Event()
        self._dealt_with = asyncio.Event()
        self._sequence = 0
        self._chunk = 0
        self._playing_until = -inf
        self._checkpoints: list[asyncio.Event] = []

    def start(self) -> None:
        """Connect in the background and stream until it is stopped, dropped, or the call is over."""
        line = self.line
        line.plivo.pending.add(self.over)
        line.listeners.append(self._hear)
        line.when_over(lambda: self._leave("call over"))
        line.later(self.options.timeout, self.stop)
        line.plivo.spawn(self._run(), "stream")

    def stop(self) -> None:
        """Stop it on purpose, as its time-out or the REST API does."""
        self._leave("stopped")

    def _leave(self, why: Why) -> None:
        self._why = self._why or why
        self._left.set()
        self._stirred.set()
        self._dealt_with.set()

    async def _run(self) -> None:
        line = self.line
        try:
            if await self._connect():
                await self._stream()
                await self._close()
            elif self._why is None:
                self._tell("DroppedStream", _UNREACHABLE)
        finally:
            if self._reader is not None:
                self._reader.cancel()
            line.listeners.remove(self._hear)
            line.stream = None if line.stream is self else line.stream
            line.plivo.pending.discard(self.over)
            self.over.set()
            line.stir()

    async def _connect(self) -> bool:
        url, line = self.options.url, self.line
        nonce = line.leg.new_nonce()
        signature = sign("GET", url, [], nonce, line.leg.account.auth_token)
        headers = {
            "X-Plivo-Signature-V3": signature,
            "X-Plivo-Signature-Ma-V3": signature,
            "X-Plivo-Signature-V3-Nonce": nonce,
        }
        # As the reverse proxy of webhooks: a WebSocket is reached where its http URL would be.
        target = line.leg.real(f"http{url.removeprefix('ws')}")
        for attempt in range(ATTEMPTS):
            if attempt:
                await line.clock.wait(self._left, RETRY_S)
            if self._why is not None:
                return False
            try:
                with line.clock.busy():
                    async with asyncio.timeout(_CONNECT_S):
                        self._socket = await line.plivo.session.ws_connect(
                            URL(target, encoded=True),
                            headers=headers,
                            autoping=False,
                            timeout=aiohttp.ClientWSTimeout(ws_close=_PATIENCE_S),
                            max_msg_size=0,
                        )
            except (TimeoutError, aiohttp.ClientError, OSError) as error:
                self._note("connects", f"cannot connect to {url}", why=repr(error))
                continue
            self._note("connects", f"connects to {url}")
            # Not spawned: it waits for the network, not for time.
            self._reader = asyncio.get_running_loop().create_task(
                self._read(self._socket), name="simulator: stream"
            )
            return True
        return False

    async def _stream(self) -> None:
        line, every = self.line, self.line.plivo.media_every_s
        kind, _, rate = self.options.content_type.partition(";rate=")
        await self._send(
            {
                "event": "start",
                "start": {
                    "callId": line.uuid,
                    "streamId": self.stream_id,
                    "accountId": line.leg.account.auth_id,
                    "tracks": list(self.options.tracks),
                    "mediaFormat": {"encoding": kind, "sampleRate": int(rate)},
                },
                "extra_headers": self.options.extra_headers,
            }
        )
        self._tell("StartStream")
        due = line.clock.now() + every
        while self._why is None:
            if self._waiting:
                await self._send(self._waiting.popleft())
                continue
            self._stirred.clear()
            await line.clock.wait(self._stirred, due - line.clock.now())
            if line.clock.now() >= due and self._why is None:
                due += every
                for track in self.options.tracks:
                    await self._send(self._media(track))

    async def _close(self) -> None:
        """Take leave as it befits the reason; nothing is told when the call is over."""
        profile = self.line.profile
        polite = self._why in {"stopped", "call over"}
        with self.line.clock.busy():
            if polite and profile.stop_frame_sent:
                await self._send({"event": "stop", "streamId": self.stream_id})
            if self._socket is not None:
                await self._socket.close()
        self._note("ends", f"ends: {self._why}, after {self._chunk} media frames", why=self._why)
        stopped = self._why == "stopped"
        if self._why == "closed":
            stopped = not profile.closed_stream_is_dropped
        if self._why != "call over":
            event = "StopStream" if stopped else "DroppedStream"
            self._tell(event, "" if stopped else _DISCONNECTED)

    async def _send(self, frame: dict[str, Any]) -> None:
        """Send a frame and wait until the application has dealt with it."""
        socket, frame = self._socket, {"sequenceNumber": self._sequence, **frame}
        if socket is None:
            return
        self._sequence += 1
        self._dealt_with.clear()
        if frame["event"] != "media":
            self._note("sends", f"sends {frame['event']}", frame=frame)
        with self.line.clock.busy(), suppress(ConnectionError, aiohttp.ClientError, TimeoutError):
            await socket.send_str(json.dumps(frame))
            await socket.ping()
            async with asyncio.timeout(_PATIENCE_S):
                await self._dealt_with.wait()

    def _media(self, track: str) -> dict[str, Any]:
        line = self.line
        self._chunk += 1
        loud = track == "inbound" and line.clock.now() <= line.talking_until
        return {
            "event": "media",
            "streamId": self.stream_id,
            "media": {
                "track": track,
                "timestamp": str(round(1000 * line.clock.now())),
                "chunk": self._chunk,
                "payload": frame_of(self.options.content_type, loud=loud),
            },
            "extra_headers": self.options.extra_headers,
        }

    def _hear(self, event: Input) -> None:
        """Pass a key that was pressed on the call."""
        if isinstance(event, Key):
            at = str(round(1000 * self.line.clock.now()))
            key = {"digit": event.digit, "track": "inbound", "timestamp": at}
            self._queue({"event": "dtmf", "streamId": self.stream_id, "dtmf": key})

    def _queue(self, frame: dict[str, Any]) -> None:
        self._waiting.append(frame)
        self._stirred.set()

    # What the application sends.

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            match message.type:
                case aiohttp.WSMsgType.PONG:
                    self._dealt_with.set()
                case aiohttp.WSMsgType.PING:
                    await socket.pong(message.data)
                case aiohttp.WSMsgType.TEXT | aiohttp.WSMsgType.BINARY:
                    self._take(message.data)
                case _:
                    pass
        clean = socket.close_code == aiohttp.WSCloseCode.OK
        self._leave("closed" if clean else "dropped")

    def _take(self, data: str | bytes) -> None:
        line = self.line
        if line.ending is not None:
            return
        if not self.options.bidirectional:
            self._refuse('Only a stream with bidirectional="true" takes messages.', data)
            return
        try:
            frame = read_frame(data, self.stream_id)
        except BadFrame as bad:
            self._refuse(str(bad), data)
            return
        match frame:
            case PlayAudio():
                self._play(frame.seconds)
            case Checkpoint():
                self._note("hears", f"hears checkpoint {frame.name}", frame=json.loads(data))
                self._checkpoint(frame.name)
            case ClearAudio():
                self._note("hears", "hears clearAudio", frame=json.loads(data))
                self._clear()
            case SendTones():
                line.add("hears", f"the tones {frame.tones}", element="Stream", tones=frame.tones)

    def _refuse(self, why: str, data: str | bytes) -> None:
        shown = data if isinstance(data, str) else repr(data)
        self.line.problem(f"Stream: {why}", shown[:500])

    def _play(self, seconds: float) -> None:
        line, now = self.line, self.line.clock.now()
        buffered = max(0.0, self._playing_until - now)
        if buffered + seconds > MOST_BUFFERED_S:
            line.problem(
                f"Stream: playAudio overflows the buffer of {MOST_BUFFERED_S:g} s: "
                f"{buffered:g} s of audio are waiting."
            )
            return
        if not buffered:
            line.add("hears", "audio of the stream", element="Stream")
        self._playing_until = now + buffered + seconds

    def _checkpoint(self, name: str) -> None:
        def played() -> None:
            self._queue({"event": "playedStream", "streamId": self.stream_id, "name": name})
            self._tell("PlayedStream", name=name)

        left = max(0.0, self._playing_until - self.line.clock.now())
        self._checkpoints.append(self.line.later(left, played))

    def _clear(self) -> None:
        for timer in self._checkpoints:
            timer.set()
        self._checkpoints.clear()
        self._playing_until = -inf
        self._queue({"event": "clearedAudio", "streamId": self.stream_id})
        self._tell("ClearedAudio")

    def _tell(self, event: str, error: str = "", *, name: str = "") -> None:
        options, now = self.options, self.line.clock.now()
        form = {
            "Event": event,
            "Error": error,
            "ServiceURL": options.url,
            "ExtraHeaders": options.extra_headers,
            "StreamID": self.stream_id,
            "Timestamp": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
            **({"Name": name} if name else {}),
        }
        self.line.tell(event, options.callback_url, form, method=options.callback_method)

    def _note(self, action: str, text: str, **data: Any) -> None:
        self.line.add("streams", text, action=action, stream_id=self.stream_id, **data)


__all__ = ["ATTEMPTS", "MOST_BUFFERED_S", "RETRY_S", "Stream", "StreamOptions"]
