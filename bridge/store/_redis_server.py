"""What a server must be able to do, asked once at start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bridge.store.protocol import StoreUnavailable

if TYPE_CHECKING:
    from bridge.store._redis_link import Link

#: Every command the store and its scripts use.
COMMANDS: Final = [
    "DEL", "EVALSHA", "EXISTS", "GET", "GETRANGE", "HDEL", "HGET", "HGETALL", "HINCRBY", "HLEN",
    "HMGET", "HSET", "INCR", "SADD", "SCRIPT", "SET", "SETNX", "SMEMBERS", "SREM", "ZADD",
    "ZCARD", "ZCOUNT", "ZRANGE", "ZRANGEBYSCORE", "ZREM",
]  # fmt: skip


async def inspect(link: Link, name: str) -> None:
    """Raise StoreUnavailable when the server lacks a command, or would forget calls on its own."""
    try:
        found: list[Any] = await link.ask("COMMAND", "INFO", *COMMANDS)
        memory: bytes = await link.ask("INFO", "memory")
    except StoreUnavailable:
        # A user who may not ask: what is missing will name itself.
        return
    known = {bytes(entry[0]).upper().decode() for entry in found if entry}
    missing = sorted(set(COMMANDS) - known)
    if missing:
        raise StoreUnavailable(
            f"The Redis store {name} does not know {', '.join(missing)}: it is too old, or they were "
            "renamed; use Redis 7 or newer, or Valkey, with its own names of commands."
        )
    lines = dict(line.split(b":", 1) for line in memory.split(b"\r\n") if b":" in line)
    policy = lines.get(b"maxmemory_policy", b"").decode()
    if policy.startswith("allkeys-") and lines.get(b"maxmemory", b"0") != b"0":
        raise StoreUnavailable(
            f"The Redis store {name} deletes keys when its memory is full (maxmemory-policy "
            f"{policy}), so calls would be lost: set maxmemory-policy noeviction."
        )


__all__ = ["COMMANDS", "inspect"]
