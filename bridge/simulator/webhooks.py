"""Requests of the simulated platform to the server of Plivo XML: signed, patient, repeated.

How long Plivo waits and what it repeats is written into the fragment of a URL
(page "Callback configurations"); notifications are delivered in the background.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import parse_qsl, urlencode
from weakref import WeakKeyDictionary

import aiohttp

from bridge.simulator.flow import Follow
from bridge.simulator.inputs import HungUp
from bridge.simulator.leg import Answer, Method

if TYPE_CHECKING:
    from bridge.simulator.line import Line

HTTP_OK: Final = 200
#: s between an event and the notification of it; small, but never together with what the event causes.
LATENCY_S: Final = 0.05
#: s between two notifications of a line that are due together.
_APART_S: Final = 0.0001
_REPEATED: Final = frozenset({"ct", "rt"})
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

    def limits(self, left_s: float) -> aiohttp.ClientTimeout:
        """Give the limits of an attempt, `left_s` before the time of all attempts is up."""
        return aiohttp.ClientTimeout(
            total=left_s, sock_connect=self.connect_s, sock_read=self.read_s
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

    async def attempts(self, *, twice: bool, lose: Callable[[], bool] = lambda: False) -> Answer:
        """Send it as often as its URL asks for; give the last answer.

        `twice` sends the first attempt two times at once; `lose` says that an answer got lost.
        """
        patience = Patience.of(self.url)
        began, nonce = perf_counter(), self.line.leg.new_nonce()
        with self.line.clock.busy():
            for attempt in range(1, patience.retries + 2):
                limits = patience.limits(max(0.001, patience.total_s - perf_counter() + began))
                both = [self.send(nonce, limits) for _ in range(1 + twice)]
                answers = await asyncio.gather(*both)
                for number, answer in enumerate(answers):
                    self.note(answer, attempt + number)
                self._compare(answers)
                answer, twice = answers[0], False
                spent = perf_counter() - began >= patience.total_s
                if attempt > patience.retries or spent:
                    break
                if not lose() and not patience.repeats(answer):
                    break
                if not self.line.profile.nonce_repeated:
                    nonce = self.line.leg.new_nonce()
        return answer

    async def send(self, nonce: str, limits: aiohttp.ClientTimeout) -> Answer:
        """Send it once."""
        before = self.line.plivo.before_request
        if before is not None:
            await before(self.name)
        return await self.line.leg.request(
            self.url, self.sent(), method=self.method, bare=True, nonce=nonce, limits=limits
        )

    def sent(self) -> dict[str, str]:
        """Give its parameters as the profile sends them."""
        form = dict(self.form)
        if self.line.profile.query_copied_into_body and self.method == "POST":
            target = self.url.partition("#")[0]
            form = {**dict(parse_qsl(target.partition("?")[2])), **form}
        if self.line.profile.empty_parameters_omitted:
            form = {name: value for name, value in form.items() if value}
        return form

    def note(self, answer: Answer, attempt: int) -> None:
        """Write it into the timeline."""
        line, form, shown = self.line, self.sent(), self.url.partition("#")[0]
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

    def _compare(self, answers: Sequence[Answer]) -> None:
        found = {answer.body for answer in answers if answer.status == HTTP_OK}
        if self.kind == "asks" and len(found) > 1:
            self.line.problem(
                f"the same {self.name} request got two different documents",
                "\n".join(sorted(body.decode("utf-8", "replace") for body in found)),
            )


class Webhooks:
    """What one platform sends; every request is in the timeline of the line it is about."""

    def __init__(self) -> None:
        #: When the newest notification of a line is due: the next one keeps its place behind it.
        self._latest: WeakKeyDictionary[Line, float] = WeakKeyDictionary()

    async def ask(self, line: Line, follow: Follow) -> Answer:
        """Fetch a document, with the repetitions its URL asks for, and faults that strike."""
        faults, label = line.plivo.faults, follow.label
        form = {**line.parameters(), **follow.parameters}
        request = _Request(line, "asks", label, follow.url, form, follow.method or line.leg.method)

        def lose() -> bool:
            lost = faults.strike("drop", label) or faults.strike("delay", label)
            if lost:
                line.fault(lost.what, label, f"the answer to {label} is lost")
            return lost is not None

        if faults.strike("hang_up", label):
            line.fault("hang_up", label, f"the caller hangs up during {label}")
            line.post(HungUp())
        twice = faults.strike("duplicate", label) is not None
        if twice:
            line.fault("duplicate", label, f"{label} is asked twice")
        return await request.attempts(twice=twice, lose=lose)

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
            else:
                now = line.clock.now()
                due = max(now + delay, self._latest.get(line, 0.0) + _APART_S)
                delay = due - now
                if not after:
                    self._latest[line] = due
            late = faults.strike("delay", name)
            if late is not None:
                line.fault("delay", name, f"{name} comes {late.seconds:g} s late")
                delay += late.seconds
            whole = dict(form) if bare else {**line.parameters(), **form}
            request = _Request(line, "tells", name, url, whole, method or line.leg.method)
            line.plivo.pending.add(over)
            line.plivo.spawn(self._deliver(request, delay, over), name)
            return over
        over.set()
        return over

    async def _deliver(self, request: _Request, delay: float, over: asyncio.Event) -> None:
        line, name, faults = request.line, request.name, request.line.plivo.faults
        try:
            await line.clock.sleep(delay)
            held = faults.strike("reorder", name)
            if held is not None:
                line.fault("reorder", name, f"{name} lets another one pass, for {held.seconds:g} s")
                await line.clock.wait(line.told, held.seconds)
            twice = faults.strike("duplicate", name) is not None
            if twice:
                line.fault("duplicate", name, f"{name} comes twice")
            answer = await request.attempts(twice=twice)
            if answer.status != HTTP_OK:
                line.problem(f"{name} gave {_outcome(answer)}")
        finally:
            line.told.set()
            line.told = asyncio.Event()
            line.plivo.pending.discard(over)
            over.set()
            line.stir()

    async def fetch(self, line: Line, url: str) -> Answer:
        """Fetch a file as Play does: one retry on anything, and nobody tells when it fails.

        Raises Over or Moved when the line is hung up or transferred meanwhile.
        """
        answer = Answer(0, b"nobody serves this address in the simulation", "", 0.0, "connect")
        if line.leg.is_ours(url):
            slow = line.plivo.faults.strike("slow_media", url.partition("#")[0].rpartition("/")[2])
            if slow is not None:
                line.fault("slow_media", url, f"the file comes {slow.seconds:g} s late")
                await line.until(asyncio.Event(), slow.seconds)
            answer = await self._file(line, url)
            if answer.status != HTTP_OK:
                answer = await self._file(line, url)
        return answer

    async def _file(self, line: Line, url: str) -> Answer:
        # A server may wait for a file to be ready, which takes virtual time.
        done = asyncio.Event()

        async def get() -> Answer:
            try:
                return await line.leg.send("GET", url.partition("#")[0], limits=_FILE_LIMITS)
            finally:
                done.set()
                line.stir()

        # Not spawned: as a background task it would have to wait through the clock.
        task = asyncio.get_running_loop().create_task(get(), name="simulator: file")
        try:
            with line.clock.patient():
                await line.until(done)
            return await task
        finally:
            task.cancel()

    async def sounds(self, line: Line, attribute: str, url: str) -> Answer:
        """Fetch a document of sounds; Plivo always posts for it (Plivo XML reference)."""
        patience = Patience.of(url)
        with line.clock.busy():
            for _ in range(patience.retries + 1):
                limits = patience.limits(patience.total_s)
                form = line.parameters()
                answer = await line.leg.request(url, form, method="POST", bare=True, limits=limits)
                if not patience.repeats(answer):
                    break
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
