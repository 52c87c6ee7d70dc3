"""Who may use the API: HTTP Basic or an API key, compared in constant time.

A wrong login costs its address a try; tries come back one a second. While an address has none, its
requests are refused unread, so that nobody can try passwords faster than that.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.settings import Settings

#: Wrong logins an address may make in a row.
TRIES: Final = 20
#: Addresses remembered at once.
_MOST_ADDRESSES: Final = 10_000


def _digest(text: str) -> bytes:
    # Of one length, so that a comparison does not tell how long a credential is.
    return sha256(text.encode("utf-8", "surrogatepass")).digest()


class Credentials:
    """The credentials of the settings; false when there are none."""

    def __init__(self, settings: Settings) -> None:
        self._basic: bytes | None = None
        if settings.rpc_login is not None and settings.rpc_password is not None:
            password = settings.rpc_password.get_secret_value()
            self._basic = _digest(f"{settings.rpc_login}:{password}")
        self._keys = [_digest(key.get_secret_value()) for key in settings.rpc_api_keys]

    def __bool__(self) -> bool:
        return self._basic is not None or bool(self._keys)

    def admit(self, header: str) -> bool:
        """Tell whether an Authorization header is right: `Basic …` or `Api-Key …`."""
        scheme, _, given = header.strip().partition(" ")
        match scheme.lower():
            case "basic":
                return self._basic is not None and _same(self._basic, _decoded(given.strip()))
            case "api-key":
                # Every key is compared: time does not tell which one was nearly right.
                found = [_same(key, given.strip()) for key in self._keys]
                return any(found)
            case _:
                return False


def _same(known: bytes, given: str) -> bool:
    return hmac.compare_digest(known, _digest(given))


def _decoded(given: str) -> str:
    try:
        return base64.b64decode(given, validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError):
        return ""


@dataclass(slots=True)
class _Bucket:
    tries: float
    at: float


class Attempts:
    """Wrong logins by address; `now` gives the time in s."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def may_try(self, address: str) -> bool:
        """Tell whether credentials from this address are looked at."""
        bucket = self._buckets.get(address)
        return bucket is None or self._filled(bucket) >= 1

    def failed(self, address: str) -> int:
        """Take note of a wrong login; gives how many tries are left."""
        bucket = self._buckets.pop(address, None) or _Bucket(TRIES, self._now())
        bucket.tries, bucket.at = self._filled(bucket) - 1, self._now()
        self._buckets[address] = bucket
        if len(self._buckets) > _MOST_ADDRESSES:
            self._buckets.popitem(last=False)
        return int(bucket.tries)

    def _filled(self, bucket: _Bucket) -> float:
        return min(TRIES, bucket.tries + max(0.0, self._now() - bucket.at))


__all__ = ["TRIES", "Attempts", "Credentials"]
