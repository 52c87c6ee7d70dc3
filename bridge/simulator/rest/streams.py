"""Audio streams of live calls, as REST starts, lists and stops them (page "Audio streaming")."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, Final

from bridge.simulator.rest.asked import Asked, Refused, Reply, Route
from bridge.simulator.rest.paging import page, written_time
from bridge.simulator.streams import Stream, StreamOptions

if TYPE_CHECKING:
    from bridge.simulator.line import Line

_TRACKS: Final = ("inbound", "outbound", "both")
_TYPES: Final = (
    "audio/x-l16;rate=8000",
    "audio/x-l16;rate=16000",
    "audio/x-mulaw;rate=8000",
)
_LONGEST_S: Final = 86_400


@dataclass(slots=True)
class Known:
    """A stream that was seen; times are wall time in s."""

    stream: Stream
    began: float
    ended: float | None = None


@dataclass(slots=True)
class Streams:
    """Every stream REST has begun or seen, by id."""

    known: dict[str, Known] = field(default_factory=dict)

    def of(self, line: Line) -> list[Known]:
        """Give those of one call; one that its document began is there while it lasts."""
        if line.stream is not None and line.stream.stream_id not in self.known:
            self.add(line.stream)
        return [known for known in self.known.values() if known.stream.line is line]

    def add(self, stream: Stream) -> None:
        """Take one into the books, until it is over."""
        clock = stream.line.clock
        known = self.known[stream.stream_id] = Known(stream, clock.now())

        async def until_over() -> None:
            await clock.wait(stream.over, inf)
            known.ended = clock.now()

        stream.line.plivo.spawn(until_over(), "end of a stream")


def start(asked: Asked) -> Reply:
    """Start one; a call has one at a time."""
    line = asked.line()
    url = asked.required_url("service_url", ("wss", "ws"))
    track = asked.one_of("audio_track", asked.text("audio_track", "inbound"), _TRACKS)
    both_ways = asked.flag("bidirectional")
    if both_ways and track != "inbound":
        asked.bad("audio_track", "must be inbound when bidirectional is true")
    options = StreamOptions(
        url,
        both_ways,
        track,
        float(asked.whole("stream_timeout", _LONGEST_S, 1, _LONGEST_S)),
        asked.choice("content_type", _TYPES),
        asked.text("extra_headers"),
        asked.url("status_callback_url"),
        asked.http_method("status_callback_method"),
    )
    if line.stream is not None:
        raise Refused(400, "the call is already being streamed")
    line.stream = Stream(line, options)
    line.stream.start()
    asked.api.streams.add(line.stream)
    told = {"message": "audio streaming started", "stream_id": line.stream.stream_id}
    return Reply(202, told)


def everything(asked: Asked) -> Reply:
    """List those of a call."""
    line = asked.line()
    return page(asked, f"Call/{line.uuid}/Stream", list(map(_shown, asked.api.streams.of(line))))


def get(asked: Asked) -> Reply:
    """Give one."""
    return Reply(200, _shown(_found(asked)))


def stop(asked: Asked) -> Reply:
    """Stop one."""
    _found(asked).stream.stop()
    return Reply(204)


def stop_all(asked: Asked) -> Reply:
    """Stop those of a call."""
    for known in asked.api.streams.of(asked.line()):
        known.stream.stop()
    return Reply(204)


def _found(asked: Asked) -> Known:
    for known in asked.api.streams.of(asked.line()):
        if known.stream.stream_id == asked.ids["stream_id"]:
            return known
    raise Refused(404, "stream not found")


def _shown(known: Known) -> dict[str, Any]:
    options = known.stream.options
    return {
        "call_uuid": known.stream.line.uuid,
        "end_time": None if known.ended is None else written_time(known.ended),
        "service_url": options.url,
        "start_time": written_time(known.began),
        "status": "initiated" if known.ended is None else "stopped",
        "status_callback_url": options.callback_url,
        "stream_id": known.stream.stream_id,
    }


ROUTES: Final[tuple[Route, ...]] = (
    Route("POST", "Call/{call_uuid}/Stream/", start),
    Route("GET", "Call/{call_uuid}/Stream/", everything),
    Route("DELETE", "Call/{call_uuid}/Stream/", stop_all),
    Route("GET", "Call/{call_uuid}/Stream/{stream_id}/", get),
    Route("DELETE", "Call/{call_uuid}/Stream/{stream_id}/", stop),
)

__all__ = ["ROUTES", "Known", "Streams"]
