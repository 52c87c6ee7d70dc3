"""An error says what Plivo said and what is known, and nothing secret."""

from __future__ import annotations

import pytest

from bridge.errors import BridgeError
from bridge.plivo.rest_errors import (
    PlivoNotFound,
    PlivoRefused,
    PlivoRestError,
    PlivoThrottled,
    PlivoTimeout,
    PlivoUnavailable,
    failed,
)


@pytest.mark.parametrize(
    ("status", "kind", "maybe_done"),
    [
        (302, PlivoRefused, False),
        (400, PlivoRefused, False),
        (401, PlivoRefused, False),
        (404, PlivoNotFound, False),
        (429, PlivoThrottled, False),
        (500, PlivoUnavailable, True),
        (503, PlivoUnavailable, True),
    ],
)
def test_a_status_decides_what_is_known(
    status: int,
    kind: type[PlivoRestError],
    maybe_done: bool,
) -> None:
    """A refusal did nothing; a server error may have done everything."""
    error = failed("hang up call u1", status, b"")
    assert type(error) is kind
    assert error.status == status
    assert error.maybe_done is maybe_done


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b'{"api_id": "1", "error": "call not found"}', "call not found"),
        (b'{"error": {"to": ["bad"]}}', '{"to":["bad"]}'),
        (b'{"error": "", "message": "try later"}', "try later"),
        (b'{"detail": 1}', '{"detail":1}'),
        (b'"just text"', "just text"),
        (b"[1, null]", "[1,null]"),
        (b"<html>\r\n <h1>502</h1>\x00\x1b[31m</html>", "<html> <h1>502</h1> [31m</html>"),
        (b"\xff\xfe oops", "\ufffd\ufffd oops"),
        (b"[" * 100_000, "[" * 200),
        (b"", ""),
        (b"x" * 5000, "x" * 200),
    ],
)
def test_the_body_may_be_anything(payload: bytes, message: str) -> None:
    """JSON text, JSON objects, plain text and rubbish all become one short printable line."""
    assert failed("op", 400, payload).message == message


def test_the_text_names_operation_status_and_reason() -> None:
    """What a person reads in the log is enough to find the call and the cause."""
    error = failed("hang up call u1", 404, b'{"error": "call not found"}')
    assert str(error) == "hang up call u1: 404 call not found"
    assert error.operation == "hang up call u1"
    assert isinstance(error, BridgeError)


def test_a_secret_in_the_answer_is_hidden() -> None:
    """A server that echoes the credentials does not get them into our log."""
    error = failed("op", 401, b'{"error": "token s3cret is wrong: s3cret"}', ["s3cret"])
    assert error.message == "token [hidden] is wrong: [hidden]"


def test_an_error_without_status_tells_whether_the_request_left() -> None:
    """Nothing happened if it never left; anything may have happened if it did."""
    assert PlivoUnavailable("op", "refused", sent=False).maybe_done is False
    assert PlivoUnavailable("op", "cut", sent=True).maybe_done is True
    assert PlivoTimeout("op", "no answer in 5 s").maybe_done is True
    assert str(PlivoTimeout("op", "no answer in 5 s")) == "op: no answer in 5 s"
