"""Secrets at rest: encrypted and authenticated with keyed BLAKE2b alone (docs/adr/0011).

BLAKE2b under a key is a pseudo-random function (RFC 7693, section 2.9). In counter mode over a
random nonce it gives a key stream, and under another key it authenticates nonce, context and what
was encrypted: encrypt-then-MAC. Made for passwords of a few dozen bytes; it is not fast.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from hashlib import blake2b
from typing import Final

from bridge.errors import BridgeError

_VERSION: Final = "1."
_NONCE: Final = 16
_TAG: Final = 32
_BLOCK: Final = 64


class SealBroken(BridgeError):  # noqa: N818 - named for what happened
    """The text was sealed with another key or for another place, or it was changed."""


def derived_key(secret: bytes, purpose: str) -> bytes:
    """Derive a key of 32 bytes for one purpose from a secret of any length."""
    return blake2b(secret, digest_size=32, person=b"rt-bridge seal", salt=_salt(purpose)).digest()


def _salt(purpose: str) -> bytes:
    return blake2b(purpose.encode(), digest_size=16).digest()


def seal(key: bytes, text: str, context: str) -> str:
    """Seal a text; only the same key (32 bytes) and context open it. The length stays visible."""
    nonce = secrets.token_bytes(_NONCE)
    hidden = _mixed(key, nonce, text.encode())
    whole = nonce + _tag(key, nonce, hidden, context) + hidden
    return _VERSION + base64.urlsafe_b64encode(whole).decode()


def opened(key: bytes, sealed: str, context: str) -> str:
    """Give the text that was sealed. Raises SealBroken."""
    broken = "it was sealed with another key or for another place, or it was changed"
    if not sealed.startswith(_VERSION):
        raise SealBroken("it was sealed by another release")
    try:
        whole = base64.urlsafe_b64decode(sealed.removeprefix(_VERSION))
    except (binascii.Error, ValueError):
        raise SealBroken(broken) from None
    nonce, tag, hidden = whole[:_NONCE], whole[_NONCE : _NONCE + _TAG], whole[_NONCE + _TAG :]
    if not hmac.compare_digest(tag, _tag(key, nonce, hidden, context)):
        raise SealBroken(broken)
    return _mixed(key, nonce, hidden).decode()


def _mixed(key: bytes, nonce: bytes, data: bytes) -> bytes:
    """Add the key stream of a nonce; twice gives the same again."""
    stream = bytearray()
    while len(stream) < len(data):
        number = (len(stream) // _BLOCK).to_bytes(8)
        stream += blake2b(nonce + number, key=key, digest_size=_BLOCK, person=b"stream").digest()
    return bytes(one ^ other for one, other in zip(data, stream, strict=False))


def _tag(key: bytes, nonce: bytes, hidden: bytes, context: str) -> bytes:
    where = blake2b(context.encode(), digest_size=32).digest()
    data = nonce + where + hidden
    return blake2b(data, key=key, digest_size=_TAG, person=b"tag").digest()


__all__ = ["SealBroken", "derived_key", "opened", "seal"]
