from __future__ import annotations

import pytest

from bridge.rt.port import RtApp
from bridge.rt.request import Address, target_of
from bridge.rt_client import AppUnreachable


def test_the_head_is_written_once_up_to_the_length() -> None:
    """Everything but the length of the body is the same for every request to an app."""
    target = target_of(RtApp("X", "http://app.example:8080/rt?key=secret", "Basic YTpi"))
    assert (
        b"POST /rt?key=secret HTTP/1.1\r\n"
        b"Host: app.example:8080\r\n"
        b"Accept: */*\r\n"
        b"Content-Type: application/json\r\n"
        b"Authorization: Basic YTpi\r\n"
        b"Content-Length: "
    ) == target.head
    assert Address("app.example", 8080) == target.address
    assert "http://app.example:8080/rt?key=***" == target.where


@pytest.mark.parametrize(
    ("url", "address", "host"),
    [
        ("http://app.example/", Address("app.example", 80), "app.example"),
        ("http://app.example:80/", Address("app.example", 80), "app.example"),
        ("http://H\u00d6ST.example/", Address("xn--hst-sna.example", 80), "xn--hst-sna.example"),
        ("http://[2001:db8::1]/", Address("2001:db8::1", 80), "[2001:db8::1]"),
        ("http://[::1]:81/", Address("::1", 81), "[::1]:81"),
        ("http://192.0.2.1/", Address("192.0.2.1", 80), "192.0.2.1"),
    ],
)
def test_host_and_port_come_from_the_url(url: str, address: Address, host: str) -> None:
    """Names are lower case and ASCII; port 80 is not written into Host."""
    target = target_of(RtApp("X", url))
    assert address == target.address
    assert f"\r\nHost: {host}\r\n".encode() in target.head


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example/",
        "ftp://app.example/",
        "http://",
        "http:///rt",
        "/rt",
        "",
        "http://app.example:0/",
        "http://app.example:65536/",
        "http://app.example:x/",
        "http://me:secret@app.example/",
        "http://me@app.example/",
        "http://127.1/",
        "http://2130706433/",
        "http://127.0.0.256/",
        "http://[::1/",
    ],
)
def test_a_url_that_cannot_be_asked_is_unreachable(url: str) -> None:
    """Another scheme, no host, no port, a login, or an address nobody writes like that."""
    with pytest.raises(AppUnreachable, match="its URL is not one of HTTP"):
        target_of(RtApp("X", url))


@pytest.mark.parametrize("value", ["Basic a\r\nX-Evil: 1", "Basic a\n", "Basic \0", "a\x7f"])
def test_a_login_cannot_become_another_header(value: str) -> None:
    """Control characters in the Authorization header are refused before anything is sent."""
    with pytest.raises(AppUnreachable, match="Authorization header holds control characters"):
        target_of(RtApp("X", "http://app.example/", value))
