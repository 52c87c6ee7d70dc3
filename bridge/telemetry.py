"""Configure logs: one JSON line per event on standard output, or a readable line on a terminal.

A log line lies on the path of every webhook, so the chain is short: level filter before anything
else, bound context, level, time, traceback, redaction, bytes.
Event names are dotted (`webhook.answered`); everything else is a field.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from select import PIPE_BUF
from time import time_ns
from typing import Any, BinaryIO, Final, Literal

import structlog
from pydantic_core import PydanticSerializationError, to_json

from bridge.redaction import any_rule_alone, may_need_masks, redact_event

__all__ = ["LogFormat", "LogLevel", "configure_logging", "log_line"]

LogFormat = Literal["auto", "json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]

_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
#: Where aiohttp keeps the errors of clients that speak no HTTP.
_MALFORMED_HTTP: Final = "aiohttp.http_exceptions"
#: How long a line may wait for others, in s: longer than the rest of a turn alone on the machine, so
#: that no caller waits for its lines.
DELAY_S = 0.002
_EventDict = MutableMapping[str, Any]
#: A finished line, or what makes it.
_Line = bytes | Callable[[], bytes]


class _ByteSink:
    """Write finished lines; a log that cannot be written must not end a call.

    Inside a running loop, lines below warning are gathered for `DELAY_S`, made and written together:
    a write gives up the interpreter's lock, which costs more than all the rest of a line.
    Where other processes write to the same pipe, it takes no more than `PIPE_BUF` bytes in one piece.
    """

    __slots__ = ("_flush", "_lines", "_write")

    def __init__(self, stream: BinaryIO) -> None:
        self._write = stream.write
        self._flush = stream.flush
        self._lines: list[_Line] = []
        atexit.register(self.flush)

    def info(self, line: _Line) -> None:
        """Write a line soon, or at once where no loop runs."""
        self._lines.append(line)
        if len(self._lines) > 1:
            return
        try:
            # A timer takes as long as all the rest here: it can wait until the answer is written.
            asyncio.get_running_loop().call_soon(self._gather)
        except RuntimeError:
            self.flush()

    def _gather(self) -> None:
        asyncio.get_running_loop().call_later(DELAY_S, self.flush)

    debug = info

    def error(self, line: bytes) -> None:
        """Write a line at once, after those that wait."""
        self._lines.append(line)
        self.flush()

    warning = critical = exception = msg = error

    def flush(self) -> None:
        """Write what waits."""
        if not self._lines:
            return
        waiting, self._lines = self._lines, []
        lines = [line if isinstance(line, bytes) else line() for line in waiting]
        # ValueError: the stream was closed under us while the process ends.
        with suppress(OSError, ValueError):
            # One write: lines of several threads do not mix.
            for piece in _pieces(lines):
                self._write(piece)
                self._flush()


def _pieces(lines: list[bytes]) -> Iterator[bytes]:
    """Join lines to pieces that a pipe takes whole; a line that is longer is a piece of its own."""
    text = b"\n".join([*lines, b""])
    begin = 0
    while len(text) - begin > PIPE_BUF:
        end = text.rfind(b"\n", begin, begin + PIPE_BUF) + 1 or text.index(b"\n", begin) + 1
        yield text[begin:end]
        begin = end
    yield text[begin:] if begin else text


class _ForeignHandler(logging.Handler):
    """Pass records of libraries on, as events of the same shape and with the same redaction."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            message = str(record.msg)
        level = max(logging.DEBUG, min(record.levelno // 10 * 10, logging.CRITICAL))
        exc_info = record.exc_info
        if exc_info and getattr(exc_info[0], "__module__", "") == _MALFORMED_HTTP:
            # Strangers send this by the thousand: no line unless asked for, and never a traceback.
            level, exc_info = logging.DEBUG, None
        structlog.get_logger().log(
            level, "log.library", source=record.name, message=message, exc_info=exc_info
        )


@dataclass(frozen=True, slots=True)
class _ShortWay:
    """What `log_line` needs of a configuration: the chain it stands for, and how that chain ends."""

    chain: list[structlog.typing.Processor]
    render: Callable[[_EventDict], bytes]
    write: Callable[[_Line], None]
    enabled: bool


_short_way: _ShortWay | None = None


def log_line(event: str, fields: dict[str, Any]) -> None:
    """Log at level info what `structlog.get_logger().info(event, **fields)` would, at half the cost.

    For the lines every webhook writes, which become text after it was answered. Takes `fields` over:
    they are changed, and nothing in them may change afterwards.
    """
    short = _short_way
    if (
        short is None
        or structlog.get_config()["processors"] is not short.chain
        # Tests that capture what is logged put their own processor into the same list.
        or len(short.chain) == 1
    ):
        structlog.get_logger().info(event, **fields)
    elif short.enabled:
        fields["event"] = event
        short.write(partial(_canonical_line, short.render, fields, time_ns()))


def _canonical_line(
    render: Callable[[_EventDict], bytes], fields: dict[str, Any], at_ns: int
) -> bytes:
    """Make a line of level info; `at_ns` is when it was logged, in ns since the epoch."""
    if render is _to_json and (line := _innocent_line(fields, at_ns)) is not None:
        return line
    redact_event(None, "info", fields)
    fields["level"] = "info"
    fields["timestamp"] = _timestamp(at_ns)
    return render(fields)


def _innocent_line(fields: dict[str, Any], at_ns: int) -> bytes | None:
    """Give a line as JSON if nothing in it needs a mask, which its text shows; else None."""
    if not any_rule_alone(tuple(fields)):
        return None
    try:
        text = to_json(fields)
    except (PydanticSerializationError, ValueError):
        return None
    if may_need_masks(text):
        return None
    seconds, rest = divmod(at_ns, 1_000_000_000)
    now = (text[:-1], _second_bytes(seconds), rest // 1_000_000)
    return b'%b,"level":"info","timestamp":"%b.%03d+00:00"}' % now


def configure_logging(
    log_format: LogFormat = "auto",
    log_level: LogLevel = "info",
    *,
    stream: BinaryIO | None = None,
    always: Mapping[str, Any] | None = None,
) -> None:
    """Set up structlog and the standard library's root logger; the last call counts.

    `auto` means console when `stream` (standard output by default) is a terminal; `always` are
    fields that every line has. Call it once, before the first line is logged: loggers keep the
    configuration they first see.
    """
    output = sys.stdout.buffer if stream is None else stream
    console = log_format == "console" or (log_format == "auto" and output.isatty())
    level = _LEVELS[log_level]
    sink = _ByteSink(output)
    coloured = output.isatty() and not os.environ.get("NO_COLOR")
    render = _console_renderer(colours=coloured) if console else _to_json
    if always:
        render = _adding(always, render)
    chain: list[structlog.typing.Processor] = [
        structlog.processors.format_exc_info,
        redact_event,
        # What needs no mask is added after it.
        structlog.processors.add_log_level,
        _add_time,
        lambda _logger, _method, event_dict: render(event_dict),
    ]
    global _short_way  # noqa: PLW0603 - as structlog's own configuration, one per process
    _short_way = _ShortWay(chain, render, sink.info, level <= logging.INFO)
    structlog.configure(
        processors=chain,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        context_class=dict,
        logger_factory=lambda *_args: sink,
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, _ForeignHandler):
            root.removeHandler(handler)
    root.addHandler(_ForeignHandler())
    # Libraries report every connection at info; only what needs attention is of interest.
    root.setLevel(max(level, logging.WARNING))


def _add_time(_logger: Any, _method: str, event_dict: _EventDict) -> _EventDict:
    event_dict["timestamp"] = _timestamp(time_ns())
    return event_dict


def _timestamp(at_ns: int) -> str:
    seconds, rest = divmod(at_ns, 1_000_000_000)
    return f"{_second(seconds)}.{rest // 1_000_000:03d}+00:00"


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=4)
def _second_bytes(seconds: int) -> bytes:
    return _second(seconds).encode()


def _console_renderer(*, colours: bool) -> Callable[[_EventDict], bytes]:
    renderer = structlog.dev.ConsoleRenderer(colors=colours)
    return lambda event_dict: str(renderer(None, "", event_dict)).encode("utf-8", "replace")


def _adding(
    fields: Mapping[str, Any], render: Callable[[_EventDict], bytes]
) -> Callable[[_EventDict], bytes]:
    return lambda event_dict: render({**event_dict, **fields})


def _to_json(event_dict: _EventDict) -> bytes:
    try:
        return to_json(event_dict)
    except (PydanticSerializationError, ValueError):
        # A lone surrogate from outside, for example: the line must still be written.
        return to_json({key: _plain(value) for key, value in event_dict.items()})


def _plain(value: Any) -> str:
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")
