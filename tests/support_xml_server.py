"""A server of fixed Plivo XML for tests of the simulated caller."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

import aiohttp
from aiohttp import web

from bridge.plivo.signature import verify
from bridge.simulator.caller import Application, ScriptedCaller
from bridge.simulator.clock import VirtualClock
from bridge.simulator.leg import Account, Leg
from bridge.simulator.script import Step

TOKEN = "token"
END = "<Hangup/>"


@dataclass
class Server:
    """Serves documents by path; keeps method, path and form of every request."""

    documents: dict[str, str | tuple[int, str]] = field(default_factory=dict)
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    nonces: list[str] = field(default_factory=list)
    url: str = ""
    session: aiohttp.ClientSession | None = None

    def paths(self) -> list[str]:
        """List the paths asked for."""
        return [path for _, path, _ in self.seen]

    def form(self, path: str) -> dict[str, str]:
        """Give the form of the first request for a path."""
        return next(form for _, seen, form in self.seen if seen == path)

    async def serve(self, http: web.Request) -> web.Response:
        """Answer, and check the signature of webhooks."""
        body = await http.post()
        pairs = [(name, str(value)) for name, value in body.items()]
        nonce = http.headers.get("X-Plivo-Signature-V3-Nonce", "")
        given = http.headers.get("X-Plivo-Signature-V3")
        if given is not None:
            url = f"{self.url}{http.raw_path}"
            assert verify(http.method, url, pairs, nonce, given, TOKEN)
            self.nonces.append(nonce)
        form = dict(pairs) or dict(http.query)
        self.seen.append((http.method, http.path, form))
        found = self.documents.get(http.path, (200 if given else 404, ""))
        status, text = found if isinstance(found, tuple) else (200, found)
        kind = "audio/wav" if http.path.endswith(".wav") else "application/xml"
        if (text and not text.startswith("<")) or text.startswith("<!"):
            return web.Response(status=status, text=text, content_type=kind)
        return web.Response(
            status=status,
            text=f"<Response>{text.replace('{url}', self.url)}</Response>" if text else "",
            content_type=kind,
        )

    def caller(self, *script: Step, **options: Any) -> ScriptedCaller:
        """Make a caller whose answer URL is /answer and whose hangup URL is /hangup."""
        assert self.session is not None
        account, random = Account("MAXXXXXXXXXXXXXXXXXX", TOKEN), Random(1)
        leg = Leg(self.session, account, random, via={self.url: self.url}, **options.pop("leg", {}))
        application = Application(
            f"{self.url}/answer", f"{self.url}/hangup", options.pop("fallback", "")
        )
        options.setdefault("clock", VirtualClock())
        return ScriptedCaller(leg, application, script, **options)
