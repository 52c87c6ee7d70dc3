"""The one server of the simulated Plivo: its REST API, and the files of recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from bridge.simulator.recordings import recording_routes

if TYPE_CHECKING:
    from bridge.simulator.platform import Plivo


class Server:
    """Listens while the platform lives; port 0 takes a free one."""

    def __init__(self, plivo: Plivo, host: str = "127.0.0.1", port: int = 0) -> None:
        self._plivo = plivo
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Begin to listen; give the base URL. Raises OSError when the address is taken."""
        app = web.Application()
        # The file of a recording has no slash at its end, everything else has one.
        app.add_routes(recording_routes(self._plivo))
        app.router.add_route("*", "/v1/Account/{auth_id}/{path:.*}", self._plivo.api.serve)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=0.1
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


__all__ = ["Server"]
