from __future__ import annotations

from typing import Any

import pytest

from bridge.json_rpc.args import Args
from bridge.json_rpc.errors import RpcError


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (33612345678, "33612345678"),
        (33612345678.0, "33612345678"),
        (-1.0, "-1"),
        (1.5, "1.5"),
        (" x ", "x"),
        (1e300, str(int(1e300))),
    ],
)
def test_numbers_as_text(given: Any, expected: str) -> None:
    """A number is text by its value: one without a fraction has no point, however it was written."""
    assert expected == Args("m(text)", [given]).text("text")


@pytest.mark.parametrize("given", [None, "", " ", True, [], {}, "a\nb", "\x00", "x" * 5000])
def test_what_is_no_text(given: Any) -> None:
    """What is missing, no text, no single line or too long is refused by the name of the param."""
    with pytest.raises(
        RpcError, match=r"^INVALID_PARAMS: text (is missing|must be) .*: m\(text\)$|text is missing"
    ):
        Args("m(text)", [given]).text("text")


@pytest.mark.parametrize("given", [None, "1.0", 1.0, -1, True, "٣", "9" * 5000, []])
def test_what_is_no_whole_number(given: Any) -> None:
    """A whole number is written in digits alone."""
    with pytest.raises(RpcError, match=r"^INVALID_PARAMS: callid "):
        Args("m(callid)", [given]).whole("callid")
