"""Audio streams of live calls, as REST starts, lists and stops them (page "Audio streaming").

Only the books are kept: nobody connects to service_url, so a stream stays `initiated`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from bridge.simulator.rest.asked import Asked, Refused, Reply, Route
from bridge.simulator.rest.paging import page, written_time

_TRACKS: Final = ("inbound", "outbound", "both")
_TYPES: Final = (
    "audio/x-l16;rate=8000",
    "audio/x-l16;rate=16000",
    "audio/x-mulaw;rate=8000",
)


@dataclass(slots=True)
class Stream:
    """One stream; times are wall time in s."""

    stream_id: str
    call_uuid: str
    service_url: str
    status_callback_url: str
    began: float
    ended: float | None = None


@dataclass(slots=True)
class Streams:
    """Every stream there was, by id."""

    known: dict[str, Stream] = field(default_factory=dict)

    def of(self, call_uuid: str) -> list[Stream]:
        """Give those of one call."""
        return [stream for stream in self.known.values() if stream.call_uuid == call_uuid]


def start(asked: Asked) -> Reply:
    """Start one; a second one to the same URL is refused."""
    line, streams = asked.line(), asked.api.streams
    url = asked.required_url("service_url", ("wss", "ws"))
    asked.one_of("audio_track", asked.text("audio_track", "inbound"), _TRACKS)
    if asked.flag("bidirectional") and asked.text("audio_track", "inbound") != "inbound":
        asked.bad("audio_track", "must be inbound when bidirectional is true")
    asked.choice("content_type", _TYPES)
    asked.whole("stream_timeout", 86_400, 1, 86_400)
    asked.http_method("status_callback_method")
    if any(one.service_url == url and one.ended is None for one in streams.of(line.uuid)):
        raise Refused(400, f"the call is already being streamed to {url}")
    stream = Stream(
        asked.api.new_id(),
        line.uuid,
        url,
        asked.url("status_callback_url"),
        asked.api.plivo.clock.now(),
    )
    streams.known[stream.stream_id] = stream
    told = {"message": "audio streaming started", "stream_id": stream.stream_id}
    return Reply(202, told)


def everything(asked: Asked) -> Reply:
    """List those of a call."""
    uuid = asked.line().uuid
    return page(asked, f"Call/{uuid}/Stream", list(map(_shown, asked.api.streams.of(uuid))))


def get(asked: Asked) -> Reply:
    """Give one."""
    return Reply(200, _shown(_found(asked)))


def stop(asked: Asked) -> Reply:
    """Stop one."""
    _found(asked).ended = asked.api.plivo.clock.now()
    return Reply(204)


def stop_all(asked: Asked) -> Reply:
    """Stop those of a call."""
    for stream in asked.api.streams.of(asked.line().uuid):
        stream.ended = stream.ended or asked.api.plivo.clock.now()
    return Reply(204)


def _found(asked: Asked) -> Stream:
    stream = asked.api.streams.known.get(asked.ids["stream_id"])
    if stream is None or stream.call_uuid != asked.line().uuid:
        raise Refused(404, "stream not found")
    return stream


def _shown(stream: Stream) -> dict[str, Any]:
    return {
        "call_uuid": stream.call_uuid,
        "end_time": None if stream.ended is None else written_time(stream.ended),
        "service_url": stream.service_url,
        "start_time": written_time(stream.began),
        "status": "initiated" if stream.ended is None else "stopped",
        "status_callback_url": stream.status_callback_url,
        "stream_id": stream.stream_id,
    }


ROUTES: Final[tuple[Route, ...]] = (
    Route("POST", "Call/{call_uuid}/Stream/", start),
    Route("GET", "Call/{call_uuid}/Stream/", everything),
    Route("DELETE", "Call/{call_uuid}/Stream/", stop_all),
    Route("GET", "Call/{call_uuid}/Stream/{stream_id}/", get),
    Route("DELETE", "Call/{call_uuid}/Stream/{stream_id}/", stop),
)

__all__ = ["ROUTES", "Stream", "Streams"]
