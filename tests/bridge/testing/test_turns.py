from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from bridge.testing.turns import Turn, parsed

TURN = Turn(1, 0.0, 7, "APP1", {}, b"{}", 200, b'{"command":"hangup"}', "text/html", "", 3.0)


@pytest.mark.parametrize(
    ("body", "reply"),
    [
        (b'{"command":"hangup"}', {"command": "hangup"}),
        (b'\xef\xbb\xbf\r\n{"a":{"b":[1,null]}}\n', {"a": {"b": [1, None]}}),
        (b'{"more":1.5}', {"more": 1.5}),
        (b'{"huge":1e400,"small":-1e999}', {"huge": "1e400", "small": "-1e999"}),
        (b'{"long":%s}' % (b"1" * 5000), {"long": "1" * 5000}),
        (b"[1]", None),
        (b"null", None),
        (b"", None),
        (b"<br />{}", None),
        (b'{"a":NaN}', None),
        (b'{"a":"\xff"}', None),
        (b'{"a":' * 100_000, None),
    ],
)
def test_reply_is_the_object_the_app_sent(body: bytes, reply: Any) -> None:
    """Every field is kept; what is no JSON object gives None."""
    assert reply == dataclasses.replace(TURN, body=body).reply


def test_without_a_status_there_is_no_reply() -> None:
    """A body without a status was never a complete reply."""
    assert None is dataclasses.replace(TURN, status=None).reply


def test_text_that_is_no_json_is_a_value_error() -> None:
    """One kind of error, whatever is wrong."""
    for body in (b"", b"\xff", b"{", b"NaN", b"[" * 100_000):
        with pytest.raises(ValueError):  # noqa: PT011 -- the sentences are those of the parser
            parsed(body)
