"""Undo Content-Encoding within a limit.

The bridge asks for no compression, but some servers compress whatever they send.
"""

from __future__ import annotations

import zlib
from typing import Final

__all__ = ["NotUnpackedError", "longest_packed", "unpack"]

_GZIP: Final = 16 + zlib.MAX_WBITS
_PACKED: Final = frozenset({b"gzip", b"x-gzip", b"deflate", b"br", b"zstd"})
# The low half of the first byte of a zlib stream; some servers send deflate without that wrapper.
_ZLIB_METHOD: Final = 8
# Each member costs a copy of what follows it; honest servers send one.
_MOST_MEMBERS: Final = 64


class NotUnpackedError(ValueError):
    """The bytes are not what their encoding says."""


def longest_packed(limit: int) -> int:
    """Tell how long a compressed form of `limit` bytes may be: stored blocks, header, trailer."""
    return limit + limit // 64 + 1024


def unpack(packed: bytes, encoding: bytes, limit: int) -> bytes:
    """Give at most `limit` + 1 bytes; one more than the limit says that there are more.

    An encoding nobody knows is taken for none, as browsers do. A missing end is no error here:
    some servers leave out the check sum, and half a reply is no JSON anyway. Raises
    NotUnpackedError.
    """
    encoding = encoding.strip().lower()
    if encoding not in _PACKED or not packed:
        return packed[: limit + 1]
    if encoding in {b"br", b"zstd"}:
        raise NotUnpackedError("not one of gzip and deflate")
    wbits = _GZIP
    if encoding == b"deflate":
        wrapped = packed[0] & 0x0F == _ZLIB_METHOD
        wbits = zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS
    parts: list[bytes] = []
    size = 0
    try:
        while packed and size <= limit:
            if len(parts) == _MOST_MEMBERS:
                raise NotUnpackedError("too many compressed members")
            member = zlib.decompressobj(wbits)
            parts.append(member.decompress(packed, limit + 1 - size))
            size += len(parts[-1])
            packed = member.unused_data
    except zlib.error as error:
        raise NotUnpackedError(str(error)) from error
    return b"".join(parts)
