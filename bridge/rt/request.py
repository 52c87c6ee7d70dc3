"""The part of a request that is the same every time, written once per app."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from yarl import URL

from bridge.redaction import mask_url
from bridge.rt import failures
from bridge.rt.port import HEADERS, RtApp

__all__ = ["Address", "Target", "target_of"]

_VISIBLE: Final = re.compile(r"[!-~]+")
_VALUE: Final = re.compile(r"[ -~\x80-\U0010ffff]*")
_NUMERIC: Final = re.compile(r"[0-9.]+")


@dataclass(frozen=True, slots=True)
class Address:
    """Where to connect: a name, or an IP address without brackets, and a port."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Target:
    """An app as it is asked: `head` ends where the length of the body goes, `where` is for logs."""

    address: Address
    head: bytes
    where: str


def target_of(app: RtApp) -> Target:
    """Write the head of every request to this app, as aiohttp writes it.

    Raises AppUnreachable when the URL is none of plain HTTP without a login, or when the
    Authorization header holds what would become a header of its own.
    """
    where = mask_url(app.url)
    try:
        address, lines = _address_and_lines(app.url)
    except ValueError as error:
        raise failures.unreachable(where, failures.NO_HTTP_URL) from error
    if app.authorization is not None:
        if not _VALUE.fullmatch(app.authorization):
            raise failures.unreachable(where, "its Authorization header holds control characters")
        lines.append(f"Authorization: {app.authorization}")
    head = "\r\n".join([*lines, "Content-Length: "])
    return Target(address, head.encode(), where)


def _address_and_lines(text: str) -> tuple[Address, list[str]]:
    url = URL(text)
    host, port, named = url.raw_host, url.port, url.host_port_subcomponent
    if url.scheme != "http" or not host or not port or not named:
        raise ValueError("the URL has no scheme, host or port that can be used")
    if url.user is not None or url.password is not None:
        raise ValueError("the URL holds a login")
    if _NUMERIC.fullmatch(host):
        # The system also takes 127.1 and 2130706433 for addresses; nobody means that.
        ipaddress.IPv4Address(host)
    lines = [f"POST {url.raw_path_qs} HTTP/1.1", f"Host: {named}"]
    if not all(_VISIBLE.fullmatch(part) for part in (url.raw_path_qs, named)):
        raise ValueError("the URL holds what a request line cannot hold")
    return Address(host, port), lines + [f"{name}: {value}" for name, value in HEADERS.items()]
