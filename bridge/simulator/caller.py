"""A scripted caller: places one call to a server of Plivo XML over real HTTP, and lives through it.

It fetches documents with signed webhooks, refuses what Plivo might refuse, executes the elements in
order, follows actions and redirects, reports callbacks, and ends with the hangup webhook. Nothing
takes real time but HTTP: waiting and talking only move the clock it shares with the bridge.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final
from urllib.parse import urlencode

from bridge.simulator.clock import Advancing, VirtualClock
from bridge.simulator.document import Element, InvalidDocument, parse, pretty
from bridge.simulator.exchange import Exchange, HungUpByApi, Kicked, Outside, Transferred
from bridge.simulator.flow import Background, Follow, Moved, Over, recording_length
from bridge.simulator.leg import (
    CALLER_HUNG_UP,
    END_OF_DOCUMENT,
    HUNG_UP_BY_API,
    Ending,
    Leg,
    Method,
)
from bridge.simulator.script import HangUp, Silence, Stay, Step
from bridge.simulator.scripted_elements import HANDLERS
from bridge.simulator.timeline import Entry, Kind, Timeline

#: Far more documents than any sensible call takes; a server that loops is a problem.
MOST_DOCUMENTS: Final = 300
HTTP_OK: Final = 200
#: Elements that leave an inbound call ringing, in the framework Plivo published (elements.py).
UNANSWERING: Final = frozenset({"Wait", "PreAnswer", "Hangup", "Dial", "Redirect"})
#: The last digit of the causes 7011 to 7014 and 8011 to 8014, by how a document was asked for.
FAILED_URL: Final = {"answer": 1, "action": 2, "transfer": 3, "redirect": 4}


class When(Enum):
    """What becomes of a callback."""

    NOW = "now"
    EARLY = "before the action of its element"
    LATE = "after the hangup webhook"
    NEVER = "lost"
    TWICE = "delivered twice"


@dataclass(frozen=True, slots=True)
class Application:
    """What an operator types into Plivo; without a hangup URL the answer URL gets the hangup."""

    answer_url: str
    hangup_url: str = ""
    fallback_url: str = ""

    @classmethod
    def at(cls, public_url: str, app: str = "DEFAULT") -> Application:
        """Give the three URLs of an app of the bridge."""
        base = f"{public_url}/plivo/{app}"
        return cls(f"{base}/answer", f"{base}/hangup", f"{base}/fallback")


class ScriptedCaller:
    """One call. `run` lives through it; `timeline` holds everything that happened.

    `callbacks` says what becomes of callbacks by name: recording, enter, exit, answer, connected,
    hangup. Everything not named is delivered at once.
    """

    def __init__(
        self,
        leg: Leg,
        application: Application,
        script: Sequence[Step] = (),
        *,
        clock: Advancing | None = None,
        exchange: Exchange | None = None,
        callbacks: Mapping[str, When] | None = None,
        recordings_url: str = "https://media.plivo.com/v1/Account",
        timeline: Timeline | None = None,
    ) -> None:
        self.leg = leg
        self.timeline = timeline or Timeline()
        self.exchange = exchange or Exchange(leg.random)
        self.recordings_url = recordings_url
        self.documents: list[bytes] = []
        self.background: list[Background] = []
        self._application = application
        self._script = deque(script)
        self._clock = clock or VirtualClock()
        self._callbacks = dict(callbacks or {})
        self._pending: list[tuple[str, str, dict[str, str]]] = []
        self._late: list[tuple[str, str, dict[str, str]]] = []
        self._outside: deque[Outside] = deque()
        self._interrupted = asyncio.Event()

    async def run(self) -> Timeline:
        """Place the call and live through it to the hangup webhook and late callbacks."""
        self.leg.began = self._clock.now()
        self.exchange.calls[self.leg.uuid] = self
        try:
            await self._live()
            ending = END_OF_DOCUMENT
        except Over as over:
            ending = over.ending
        del self.exchange.calls[self.leg.uuid]
        if self._script:
            self.add("problem", f"the call ended before {self._script[0]}")
        self.leg.status = "completed"
        self.leg.answered = self.leg.began
        await self._end_background()
        await self.flush()
        await self.hang_up(ending)
        for name, url, parameters in self._late:
            await self._tell(name, url, parameters)
        return self.timeline

    async def hang_up(self, ending: Ending) -> None:
        """Send the hangup webhook; alone it is a call that never got up, with `leg.status` set."""
        self.leg.began = self.leg.began or self._clock.now()
        self.add("ends", f"{ending[2]} ({ending[1]}), by {ending[3]}")
        url = self._application.hangup_url or self._application.answer_url
        parameters = self.leg.hangup_parameters(ending, self._clock.now())
        await self._tell("hangup url", url, parameters)

    def problems(self) -> list[str]:
        """List what must not happen in a call."""
        return self.timeline.texts("problem")

    def add(self, kind: Kind, text: str, detail: str = "", ms: float | None = None) -> None:
        """Append to the timeline."""
        at = self._clock.now() - self.leg.began
        self.timeline.entries.append(Entry(at, kind, text, detail, ms))

    def now(self) -> float:
        """Give the wall time of the call in s."""
        return self._clock.now()

    def advance(self, seconds: float) -> None:
        """Let time pass in the call."""
        self._clock.advance(seconds)

    def interrupt(self, event: Outside) -> None:
        """Let something happen to the call from outside."""
        self._outside.append(event)
        self._interrupted.set()

    async def stay(self) -> None:
        """Remain until a kick ends the element. Raises Over on a hang-up, or Moved."""
        while True:
            event = self._next_outside()
            if isinstance(event, Kicked):
                return
            self._interrupted.clear()
            if not self._outside:
                await self._interrupted.wait()

    def step(self, element: Element, *fitting: type[Step]) -> Step | None:
        """Use up the next step for an element that needs input; None when there is none left."""
        if not self._script:
            return None
        step = self._script[0]
        if isinstance(step, HangUp):
            fits = step.during in {None, element.name}
        else:
            fits = isinstance(step, (*fitting, Silence, Stay))
        if not fits:
            self.add("problem", f"{element.name} comes where the script has {step}")
            self._script.clear()
            raise Over(CALLER_HUNG_UP)
        return self._script.popleft()

    def take(self, kind: type[Step]) -> bool:
        """Use up the next step if it is of this kind."""
        found = bool(self._script) and isinstance(self._script[0], kind)
        if found:
            self._script.popleft()
        return found

    def hang_up_now(self, step: HangUp) -> Over:
        """Let the caller hang up; give what is to be raised."""
        self.advance(step.after)
        self.add("does", "hangs up")
        return Over(CALLER_HUNG_UP)

    def passes(self, element: Element) -> None:
        """Give a caller who hangs up during an element without input the chance to do so."""
        step = self._script[0] if self._script else None
        if isinstance(step, HangUp) and step.during == element.name:
            self._script.popleft()
            raise self.hang_up_now(step)

    async def act(self, element: Element, parameters: Mapping[str, str]) -> Follow | None:
        """Fetch the action of an element that is over, or only report to it (redirect=false)."""
        url = element.get("action")
        if not url:
            return None
        if element.get("redirect", "true") == "false":
            await self._tell("action", url, dict(parameters))
            return None
        method: Method = "GET" if element.get("method") == "GET" else "POST"
        return Follow("action", url, {"Event": "Redirect", **parameters}, method)

    async def call_back(self, name: str, url: str, parameters: dict[str, str]) -> None:
        """Report a callback when it is due; `recording` normally comes after the action's answer."""
        when = self._callbacks.get(name, When.NOW)
        if not url or when is When.NEVER:
            return
        if when is When.LATE:
            self._late.append((name, url, parameters))
        elif name == "recording" and when is not When.EARLY:
            self._pending += [(name, url, parameters)] * (2 if when is When.TWICE else 1)
        else:
            for _ in range(2 if when is When.TWICE else 1):
                await self._tell(name, url, parameters)

    async def flush(self) -> None:
        """Deliver callbacks that come a moment after their element."""
        pending, self._pending = self._pending, []
        for name, url, parameters in pending:
            await self._tell(name, url, parameters)

    async def fetch_sounds(self, attribute: str, url: str) -> None:
        """Fetch and check a document of sounds; Plivo always posts for it (Plivo XML reference)."""
        answer = await self.leg.request(url, method="POST")
        self.add("fetches", attribute, pretty(answer.body), answer.ms)
        if answer.status != HTTP_OK:
            self.add("problem", f"{attribute} gave status {answer.status}")
            return
        try:
            elements = parse(answer.body, kind="sounds")
        except InvalidDocument as fault:
            self.add("problem", f"{attribute}: {fault}", pretty(answer.body))
            return
        for element in elements:
            if element.name == "Play":
                await self.fetch_audio(element.text)

    async def fetch_audio(self, url: str) -> None:
        """Fetch a sound file if the server under test hosts it: Plivo would fail silently."""
        if not self.leg.is_ours(url):
            return
        answer = await self.leg.send("GET", url.partition("#")[0])
        text = f"{answer.content_type}, {len(answer.body)} bytes"
        self.add("fetches", text, ms=answer.ms)
        if answer.status != HTTP_OK or not answer.content_type.startswith("audio/"):
            self.add("problem", f"{url} gave status {answer.status} and {text}")

    async def _end_background(self) -> None:
        """Report recordings of the whole call, now that it is over."""
        for recording in self.background:
            length = self._clock.now() - recording.began
            parameters = {**recording.parameters, **recording_length(length)}
            await self.call_back("recording", recording.url, parameters)

    async def _live(self) -> None:
        document = await self._first()
        for _ in range(MOST_DOCUMENTS):
            try:
                follow = await self._execute(document)
            except Moved as moved:
                follow = Follow("transfer", moved.url, {"Event": "Transfer"})
            if follow is None:
                return
            document = await self._fetch(follow)
        self.add("problem", f"{MOST_DOCUMENTS} documents and no end")

    async def _first(self) -> tuple[Element, ...]:
        follow = Follow("answer", self._application.answer_url, {"Event": "StartApp"})
        try:
            return await self._fetch(follow)
        except Over:
            fallback = self._application.fallback_url
            if not fallback:
                raise
            return await self._fetch(Follow("answer", fallback, {"Event": "StartApp"}))

    async def _execute(self, document: tuple[Element, ...]) -> Follow | None:
        for element in document:
            self._next_outside()
            if element.name not in UNANSWERING and self.leg.status == "ringing":
                self.leg.status = "in-progress"
            handler = HANDLERS.get(element.name)
            if handler is None:
                self.add("problem", f"{element.name} is not simulated")
                continue
            follow = await handler(self, element)
            if follow is not None:
                self._next_outside()
                return follow
        return None

    def _next_outside(self) -> Outside | None:
        if not self._outside:
            return None
        event = self._outside.popleft()
        match event:
            case HungUpByApi():
                self.add("does", "is hung up")
                raise Over(HUNG_UP_BY_API)
            case Transferred():
                raise Moved(event.url)
            case Kicked():
                return event

    async def _fetch(self, follow: Follow) -> tuple[Element, ...]:
        answer = await self.leg.request(follow.url, follow.parameters, method=follow.method)
        # Sorted as they go over the wire with GET; the standard parameters are left out.
        detail = urlencode(sorted(follow.parameters.items()))
        self.add("asks", f"{follow.label}: {follow.url.partition('#')[0]}", detail, answer.ms)
        digit = FAILED_URL[follow.label]
        if answer.status != HTTP_OK:
            what = answer.body[:200].decode("utf-8", "replace")
            self.add("problem", f"the {follow.label} URL gave status {answer.status}: {what}")
            await self.flush()
            name = f"Error Reaching {follow.label.capitalize()} URL"
            raise Over(("NORMAL_CLEARING", f"701{digit}", name, "Error"))
        self.documents.append(answer.body)
        self.add("gets", f"{len(answer.body)} bytes", pretty(answer.body), answer.ms)
        await self.flush()
        try:
            return parse(answer.body)
        except InvalidDocument as fault:
            self.add("problem", str(fault))
        name = f"Invalid {follow.label.capitalize()} XML"
        raise Over(("NORMAL_CLEARING", f"801{digit}", name, "Error"))

    async def _tell(self, name: str, url: str, parameters: Mapping[str, str]) -> None:
        answer = await self.leg.request(url, parameters)
        self.add("tells", name, urlencode(sorted(parameters.items())), answer.ms)
        if answer.status != HTTP_OK:
            self.add("problem", f"{name} gave status {answer.status}")


__all__ = ["Application", "ScriptedCaller", "When"]
