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
#: What to do about troubles, by words that the server, redis-py or the system use.
_ADVICE: Final = {
    "WRONGPASS": "check user and password in BRIDGE_STORE",
    "invalid username-password": "check user and password in BRIDGE_STORE",
    "uthentication required": "check user and password in BRIDGE_STORE",
    "NOAUTH": "check user and password in BRIDGE_STORE",
    "NOPERM": "give the user of BRIDGE_STORE this right",
    "connection refused": "start the server, or correct host and port in BRIDGE_STORE",
    "not known": "correct the host in BRIDGE_STORE",
    "did not answer within": "see that the server runs, that no firewall is in between, and that "
    "rediss:// is used with TLS and redis:// without",
    "reply type byte": "what listens there is no Redis or Valkey server: correct BRIDGE_STORE",
    "DB index": "correct the number of the database in BRIDGE_STORE",
    "'SENTINEL'": "it is a server and no sentinel: name it with redis://",
    "No master found": "name sentinels that run, and the service as they know it",
    "READONLY": "it is a replica, or was told to be: name its primary in BRIDGE_STORE",
    "OOM": "raise its maxmemory, or let bridges keep calls for less long (BRIDGE_CALL_RETENTION_S)",
    "MISCONF": "its disk is full or cannot be written: mend that",
    "without any password": "leave the password out of BRIDGE_STORE, or give the server one",
    "No such file": "correct password_file or ssl_ca_certs in BRIDGE_STORE",
}
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
        # RuntimeError is what uvloop says when the server hangs up between two words of redis-py.
        except (RedisError, OSError, ValueError, RuntimeError) as error:
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
    """Say why in one line; redis-py may add what the system said, or what an object looks like."""
    if isinstance(error.__cause__ or error.__context__, ConnectionRefusedError):
        return "connection refused"
    words = " ".join(str(error).split()) or type(error).__name__
    return words.partition(" : <redis.")[0].rstrip(".")


def advised(reason: str) -> str:
    """Add what to do about it, where that is known."""
    for trouble, advice in _ADVICE.items():
        if trouble in reason:
            return f"{reason.rstrip('.')}; {advice}"
    return reason.rstrip(".")


__all__ = ["CONNECT_S", "MISSING", "Dialler", "advised"]
