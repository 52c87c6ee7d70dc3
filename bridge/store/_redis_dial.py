"""Connecting to a Redis or Valkey server: redis-py does TLS, login and sentinels, then steps aside.

Its connections carry one command at a time. What is wanted here is its transport, on which `Link`
puts whatever is waiting in one write.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from bridge.store.protocol import StoreUnavailable

if TYPE_CHECKING:
    from redis.asyncio.connection import Connection
    from redis.asyncio.retry import Retry

    from bridge.store._redis_url import RedisUrl

#: Longest that connecting, TLS and login may take, in s.
CONNECT_S: Final = 3.0
MISSING: Final = "A Redis store needs redis-py and hiredis: install plivo-rt-bridge[redis], or name another store."


class Dialler:
    """Makes connections to the server a URL names."""

    def __init__(self, url: RedisUrl) -> None:
        self._url = url
        #: The node of a cluster that said it has our keys.
        self.moved: tuple[str, int] | None = None

    async def dial(self) -> Connection:
        """Connect, log in and choose the database. Raises StoreUnavailable with a reason."""
        try:
            from redis.exceptions import RedisError  # noqa: PLC0415 - the optional extra `redis`
        except ImportError:
            raise StoreUnavailable(MISSING) from None
        try:
            async with asyncio.timeout(CONNECT_S):
                host, port = self.moved or await self._address()
                connection = self._connection(host, port)
                try:
                    await connection.connect()  # type: ignore[no-untyped-call]
                except BaseException:
                    await connection.disconnect(nowait=True)
                    raise
        except TimeoutError:
            reason = f"it did not answer within {CONNECT_S:g} s"
        except (RedisError, OSError, ValueError) as error:
            reason = _reason(error)
        else:
            return connection
        # A node that was moved away from may be gone for good.
        self.moved = None
        raise StoreUnavailable(reason)

    async def _address(self) -> tuple[str, int]:
        if not self._url.service:
            return self._url.hosts[0]
        from redis.asyncio.sentinel import Sentinel  # noqa: PLC0415 - as in `dial`

        # Each in turn, so that the last one is still heard when the others are silent.
        each_s = CONNECT_S / (len(self._url.hosts) + 1)
        kwargs = {"socket_timeout": each_s, "socket_connect_timeout": each_s, **self._tls()}
        kwargs["retry"] = _once()
        sentinel = Sentinel(self._url.hosts, sentinel_kwargs=kwargs)  # type: ignore[no-untyped-call]
        try:
            host, port = await sentinel.discover_master(self._url.service)
        finally:
            for client in sentinel.sentinels:
                await client.aclose()
        return str(host), int(port)

    def _connection(self, host: str, port: int) -> Connection:
        from redis.asyncio.connection import (  # noqa: PLC0415 - as in `dial`
            Connection,
            SSLConnection,
        )

        url = self._url
        password = url.password
        if url.password_file is not None:
            # Read for every connection, so that a changed password needs no restart.
            password = url.password_file.read_text(encoding="utf-8").rstrip("\r\n")
        kind = SSLConnection if url.tls else Connection
        tls = {name: value for name, value in self._tls().items() if name != "ssl"}
        return kind(
            host=host,
            port=port,
            db=url.database,
            username=url.username,
            password=password,
            protocol=2,
            retry=_once(),
            socket_keepalive=True,
            **tls,
        )

    def _tls(self) -> dict[str, Any]:
        if not self._url.tls:
            return {}
        ca_file = self._url.ca_file
        return {"ssl": True} | ({"ssl_ca_certs": str(ca_file)} if ca_file is not None else {})


def _once() -> Retry:
    """Give redis-py's word for no repetitions: `Link` has its own."""
    from redis.asyncio.retry import Retry  # noqa: PLC0415 - the optional extra `redis`
    from redis.backoff import NoBackoff  # noqa: PLC0415 - as above

    return Retry(NoBackoff(), 0)


def _reason(error: Exception) -> str:
    """Say why in one line; redis-py may add what the system said."""
    if isinstance(error.__cause__ or error.__context__, ConnectionRefusedError):
        return "connection refused"
    words = " ".join(str(error).split()) or type(error).__name__
    if "WRONGPASS" in words or "invalid username-password" in words or "AUTH" in words.upper():
        return f"{words.rstrip('.')}; check user and password in BRIDGE_STORE"
    return words.rstrip(".")


__all__ = ["CONNECT_S", "MISSING", "Dialler"]
