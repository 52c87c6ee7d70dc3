"""Requests of the simulated platform to the server of Plivo XML: signed, patient, repeated.

How long Plivo waits and what it repeats is written into the fragment of a URL
(page "Callback configurations"); notifications are delivered in the background.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import parse_qsl, urlencode

import aiohttp

from bridge.simulator.faults import What
from bridge.simulator.flow import Follow
from bridge.simulator.inputs import HungUp
from bridge.simulator.leg import Answer, Method
from bridge.tasks import spawn

if TYPE_CHECKING:
    from bridge.simulator.line import Line

HTTP_OK: Final = 200
#: s between an event and the notification of it; small, but never together with what the event causes.
LATENCY_S: Final = 0.05
#: Longest real s that a file may take before virtual time goes on without it.
_FILE_GRACE_S: Final = 0.05
_REPEATED: Final = frozenset({"ct", "rt"})
_LATE: Final[tuple[What, ...]] = ("delay", "reorder")
_FILE_LIMITS: Final = aiohttp.ClientTimeout(total=None, sock_connect=2, sock_read=120)


@dataclass(frozen=True, slots=True)
class Patience:
    """How a URL is tried: times in real s, retries after the first attempt, and on what."""

    connect_s: float = 2.0
    read_s: float = 40.0
    total_s: float = 55.0
    retries: int = 1
    on: frozenset[str] = _REPEATED

    @classmethod
    def of(cls, url: str) -> Patience:
        """Read it from the fragment; whatever is not understood is ignored, as Plivo does."""
        given = dict(parse_qsl(url.partition("#")[2]))

        def number(key: str, default: float, least: float, most: float) -> float:
            text = given.get(key, "")
            return min(max(float(text), least), most) if text.isdigit() else default

        policies = frozenset(filter(None, given.get("rp", "").split(",")))
        return cls(
            connect_s=number("ct", 2000, 100, 10_000) / 1000,
            read_s=number("rt", 40_000, 100, 40_000) / 1000,
            total_s=number("tt", 55_000, 100, 55_000) / 1000,
            retries=int(number("rc", 1, 0, 5)),
            on=policies or _REPEATED,
        )

    @property
    def limits(self) -> aiohttp.ClientTimeout:
        """Give the limits of one attempt."""
        return aiohttp.ClientTimeout(
            total=self.total_s, sock_connect=self.connect_s, sock_read=self.read_s
        )

    def repeats(self, answer: Answer) -> bool:
        """Say whether an attempt with this outcome is repeated."""
        kind = {"connect": "ct", "read": "rt"}.get(answer.lost, "")
        if answer.status >= HTTP_OK:
            kind = {4: "4xx", 5: "5xx"}.get(answer.status // 100, "")
        return bool(kind) and bool(self.on & {kind, "all"})


@dataclass(frozen=True, slots=True)
class _Request:
    """One request, however often it is sent; `asks` fetches a document, `tells` is a notification."""

    line: Line
    kind: Literal["asks", "tells"]
    name: str
    url: str
    form: Mapping[str, str]
    method: Method

    async def send(self, nonce: str, attempt: int) -> Answer:
        """Send it once."""
        line, form = self.line, dict(self.form)
        shown = self.url.partition("#")[0]
        if line.profile.query_copied_into_body and self.method == "POST":
            form = {**dict(parse_qsl(shown.partition("?")[2])), **form}
        if line.profile.empty_parameters_omitted:
            form = {name: value for name, value in form.items() if value}
        answer = await line.leg.request(
            self.url,
            form,
            method=self.method,
            bare=True,
            nonce=nonce,
            limits=Patience.of(self.url).limits,
        )
        standard = line.parameters()
        telling = {name: value for name, value in form.items() if standard.get(name) != value}
        name = {"label" if self.kind == "asks" else "name": self.name}
        line.add(
            self.kind,
            f"{self.name}: {shown}" if self.kind == "asks" else self.name,
            # Sorted as they go over the wire with GET; what every request carries is left out.
            urlencode(sorted(telling.items())),
            answer.ms,
            method=self.method,
            url=shown,
            form=form,
            status=answer.status,
            attempt=attempt,
            reason=answer.body.decode("utf-8", "replace")[:200] if answer.lost else "",
            **name,
        )
        return answer


class Webhooks:
    """What one platform sends; every request is in the timeline of the line it is about."""

    async def ask(self, line: Line, follow: Follow) -> Answer:
        """Fetch a document, with the repetitions its URL asks for, and faults that strike."""
        faults, label = line.plivo.faults, follow.label
        form = {**line.parameters(), **follow.parameters}
        method = follow.method or line.leg.method
        request = _Request(line, "asks", label, follow.url, form, method)
        patience, nonce = Patience.of(follow.url), line.leg.new_nonce()
        with line.clock.busy():
            if faults.strike("hang_up", label):
                line.fault("hang_up", label, f"the caller hangs up during {label}")
                line.post(HungUp())
            twice = faults.strike("duplicate", label) is not None
            attempt = 1
            while True:
                answer = await request.send(nonce, attempt)
                if twice:
                    await self._again(request, nonce, answer)
                    twice = False
                if attempt > patience.retries:
                    return answer
                lost = faults.strike("drop", label) or faults.strike("delay", label)
                if lost:
                    line.fault(lost.what, label, f"the answer to {label} is lost")
                elif not patience.repeats(answer):
                    return answer
                attempt += 1
                if not line.profile.nonce_repeated:
                    nonce = line.leg.new_nonce()

    async def _again(self, request: _Request, nonce: str, first: Answer) -> None:
        line, label = request.line, request.name
        line.fault("duplicate", label, f"{label} is asked twice")
        second = await request.send(nonce, 2)
        if first.status == second.status == HTTP_OK and first.body != second.body:
            line.problem(
                f"the same {label} request got two different documents",
                f"{first.body.decode('utf-8', 'replace')}\n{second.body.decode('utf-8', 'replace')}",
            )

    def tell(
        self,
        line: Line,
        name: str,
        url: str,
        form: Mapping[str, str],
        *,
        after: float = 0.0,
        method: Method | None = None,
        bare: bool = False,
    ) -> asyncio.Event:
        """Notify in the background, `after` s from now; the event is set once that is over.

        The parameters of the line are those of this moment; `bare` leaves them out.
        """
        over = asyncio.Event()
        faults = line.plivo.faults
        if url and faults.strike("drop", name):
            line.fault("drop", name, f"{name} is lost")
        elif url:
            delay = after + LATENCY_S + line.random.random() / 1000
            if line.profile.order_shuffled:
                delay += 2 * line.random.random()
            for what in _LATE:
                rule = faults.strike(what, name)
                if rule is not None:
                    line.fault(what, name, f"{name} comes {rule.seconds:g} s late")
                    delay += rule.seconds
            whole = dict(form) if bare else {**line.parameters(), **form}
            request = _Request(line, "tells", name, url, whole, method or line.leg.method)
            line.plivo.pending.add(over)
            spawn(self._deliver(request, delay, over), f"simulator: {name}")
            return over
        over.set()
        return over

    async def _deliver(self, request: _Request, delay: float, over: asyncio.Event) -> None:
        line = request.line
        try:
            await line.clock.sleep(delay)
            await self._notify(request)
            if line.plivo.faults.strike("duplicate", request.name):
                line.fault("duplicate", request.name, f"{request.name} comes twice")
                await self._notify(request)
        finally:
            line.plivo.pending.discard(over)
            over.set()

    async def _notify(self, request: _Request) -> None:
        line, patience = request.line, Patience.of(request.url)
        nonce = line.leg.new_nonce()
        with line.clock.busy():
            for attempt in range(1, patience.retries + 2):
                answer = await request.send(nonce, attempt)
                if not patience.repeats(answer):
                    break
        if answer.status != HTTP_OK:
            line.problem(f"{request.name} gave {_outcome(answer)}")

    async def fetch(self, line: Line, url: str) -> Answer:
        """Fetch a file as Play does: one retry on anything, and nobody tells when it fails."""
        answer = Answer(0, b"nobody serves this address in the simulation", "", 0.0, "connect")
        if line.leg.is_ours(url):
            slow = line.plivo.faults.strike("slow_media", url.partition("#")[0].rpartition("/")[2])
            if slow is not None:
                line.add("fault", f"the file comes {slow.seconds:g} s late", fault="slow_media")
                await line.clock.sleep(slow.seconds)
            answer = await self._file(line, url)
            if answer.status != HTTP_OK:
                answer = await self._file(line, url)
        return answer

    async def _file(self, line: Line, url: str) -> Answer:
        # A server may wait for a file to be ready, which takes virtual time: so the request keeps
        # time from passing for a moment only.
        done = asyncio.Event()
        found: list[Answer] = []

        async def get() -> None:
            try:
                target = url.partition("#")[0]
                found.append(await line.leg.send("GET", target, limits=_FILE_LIMITS))
            finally:
                done.set()

        # Not spawned: as a background task it would have to wait through the clock.
        task = asyncio.get_running_loop().create_task(get(), name="simulator: file")
        with line.clock.busy():
            await asyncio.wait({task}, timeout=_FILE_GRACE_S)
        await line.clock.wait(done, inf)
        await task
        return found[0] if found else Answer(0, b"", "", 0.0, "read")

    async def sounds(self, line: Line, attribute: str, url: str) -> Answer:
        """Fetch a document of sounds; Plivo always posts for it (Plivo XML reference)."""
        with line.clock.busy():
            answer = await line.leg.request(
                url, line.parameters(), method="POST", bare=True, limits=Patience.of(url).limits
            )
        line.add(
            "fetches",
            attribute,
            answer.body.decode("utf-8", "replace"),
            answer.ms,
            url=url.partition("#")[0],
            status=answer.status,
            content_type=answer.content_type,
            bytes=len(answer.body),
        )
        return answer


def _outcome(answer: Answer) -> str:
    text = answer.body[:200].decode("utf-8", "replace")
    return f"status {answer.status}: {text}" if answer.status else f"no answer: {text}"


def plus(parameters: Mapping[str, str]) -> dict[str, str]:
    """Write the numbers of a request with a plus."""
    return {
        name: f"+{value}" if name in {"From", "To"} and value.isdigit() else value
        for name, value in parameters.items()
    }


__all__ = ["HTTP_OK", "LATENCY_S", "Patience", "Webhooks", "plus"]
