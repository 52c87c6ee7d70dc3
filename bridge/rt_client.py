"""POST RT.Request to the legacy app and bring back the bytes of its reply.

Only a request of which surely nothing was sent is repeated: asking an app twice may advance its
state twice. Bodies are bytes on both sides; `mappings._rt` writes and reads them.

`AppTransport` takes the lean way where it can, plain HTTP with httptools installed, and aiohttp's
client otherwise; the two behave alike (docs/adr/0008).
"""

from __future__ import annotations

from collections.abc import Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from bridge.rt.failures import (
    AppBusy,
    AppDisconnected,
    AppFailure,
    AppInterrupted,
    AppReplyInvalid,
    AppReplyTooLarge,
    AppStatus,
    AppSuspended,
    AppTimeout,
    AppUnreachable,
)
from bridge.rt.port import MAX_REPLY_BYTES, RtApp, RtTransport
from bridge.rt.through_aiohttp import AiohttpTransport

if TYPE_CHECKING:
    from bridge.rt.plain import PlainTransport

__all__ = [
    "AiohttpTransport",
    "AppBusy",
    "AppDisconnected",
    "AppFailure",
    "AppInterrupted",
    "AppReplyInvalid",
    "AppReplyTooLarge",
    "AppStatus",
    "AppSuspended",
    "AppTimeout",
    "AppTransport",
    "AppUnreachable",
    "RtApp",
    "RtTransport",
]


class AppTransport:
    """RtTransport to any app; close it, or use it with `async with`."""

    def __init__(self, general: AiohttpTransport, plain: PlainTransport | None) -> None:
        """Use `plain` for http:// URLs unless it is None, and `general` for the others."""
        self._general = general
        self._plain = plain

    @classmethod
    def open(cls, *, max_reply_bytes: int = MAX_REPLY_BYTES) -> Self:
        """Open what this installation has, inside the running event loop."""
        plain_kind = _plain_kind()
        # No limit per host: two apps on one host would share it. Each has one of its own already
        # (bridge.admission).
        limits = {"max_reply_bytes": max_reply_bytes, "connections_per_host": 0}
        return cls(
            AiohttpTransport.open(**limits),
            None if plain_kind is None else plain_kind.open(**limits),
        )

    async def close(self) -> None:
        """Close every connection."""
        if self._plain is not None:
            await self._plain.close()
        await self._general.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def ask(self, app: RtApp, body: bytes, budget_s: float) -> Coroutine[Any, Any, bytes]:
        """See `RtTransport`; a coroutine of its own around that of the transport would cost time."""
        if self._plain is not None and app.url.startswith("http://"):
            return self._plain.ask(app, body, budget_s)
        return self._general.ask(app, body, budget_s)


def _plain_kind() -> type[PlainTransport] | None:
    try:
        from bridge.rt.plain import PlainTransport  # noqa: PLC0415 - httptools may be missing
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "httptools":
            raise
        return None
    return PlainTransport
