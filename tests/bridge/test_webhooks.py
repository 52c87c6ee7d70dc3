"""Reading forms: what the e2e tests send through a whole bridge, and everything else here."""

from __future__ import annotations

from random import Random
from urllib.parse import parse_qsl

import pytest
from aiohttp import web

from bridge.webhooks import MOST_FIELDS, _pairs

#: What a form is made of, and what only looks like it.
PIECES = (
    *(b"a", b"Digits", b"1234", b"CallUUID", b"-_.~", b"=", b"==", b"&", b"&&", b"+", b"++", b";"),
    *(b"%20", b"%2B", b"%2b", b"%26", b"%3D", b"%25", b"%0A", b"%00", b"%", b"%%", b"%2", b"%zz"),
    *(b"%C3%A9", b"%c3", b"%A9", b"%E2%82", b"%F0%9F%98%80", b"%ED%A0%80", b"%FF", b"%C3\xa9"),
    *("é☆😀".encode(), b"\xc3", b"\xa9", b"\xff\xfe", b"\xed\xa0\x80", b"\x00", b"\r\n", b"#?/"),
)


def as_urllib(body: bytes) -> list[tuple[str, str]]:
    """Read a form as the standard library does."""
    return parse_qsl(
        body.decode("utf-8", "replace"), keep_blank_values=True, encoding="utf-8", errors="replace"
    )


@pytest.mark.parametrize("seed", range(5))
def test_forms_are_read_as_urllib_reads_them(seed: int) -> None:
    """Repeated names, blank values, stray signs, half escapes and invalid UTF-8 included."""
    source = Random(seed)
    for _ in range(2000):
        body = b"".join(source.choices(PIECES, k=source.randrange(25)))

        assert as_urllib(body) == _pairs(body), body


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", []),
        (b"a=1&a=2&a=1", [("a", "1"), ("a", "2"), ("a", "1")]),
        (b"a=&b&=c&=", [("a", ""), ("b", ""), ("", "c"), ("", "")]),
        (b"a=b=c", [("a", "b=c")]),
        (b"To=%2B331+00&n%C3%A9=%C3%A9+%2B", [("To", "+331 00"), ("né", "é +")]),
        (b"a=%FF&b=\xff", [("a", "\ufffd"), ("b", "\ufffd")]),
    ],
)
def test_form(body: bytes, expected: list[tuple[str, str]]) -> None:
    """Order and repetition are kept, since both are signed; what is no UTF-8 is replaced."""
    assert expected == _pairs(body)


def test_number_of_fields_is_limited() -> None:
    """One field more than allowed is refused before anything is decoded."""
    most = b"&".join([b"a=1"] * MOST_FIELDS)

    assert MOST_FIELDS == len(_pairs(most))
    with pytest.raises(web.HTTPBadRequest):
        _pairs(most + b"&a=1")
