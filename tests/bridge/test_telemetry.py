from __future__ import annotations

import asyncio
import io
import json
import logging
import re
from collections.abc import Iterator
from select import PIPE_BUF
from typing import Any

import pytest
import structlog
from aiohttp.http_exceptions import BadStatusLine
from structlog.testing import capture_logs

from bridge.telemetry import _ForeignHandler, configure_logging, log_line


class Stream(io.BytesIO):
    """A byte stream that may claim to be a terminal, or break."""

    def __init__(self, *, terminal: bool = False) -> None:
        super().__init__()
        self.terminal = terminal
        self.error: OSError | None = None
        self.flushed: asyncio.Event | None = None

    def isatty(self) -> bool:
        """Tell whether somebody watches."""
        return self.terminal

    def flush(self) -> None:
        """Break when told to, otherwise tell who waits."""
        if self.error is not None:
            raise self.error
        if self.flushed is not None:
            self.flushed.set()

    def lines(self) -> list[str]:
        """Give what was written, by line."""
        return self.getvalue().decode().splitlines()

    def events(self) -> list[dict[str, Any]]:
        """Give what was written, parsed as JSON."""
        return [json.loads(line) for line in self.lines()]


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    """Leave the process-wide configuration as it was."""
    root = logging.getLogger()
    level = root.level
    yield
    structlog.reset_defaults()
    root.setLevel(level)
    for handler in root.handlers[:]:
        if isinstance(handler, _ForeignHandler):
            root.removeHandler(handler)


@pytest.fixture
def stream() -> Stream:
    """Give a stream that is not a terminal."""
    return Stream()


def test_a_line_is_one_json_object(stream: Stream) -> None:
    """Elsewhere than on a terminal an event is one line of JSON with level and UTC time."""
    configure_logging(stream=stream)

    structlog.get_logger().info("webhook.answered", app="SHOP", ms=3.5, text="é\n")

    (event,) = stream.events()
    assert event.pop("timestamp").endswith("+00:00")
    assert {
        "event": "webhook.answered",
        "level": "info",
        "app": "SHOP",
        "ms": 3.5,
        "text": "é\n",
    } == event


@pytest.mark.parametrize(
    ("log_format", "terminal", "is_json"),
    [("auto", True, False), ("auto", False, True), ("json", True, True), ("console", False, False)],
)
def test_format_follows_the_terminal(log_format: Any, terminal: bool, is_json: bool) -> None:
    """`auto` is console on a terminal and JSON elsewhere; the others are what they say."""
    stream = Stream(terminal=terminal)
    configure_logging(log_format, stream=stream)

    structlog.get_logger().info("bridge.started", port=8080)

    (line,) = stream.lines()
    assert is_json == line.startswith("{")
    assert "bridge.started" in line
    assert "8080" in line


@pytest.mark.parametrize(
    ("terminal", "no_color", "coloured"), [(True, "", True), (True, "1", False), (False, "", False)]
)
def test_colours_are_for_terminals(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, no_color: str, coloured: bool
) -> None:
    """A log that goes to a file has no escape sequences, nor one where NO_COLOR is set."""
    monkeypatch.setenv("NO_COLOR", no_color)
    stream = Stream(terminal=terminal)
    configure_logging("console", stream=stream)

    structlog.get_logger().info("bridge.started")

    assert coloured == any("\x1b[" in line for line in stream.lines())


def test_level_filters(stream: Stream) -> None:
    """Events below the level are not written."""
    configure_logging("json", "warning", stream=stream)
    log = structlog.get_logger()

    log.debug("a.b")
    log.info("a.b")
    log.warning("a.c")
    log.error("a.d")

    assert ["a.c", "a.d"] == [event["event"] for event in stream.events()]


async def test_lines_of_a_running_loop_are_written_together(stream: Stream) -> None:
    """Inside a loop lines wait a moment, keep their order, and are then written at once."""
    configure_logging("json", stream=stream)
    log = structlog.get_logger()

    log.info("a.first")
    log.info("a.second")
    assert [] == stream.events()
    stream.flushed = asyncio.Event()
    async with asyncio.timeout(10):
        await stream.flushed.wait()

    assert ["a.first", "a.second"] == [event["event"] for event in stream.events()]


class _Spelt:
    """A value that counts how often it was made text of."""

    times = 0

    def __str__(self) -> str:
        self.times += 1
        return "value"


async def test_canonical_lines_become_text_later(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for their spelling; they tell the moment they were logged, and keep their place."""
    configure_logging("json", stream=stream)
    value = _Spelt()
    monkeypatch.setattr("bridge.telemetry.time_ns", lambda: 1_700_000_000_123_000_000)
    log_line("a.first", {"value": value})
    monkeypatch.setattr("bridge.telemetry.time_ns", lambda: 1_700_000_007_000_000_000)
    before = value.times
    structlog.get_logger().error("a.second")

    assert (0, 1) == (before, value.times)
    assert [
        ("a.first", "2023-11-14T22:13:20.123+00:00"),
        ("a.second", "2023-11-14T22:13:27.000+00:00"),
    ] == [(event["event"], event["timestamp"]) for event in stream.events()]


async def test_pieces_that_a_pipe_takes_whole(stream: Stream) -> None:
    """Lines of processes that share a pipe do not mix: no piece of several lines is too long for it."""
    pieces: list[bytes] = []
    stream.write = pieces.append  # type: ignore[assignment,method-assign]
    configure_logging("json", stream=stream)
    log = structlog.get_logger()

    for step in range(100):
        log.info("a.b", step=step, text="x" * step * 10)
    log.info("a.long", text="x" * PIPE_BUF)
    log.warning("a.last")

    assert all(piece.endswith(b"\n") for piece in pieces)
    assert all(len(piece) <= PIPE_BUF for piece in pieces if b"a.long" not in piece)
    assert len(pieces) < 40
    events = [json.loads(line) for line in b"".join(pieces).splitlines()]
    assert [*range(100), None, None] == [event.get("step") for event in events]
    assert [b"a.long" in piece for piece in pieces] == [False] * (len(pieces) - 2) + [True, False]


def test_fields_of_every_line(stream: Stream) -> None:
    """What is always told is part of each line, on the long way and on the short one."""
    configure_logging("json", stream=stream, always={"worker": 2})

    structlog.get_logger().warning("a.b")
    log_line("a.c", {"call": 7})

    assert [2, 2] == [event["worker"] for event in stream.events()]


@pytest.mark.parametrize("level", ["warning", "error"])
async def test_what_needs_attention_is_written_at_once(stream: Stream, level: str) -> None:
    """A warning waits for nothing and takes the lines before it along."""
    configure_logging("json", stream=stream)
    log = structlog.get_logger()

    log.info("a.first")
    getattr(log, level)("a.second")

    assert ["a.first", "a.second"] == [event["event"] for event in stream.events()]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_nothing_sensitive_is_written(stream: Stream, log_format: Any) -> None:
    """Fields, free text and tracebacks are redacted in both formats."""
    configure_logging(log_format, stream=stream)

    try:
        int("+33612345678 is not an int")
    except ValueError:
        structlog.get_logger().exception(
            "call.failed", digits="98537", password="hunter2", note="33612345678"
        )

    text = stream.getvalue().decode()
    assert "ValueError: invalid literal" in text
    assert "+336*****78 is not an int" in text
    assert "<5 digits>" in text
    assert [] == [s for s in ("612345", "98537", "hunter2") if s in text]


def test_values_json_cannot_hold_are_still_logged(stream: Stream) -> None:
    """A lone surrogate or an infinite number does not lose the line."""
    configure_logging("json", stream=stream)
    log = structlog.get_logger()

    log.info("a.b", text="\ud800", count=3)
    log.info("a.c", ratio=float("inf"))

    first, second = stream.events()
    assert ("a.b", "\\ud800", "3") == (first["event"], first["text"], first["count"])
    assert "a.c" == second["event"]


def test_broken_output_does_not_raise(stream: Stream) -> None:
    """A closed pipe or a full disk behind the log does not fail the webhook."""
    configure_logging("json", stream=stream)
    log = structlog.get_logger()
    stream.error = BrokenPipeError("gone")

    log.info("a.b")
    stream.close()
    log.info("a.c")

    assert stream.closed


def test_libraries_log_in_the_same_shape(stream: Stream) -> None:
    """A record of the standard library becomes an event, redacted, with its traceback."""
    configure_logging("json", stream=stream)

    try:
        int("x+33612345679")
    except ValueError:
        logging.getLogger("aiohttp.server").exception("Error for %s", "+33612345678")

    (event,) = stream.events()
    assert ("log.library", "error", "aiohttp.server") == (
        event["event"],
        event["level"],
        event["source"],
    )
    assert "Error for +336*****78" == event["message"]
    assert "'x+336*****79'" in event["exception"]


def test_chatter_of_libraries_is_dropped(stream: Stream) -> None:
    """Records below warning are dropped even when the bridge itself logs at debug."""
    configure_logging("json", "debug", stream=stream)

    logging.getLogger("asyncio").info("x")
    logging.getLogger("asyncio").debug("x")

    assert [] == stream.events()


def test_wrong_record_of_a_library_is_kept(stream: Stream) -> None:
    """A record whose arguments do not fit its text is logged as its text; odd levels fit in."""
    configure_logging("json", stream=stream)
    record = logging.LogRecord("x", 35, __file__, 1, "%d apples", ("many",), None)

    _ForeignHandler().handle(record)

    (event,) = stream.events()
    assert ("warning", "%d apples") == (event["level"], event["message"])


def test_the_last_configuration_counts(stream: Stream) -> None:
    """Configuring twice does not write lines of libraries twice."""
    configure_logging("json", stream=Stream())
    configure_logging("json", stream=stream)

    logging.getLogger("x").warning("once")

    assert 1 == len(stream.events())


def test_standard_output_is_the_default(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Without a stream the lines go to standard output."""
    configure_logging("json")

    structlog.get_logger().info("a.b")

    assert b'"event":"a.b"' in capfdbinary.readouterr().out


def test_malformed_requests_do_not_flood_the_log(stream: Stream) -> None:
    """What strangers send to a public port as HTTP leaves no traceback, and no line at all at info."""
    configure_logging("json", stream=stream)

    rubbish = BadStatusLine("rubbish")
    logging.getLogger("aiohttp.server").error("Error handling request", exc_info=rubbish)
    logging.getLogger("aiohttp.server").error("Unhandled exception")

    assert ["Unhandled exception"] == [event["message"] for event in stream.events()]


#: Fields of canonical lines, and what must not be shown or cannot be written.
LINES: list[dict[str, Any]] = [
    {},
    {"call": 7, "app": "SHOP", "again": False, "ms": 1.5, "result": "TIMEOUT", "kind": None},
    {"uuid": "cd613e30-d8f1-4adf-91b7-584a2265b1f5", "status": 200, "outcome": "document"},
    {
        "note": "from +33612345678 at http://me:secret@host/",
        "digits": "98537",
        "number": 33612345678,
    },
    {
        "password": "hunter2",
        "deep": {"token": "t", "list": [1, "33612345678"]},
        "raw": b"+33612345678",
    },
    {"path": "/plivo/%2B33612345678/answer", "id": 1234567890123},
    {"caller": "", "text": 'é\n\u0007"\\', "near": "123456789", "uuid": "4adf-1234567890-x"},
    {"text": "call 33612345678 now"},
    {"text": "0033612345678", "x": "a@b", "list": [], "empty": {}},
    {"text": "\ud800", "ratio": float("inf"), "odd": object},
]


@pytest.mark.parametrize("fields", LINES)
@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_canonical_line_is_any_line(log_format: Any, fields: dict[str, Any]) -> None:
    """The short way writes what the long way does: the same fields in order, masks and format."""
    long_way, short_way = Stream(), Stream()
    configure_logging(log_format, stream=long_way)
    structlog.get_logger().info("a.b", **fields)
    configure_logging(log_format, stream=short_way)
    log_line("a.b", dict(fields))

    time = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+\+00:00")
    expected, found = (time.sub("TIME", "\n".join(s.lines())) for s in (long_way, short_way))
    assert "TIME" in expected
    assert expected == found


@pytest.mark.parametrize("level", ["warning", "error"])
def test_canonical_lines_obey_the_level(stream: Stream, level: Any) -> None:
    """They are of level info."""
    configure_logging("json", level, stream=stream)
    log_line("a.b", {"x": 1})

    assert b"" == stream.getvalue()


def test_canonical_lines_are_captured_in_tests(stream: Stream) -> None:
    """Capturing sees them, configured or not, and the stream gets none of them meanwhile."""
    with capture_logs() as before:
        log_line("a.b", {"x": 1})
    configure_logging("json", stream=stream)
    with capture_logs() as after:
        log_line("a.b", {"x": 1})
    log_line("a.c", {})

    expected = [{"x": 1, "event": "a.b", "log_level": "info"}]
    assert (expected, expected) == (before, after)
    assert ["a.c"] == [event["event"] for event in stream.events()]


def test_canonical_lines_follow_another_configuration(stream: Stream) -> None:
    """Who configures structlog anew gets them."""
    configure_logging("json", stream=stream)
    seen = []

    def see(_logger: Any, _method: str, event: Any) -> Any:
        seen.append(dict(event))
        raise structlog.DropEvent

    structlog.configure(processors=[see])
    log_line("a.b", {"x": 1})

    assert [{"x": 1, "event": "a.b"}] == seen
    assert b"" == stream.getvalue()
