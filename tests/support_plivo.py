"""A server of scripted Plivo XML around which tests put the simulated platform.

Every signed request is checked with Plivo's own SDK, so the signatures have another witness than
the code that made them.
"""

from __future__ import annotations

import io
import wave
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from plivo.utils import validate_v3_signature

from bridge.simulator.clock import SimulationClock, VirtualClock
from bridge.simulator.faults import Faults
from bridge.simulator.inputs import Input, Key, Talks
from bridge.simulator.leg import Account
from bridge.simulator.line import Line
from bridge.simulator.platform import Application, Plivo
from bridge.simulator.profile import NORMAL, Profile
from bridge.simulator.timeline import Kind, Timeline

ACCOUNT = Account("MAXXXXXXXXXXXXXXXXXX", "token-of-the-test")
CALLER, CALLED = "33612345678", "33187654321"
HANGUP = "<Hangup/>"
#: Virtual s after which a call counts as never ending.
FOR_EVER = 1_000_000.0


@dataclass(frozen=True)
class Raw:
    """A reply that is no document in order."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/xml"


Reply = str | Raw
Replies = Reply | list[Reply] | Callable[["Seen"], Awaitable[Reply]]


@dataclass(frozen=True)
class Seen:
    """A request as it came; `form` is what the platform says, be it in the body or in the query."""

    method: str
    path: str
    form: Mapping[str, str]
    query: Mapping[str, str]
    nonce: str
    body: bytes

    def __getitem__(self, name: str) -> str:
        """Give a parameter."""
        return self.form[name]


@dataclass
class Life:
    """A call that was lived through."""

    plivo: Plivo
    line: Line

    @property
    def timeline(self) -> Timeline:
        """Give everything that happened."""
        return self.plivo.timeline

    @property
    def code(self) -> str:
        """Give Plivo's code of how the call ended."""
        assert self.line.ending is not None
        return self.line.ending[1]

    @property
    def seconds(self) -> float:
        """Give how long the call was, from its first ring."""
        return self.when("ends")[0]

    def when(self, kind: Kind, **data: Any) -> list[float]:
        """Give the virtual instants of the entries of a kind that hold these data."""
        return [
            round(entry.at, 3)
            for entry in self.timeline.of(kind)
            if all(entry.data.get(name) == value for name, value in data.items())
        ]

    def problems(self) -> list[str]:
        """List what must not happen."""
        return self.timeline.texts("problem")


@dataclass
class XmlApp:
    """Serves documents by path, and keeps every request; `{url}` in a document is its address.

    A list is served in order, its last item again and again. A path without a document is answered
    with an empty 200 when the request is signed, as a notification is, else with 404.
    """

    documents: dict[str, Replies] = field(default_factory=dict)
    sounds: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, Callable[[web.Request], Awaitable[Raw]]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    url: str = ""

    def paths(self) -> list[str]:
        """List the paths of the signed requests."""
        return [seen.path for seen in self.seen]

    def of(self, path: str) -> list[Seen]:
        """List the requests for a path."""
        return [seen for seen in self.seen if seen.path == path]

    def first(self, path: str) -> Seen:
        """Give the first request for a path."""
        found = self.of(path)
        assert found, f"{path} was not asked for, but {self.paths()}"
        return found[0]

    async def serve(self, http: web.Request) -> web.Response:
        """Answer a request, after a look at its signature."""
        if http.path in self.sounds:
            return web.Response(body=self.sounds[http.path], content_type="audio/wav")
        if http.path in self.files:
            return self._response(await self.files[http.path](http))
        body = await http.read()
        posted = {name: str(value) for name, value in (await http.post()).items()}
        signature = http.headers.get("X-Plivo-Signature-V3", "")
        nonce = http.headers.get("X-Plivo-Signature-V3-Nonce", "")
        if not signature:
            return web.Response(status=404)
        target = f"{self.url}{http.raw_path}"
        assert validate_v3_signature(
            http.method, target, nonce, ACCOUNT.auth_token, signature, dict(posted)
        ), f"the SDK does not accept the signature of {http.method} {target}"
        form = posted if http.method == "POST" else dict(http.query)
        seen = Seen(http.method, http.path, form, dict(http.query), nonce, body)
        self.seen.append(seen)
        return self._response(await self._reply(seen))

    async def _reply(self, seen: Seen) -> Reply:
        replies = self.documents.get(seen.path, Raw())
        if isinstance(replies, list):
            return replies.pop(0) if len(replies) > 1 else replies[0]
        return replies if isinstance(replies, str | Raw) else await replies(seen)

    def _response(self, reply: Reply) -> web.Response:
        if isinstance(reply, Raw):
            return web.Response(
                body=reply.body, status=reply.status, content_type=reply.content_type
            )
        text = reply.replace("{url}", self.url)
        if not text.startswith(("<?xml", "<Response")):
            text = f"<Response>{text}</Response>"
        return web.Response(text=text, content_type="text/xml")

    def application(self, **urls: Any) -> Application:
        """Give the application: /answer and /hangup, unless said otherwise."""
        known: dict[str, Any] = {"answer_url": "/answer", "hangup_url": "/hangup"}
        given: dict[str, Any] = {
            name: f"{self.url}{value}" if str(value).startswith("/") else value
            for name, value in (known | urls).items()
        }
        return Application(**given)

    def plivo(
        self,
        profile: Profile = NORMAL,
        *,
        faults: Iterable[str] = (),
        seed: int = 1,
        clock: SimulationClock | None = None,
    ) -> Plivo:
        """Make the platform; to be used with `async with`."""
        return Plivo(
            clock=clock or VirtualClock(patience_s=10),
            account=ACCOUNT,
            seed=seed,
            profile=profile,
            faults=Faults.parse(faults, seed),
            via={self.url: self.url},
        )

    async def live(
        self,
        script: Iterable[tuple[float, Input]] = (),
        profile: Profile = NORMAL,
        *,
        application: Application | None = None,
        **options: Any,
    ) -> Life:
        """Let a call live to its end; the script says what happens how many s after it began."""
        async with self.plivo(profile, **options) as plivo:
            line = plivo.call(CALLER, CALLED, application=application or self.application())
            for seconds, event in script:
                happens(line, seconds, event)
            assert await plivo.finish(FOR_EVER), f"the call did not end:\n{plivo.timeline}"
            return Life(plivo, line)


def happens(line: Line, seconds: float, event: Input) -> None:
    """Let something happen to a line in so many s."""
    line.plivo.later(seconds, lambda: line.post(event))


def keys(text: str, begin: float, every: float = 0.3) -> list[tuple[float, Input]]:
    """Write a script of keys that are pressed one after the other."""
    return [(begin + every * number, Key(digit)) for number, digit in enumerate(text)]


def says(text: str, begin: float, seconds: float = 1.0) -> tuple[float, Input]:
    """Write that somebody speaks for so many s."""
    return begin, Talks(seconds, text)


def wav(seconds: float, rate: int = 8000) -> bytes:
    """Make a silent WAV file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(bytes(2 * int(rate * seconds)))
    return out.getvalue()


@asynccontextmanager
async def xml_app() -> AsyncIterator[XmlApp]:
    """Run a server of scripted documents."""
    app = XmlApp()
    served = web.Application()
    served.router.add_route("*", "/{path:.*}", app.serve)
    runner = web.AppRunner(served, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    app.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield app
    finally:
        await runner.cleanup()
