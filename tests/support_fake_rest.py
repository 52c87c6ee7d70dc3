"""Plivo's REST API as far as the bridge uses it, acting on the calls of a simulated exchange."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from support_e2e import ACCOUNT

from bridge.simulator.exchange import Exchange

LOGIN = base64.b64encode(f"{ACCOUNT.auth_id}:{ACCOUNT.auth_token}".encode()).decode()


@dataclass
class FakeRest:
    """Answers like Plivo; `seen` lists method, path below the account, and body.

    `failing` maps "METHOD path-part" to statuses used up before the real answer; 0 = no answer.
    """

    exchange: Exchange | None = None
    seen: list[tuple[str, str, Any]] = field(default_factory=list)
    failing: dict[str, list[int]] = field(default_factory=dict)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def app(self) -> web.Application:
        """Give the server."""
        app = web.Application()
        app.router.add_route("*", "/v1/Account/{auth_id}/{path:.*}", self._serve)
        return app

    def done(self, method: str, part: str) -> list[Any]:
        """List the bodies of requests with this method whose path contains this."""
        return [body for verb, path, body in self.seen if verb == method and part in path]

    async def _serve(self, http: web.Request) -> web.StreamResponse:
        text = await http.text()
        path = http.match_info["path"]
        self.seen.append((http.method, path, json.loads(text) if text else None))
        if http.headers.get("Authorization") != f"Basic {LOGIN}":
            return web.json_response({"error": "not authenticated"}, status=401)
        for key, statuses in self.failing.items():
            method, _, part = key.partition(" ")
            if method == http.method and part in path and statuses:
                status = statuses.pop(0)
                if status == 0:
                    await self.over.wait()
                return web.json_response({"error": "made to fail"}, status=status or 500)
        return self._answer(http.method, path.strip("/").split("/"))

    def _answer(self, method: str, path: list[str]) -> web.Response:
        exchange = self.exchange
        assert exchange is not None
        match method, path:
            case "DELETE", ["Call", uuid]:
                found = exchange.hang_up(uuid)
                return web.Response(status=204) if found else _missing()
            case "POST", ["Call", _, "Record"]:
                told = {"url": "https://media.plivo.com/x.mp3", "recording_id": "rec-1"}
                return web.json_response({"message": "call recording started", **told}, status=202)
            case "DELETE", ["Call", _, "Record"]:
                return web.Response(status=204)
            case "GET", ["Call", uuid]:
                if uuid not in exchange.calls:
                    return _missing()
                return web.json_response({"call_uuid": uuid, "call_status": "in-progress"})
            case "GET", ["Conference", name]:
                room = exchange.rooms.get(name)
                if room is None:
                    return _missing()
                members = [
                    {"member_id": m.member_id, "call_uuid": m.call_uuid}
                    for m in room.members.values()
                ]
                return web.json_response(
                    {
                        "conference_name": name,
                        "conference_run_time": "7",
                        "conference_member_count": str(len(members)),
                        "members": members,
                    }
                )
            case "POST", ["Conference", name, "Member", member, "Kick"]:
                if not exchange.kick(name, member):
                    return _missing()
                return web.json_response({"message": "kicked", "member_id": member}, status=202)
            case _:
                return web.json_response({"error": "unknown"}, status=405)


def _missing() -> web.Response:
    return web.json_response({"error": "not found"}, status=404)
