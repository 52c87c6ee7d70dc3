"""Where open calls live: the store port and its implementations; knows nothing of HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bridge.store._redis_url import SCHEMES, RedisUrl

if TYPE_CHECKING:
    from bridge.store.protocol import Store

_SQLITE = "sqlite:///"
_DURABILITIES = ("normal", "full")


def open_store(url: str, *, durability: str = "normal") -> Store:
    """Give the store a URL names, not yet opened: await its `open`, and at last its `close`.

    `memory:`, `sqlite:///relative.db`, `sqlite:////directory/file.db`, or a Redis or Valkey server
    (`redis://`, `rediss://`, `redis+sentinel://`). `durability` concerns SQLite: `normal` (survives a
    kill of the process) or `full` (also a power cut). Anything else is a ValueError.
    """
    if durability not in _DURABILITIES:
        raise ValueError(f"durability must be normal or full, not {durability!r}")
    # Settings import this package to read addresses; a health check has no use for a store.
    if url == "memory:":
        from bridge.store.memory import MemoryStore  # noqa: PLC0415

        return MemoryStore()
    if url.partition(":")[0] in SCHEMES:
        from bridge.store.redis import RedisStore  # noqa: PLC0415

        return RedisStore(RedisUrl.parse(url))
    if not url.startswith(_SQLITE) or not url.removeprefix(_SQLITE).strip("/"):
        raise ValueError(
            "a store is memory:, sqlite:///file, sqlite:////directory/file or redis://host:6379/0: "
            + url
        )
    from bridge.store.sqlite import SqliteStore  # noqa: PLC0415

    return SqliteStore(Path(url.removeprefix(_SQLITE)), durability)


__all__ = ["open_store"]
