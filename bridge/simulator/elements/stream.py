"""Stream: the audio of the call over a WebSocket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.simulator.document import Element
from bridge.simulator.streams import Stream, StreamOptions

if TYPE_CHECKING:
    from bridge.simulator.line import Line


async def stream(line: Line, element: Element) -> None:
    """Begin to stream; the next element runs at once, with keepCallAlive="true" after the stream.

    A call has one stream at a time (page "Audio streaming"): another one is a problem, and skipped.
    """
    if line.stream is not None:
        line.problem("Stream: the call has a stream already")
        return
    line.stream = Stream(line, StreamOptions.of(element))
    line.stream.start()
    if element.get("keepCallAlive") == "true":
        with line.listens("Stream", "keys", "speech"):
            await line.until(line.stream.over)
        # The application heard all of it.
        line.forget_heard()


__all__ = ["stream"]
