"""What a URL of a Redis or Valkey store says; needs no client library, so settings can check it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

SCHEMES = ("redis", "rediss", "redis+sentinel", "rediss+sentinel")
PORT = 6379
SENTINEL_PORT = 26379

_PREFIX = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_HOST = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>\d{1,5}))?"
)
_HIGHEST_PORT = 65535
_OPTIONS = ("prefix", "password_file", "ssl_ca_certs")
_MUST = (
    "must be redis://host:6379/0 or rediss://host:6379/0, with user:password@ before the host "
    "where the server asks for it, or redis+sentinel://host:26379,host:26379/service/0; "
)


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """Where a store is. `service` is the name sentinels know it by, "" = `hosts` has the server."""

    hosts: tuple[tuple[str, int], ...]
    service: str = ""
    tls: bool = False
    username: str | None = None
    password: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    database: int = 0
    prefix: str = "rtbridge"

    @classmethod
    def parse(cls, url: str) -> RedisUrl:
        """Read a URL. Raises ValueError with a phrase that starts with "must", without the URL."""
        try:
            parts = urlsplit(url)
        except ValueError:
            raise ValueError(_MUST + "its host cannot be read") from None
        if parts.scheme not in SCHEMES:
            raise ValueError(
                _MUST + (f"not {parts.scheme}:" if parts.scheme else "it has no scheme")
            )
        if parts.fragment:
            raise ValueError(_MUST + "a # in a password is written %23")
        sentinel = parts.scheme.endswith("+sentinel")
        login, _, places = parts.netloc.rpartition("@")
        username, _, password = login.partition(":")
        hosts = tuple(
            _host(place, SENTINEL_PORT if sentinel else PORT) for place in places.split(",")
        )
        if len(hosts) > 1 and not sentinel:
            raise ValueError(_MUST + "several hosts are for sentinels")
        service, database = _path(parts, sentinel=sentinel)
        options = _options(parts.query)
        file = options.get("password_file")
        if file and password:
            raise ValueError(_MUST + "give a password or a password_file")
        ca_file = options.get("ssl_ca_certs")
        return cls(
            hosts=hosts,
            service=service,
            tls=parts.scheme.startswith("rediss"),
            username=unquote(username) or None,
            password=unquote(password) or None,
            password_file=Path(file) if file else None,
            ca_file=Path(ca_file) if ca_file else None,
            database=database,
            prefix=options.get("prefix", "rtbridge"),
        )

    @property
    def name(self) -> str:
        """Name the server in a sentence, without what is secret."""
        places = ", ".join(f"{host}:{port}" for host, port in self.hosts)
        return f"{self.service} of the sentinels {places}" if self.service else places


def _host(place: str, default: int) -> tuple[str, int]:
    found = _HOST.fullmatch(place)
    port = int(found["port"] or default) if found else 0
    if found is None or not 0 < port <= _HIGHEST_PORT:
        raise ValueError(_MUST + "a host is a name or an address, with a port from 1 to 65535")
    return found["v6"] or found["name"], port


def _path(parts: SplitResult, *, sentinel: bool) -> tuple[str, int]:
    """Read the name of the service and the number of the database."""
    words = [unquote(word) for word in parts.path.split("/") if word]
    service = words.pop(0) if sentinel and words else ""
    if sentinel and not service:
        raise ValueError(_MUST + "the name of the service is missing after the sentinels")
    digits = words.pop(0) if words else "0"
    if words or not (digits.isascii() and digits.isdigit()):
        raise ValueError(_MUST + "a database is a number")
    return service, int(digits)


def _options(query: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    options = dict(pairs)
    for name in options:
        if name not in _OPTIONS:
            raise ValueError(_MUST + f"its options are {', '.join(_OPTIONS)}")
    if len(options) < len(pairs):
        raise ValueError(_MUST + "each option is given once")
    if not _PREFIX.fullmatch(options.get("prefix", "rtbridge")):
        raise ValueError(_MUST + "a prefix is 1 to 64 letters, digits, or any of _ . : -")
    return options


__all__ = ["SCHEMES", "RedisUrl"]
