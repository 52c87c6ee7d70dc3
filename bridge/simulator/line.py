"""A line: one leg of a call that lives, from its first ring to its hangup request.

An inbound call, a call made through REST, and a party that Dial rings are all lines.
The first two execute documents; a dialled party is led by the Dial that rings it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import inf
from typing import TYPE_CHECKING, Any, Final

from bridge.simulator.causes import END_OF_DOCUMENT, SCHEDULED_HANGUP, Ending, failed
from bridge.simulator.document import Element, InvalidDocument, parse, pretty
from bridge.simulator.elements import HANDLERS, UNANSWERING
from bridge.simulator.flow import Follow, Moved, Over
from bridge.simulator.inputs import HungUp, Input, Key, Talks, Transferred
from bridge.simulator.leg import Answer, Leg, Method
from bridge.simulator.timeline import Entry, Kind
from bridge.simulator.webhooks import HTTP_OK, plus
from bridge.tasks import spawn

if TYPE_CHECKING:
    from random import Random

    from bridge.simulator.clock import SimulationClock
    from bridge.simulator.platform import Application, Plivo
    from bridge.simulator.profile import Profile
    from bridge.simulator.recordings import Recording

#: Where the framework Plivo published gives up a call that only goes from document to document.
MOST_DOCUMENTS: Final = 9999
#: A call lasts at most so many s unless it was made with another limit (page "Account limits").
LONGEST_S: Final = 14_400.0


class Line:
    """One leg of a call.

    `number` counts the calls of the simulation, `leg_number` is 0 for the call itself and counts
    whom it dialled. `post` lets something happen to it, now; `next` is how its elements wait.
    """

    def __init__(
        self,
        plivo: Plivo,
        leg: Leg,
        application: Application,
        number: int,
        *,
        leg_number: int = 0,
        parent: Line | None = None,
        longest_s: float = LONGEST_S,
    ) -> None:
        self.plivo = plivo
        self.leg = leg
        self.application = application
        self.number = number
        self.leg_number = leg_number
        self.parent = parent
        self.longest_s = longest_s
        self.legs: list[Line] = []
        self.recordings: list[Recording] = []
        self.listening: frozenset[str] = frozenset()
        self.element = ""
        self.talking_until = -inf
        self.ending: Ending | None = None
        self.over = asyncio.Event()
        self._inbox: deque[Input] = deque()
        self._arrived = asyncio.Event()

    @property
    def clock(self) -> SimulationClock:
        """Give the clock of the simulation."""
        return self.plivo.clock

    @property
    def profile(self) -> Profile:
        """Give the answers to what nobody documents."""
        return self.plivo.profile

    @property
    def random(self) -> Random:
        """Give the line's own random source, so that calls do not disturb each other."""
        return self.leg.random

    @property
    def uuid(self) -> str:
        """Give the CallUUID."""
        return self.leg.uuid

    def parameters(self) -> dict[str, str]:
        """Give what every request about this line carries, as the profile has it."""
        known = self.leg.parameters()
        if self.profile.plus_in_numbers:
            known = plus(known)
        if self.profile.unknown_parameters:
            known["X-PH-Unheard-Of"] = "of"
        return known

    def add(
        self, kind: Kind, text: str, detail: str = "", ms: float | None = None, /, **data: Any
    ) -> None:
        """Append to the timeline."""
        at = self.clock.now() - self.plivo.began
        entry = Entry(at, kind, text, detail, ms, self.number, self.leg_number, data)
        self.plivo.timeline.add(entry)

    def problem(self, text: str, detail: str = "", /, **data: Any) -> None:
        """Note what must not happen."""
        self.add("problem", text, detail, **data)

    def fault(self, what: str, name: str, text: str) -> None:
        """Note that a fault was injected."""
        self.add("fault", text, fault=what, name=name)

    # What happens to the line.

    def post(self, event: Input) -> None:
        """Let something happen to the line; nothing happens any more once it is over."""
        if self.ending is not None:
            return
        if isinstance(event, Talks):
            self.talking_until = max(self.talking_until, self.clock.now() + event.seconds)
        self._inbox.append(event)
        self._arrived.set()

    async def next(self, seconds: float = inf) -> Input | None:
        """Wait for the next thing to happen; None once `seconds` are over.

        Raises Over when the line is hung up, Moved when the call is transferred.
        """
        until = self.clock.now() + seconds
        while True:
            while self._inbox:
                event = self._inbox.popleft()
                match event:
                    case HungUp():
                        raise Over(event.ending)
                    case Transferred():
                        raise Moved(event.url, event.method)
                    case _:
                        return event
            left = until - self.clock.now()
            if left <= 0:
                return None
            self._arrived.clear()
            await self.clock.wait(self._arrived, left)

    async def idle(self, seconds: float) -> None:
        """Let time pass in the line; what happens meanwhile is lost. Raises as `next`."""
        until = self.clock.now() + seconds
        while (event := await self.next(until - self.clock.now())) is not None:
            self.lose(event)

    def lose(self, event: Input) -> None:
        """Note that a key was pressed while nobody listened; anything else goes by unnoticed."""
        if isinstance(event, Key):
            self.add(
                "does",
                f"presses {event.digit}, and nobody listens",
                action="lost",
                keys=event.digit,
            )

    def forget_keys(self) -> None:
        """Drop what happened before an element began to listen, unless the profile keeps keys."""
        if self.profile.type_ahead_kept:
            return
        kept = [event for event in self._inbox if not isinstance(event, Key | Talks)]
        for event in self._inbox:
            if event not in kept:
                self.lose(event)
        self._inbox = deque(kept)

    @contextmanager
    def listens(self, element: str, *accepts: str) -> Iterator[None]:
        """Say what the running element accepts: keys, speech, recording, answer, room, silence."""
        self.listening = frozenset(accepts)
        self.add(
            "listens", f"{element}: {', '.join(accepts)}", element=element, accepts=list(accepts)
        )
        try:
            yield
        finally:
            self.listening = frozenset()

    def answer(self) -> None:
        """Answer an inbound call that still rings."""
        if self.leg.status == "ringing":
            self.leg.status = "in-progress"
            self.leg.answered = self.clock.now()

    def dial_connected(self) -> None:
        """Hear that a party was connected: what waits for it (Record, startOnDialAnswer) begins."""

    # What the line asks for and reports.

    def follow(self, element: Element, form: Mapping[str, str]) -> Follow | None:
        """Give the action of an element that is over, or only report to it (redirect="false")."""
        url = element.get("action")
        if not url:
            return None
        method: Method = "GET" if element.get("method") == "GET" else "POST"
        if element.get("redirect", "true") == "false":
            self.plivo.webhooks.tell(self, "action", url, dict(form), method=method)
            return None
        event = {"Event": "Redirect"} if self.profile.event_on_actions else {}
        return Follow("action", url, {**event, **form}, method)

    def tell(
        self,
        name: str,
        url: str,
        form: Mapping[str, str],
        *,
        after: float = 0.0,
        method: Method | None = None,
        bare: bool = False,
    ) -> asyncio.Event:
        """Notify in the background; see Webhooks.tell."""
        return self.plivo.webhooks.tell(
            self, name, url, form, after=after, method=method, bare=bare
        )

    async def sounds(self, attribute: str, url: str) -> Sequence[Element]:
        """Fetch a document of sounds; whatever is wrong with it is silence (Plivo XML reference)."""
        answer = await self.plivo.webhooks.sounds(self, attribute, url)
        if answer.status != HTTP_OK:
            self.problem(f"{attribute} gave status {answer.status}")
            return ()
        try:
            return parse(answer.body, kind="sounds")
        except InvalidDocument as fault:
            self.problem(f"{attribute}: {fault}", pretty(answer.body))
            return ()

    # Its life.

    def start(self) -> None:
        """Begin to live in the background, in real or virtual time."""
        spawn(self._run(), f"simulator: call {self.number}")

    async def _run(self) -> None:
        timer = self.plivo.later(self.longest_s, lambda: self.post(HungUp(SCHEDULED_HANGUP)))
        try:
            await self._live()
            ending = END_OF_DOCUMENT
        except Over as over:
            ending = over.ending
        finally:
            timer.set()
        self.end(ending)

    def end(self, ending: Ending) -> None:
        """End the line and send what is sent at the end; a second time does nothing."""
        if self.ending is not None:
            return
        self.ending = ending
        if self.leg.answered is not None or self.leg.direction == "inbound":
            self.leg.status = "completed"
        cause, code, name, source = ending
        self.add(
            "ends",
            f"{name} ({code}), by {source}",
            cause=cause,
            code=code,
            name=name,
            source=source,
        )
        self.plivo.ended(self)
        form = self.leg.hangup_parameters(ending, self.clock.now())
        url = self.application.hangup_url or self.application.answer_url
        self.tell("hangup url", url, form, after=0.05, method=self.application.hangup_method)
        self.over.set()

    async def _live(self) -> None:
        await self._go_on(await self._first())

    async def _go_on(self, document: Sequence[Element]) -> None:
        for _ in range(MOST_DOCUMENTS):
            try:
                follow = await self._execute(document)
                if follow is None:
                    return
                document = await self._fetch(follow)
            except Moved as moved:
                document = await self._moved(moved)
        self.problem(f"{MOST_DOCUMENTS} documents and no end")
        raise Over(("NORMAL_CLEARING", "2060", "Loop Detected", "Plivo"))

    async def _moved(self, moved: Moved) -> tuple[Element, ...]:
        while True:
            try:
                form = {"Event": "Transfer"}
                return await self._fetch(Follow("transfer", moved.url, form, moved.method))
            except Moved as again:
                moved = again

    async def _first(self) -> tuple[Element, ...]:
        mine = self.application
        form = {"Event": "StartApp"}
        try:
            try:
                return await self._fetch(
                    Follow("answer", mine.answer_url, form, mine.answer_method)
                )
            except Over as over:
                if not mine.fallback_url or over.ending[3] != "Error":
                    raise
                # Nothing tells the two apart but the URL (page "Callback configurations").
                return await self._fetch(
                    Follow("fallback", mine.fallback_url, form, mine.fallback_method)
                )
        except Moved as moved:
            return await self._moved(moved)

    async def _execute(self, document: Sequence[Element]) -> Follow | None:
        for element in document:
            await self.next(0)
            if element.name not in UNANSWERING:
                self.answer()
            self.element = element.name
            follow = await HANDLERS[element.name](self, element)
            if follow is not None:
                return follow
        return None

    async def _fetch(self, follow: Follow) -> tuple[Element, ...]:
        answer = await self.plivo.webhooks.ask(self, follow)
        if answer.status != HTTP_OK:
            self.problem(
                f"the {follow.label} URL gave status {answer.status}: {_beginning(answer)}"
            )
            raise Over(failed(follow.label, "Error Reaching"))
        self.add(
            "gets",
            f"{len(answer.body)} bytes",
            pretty(answer.body),
            answer.ms,
            xml=answer.body.decode("utf-8", "replace"),
        )
        # The document of a call that was hung up meanwhile is thrown away.
        await self.next(0)
        found: tuple[Element, ...] | str
        if answer.content_type in {"text/xml", "application/xml"}:
            found = self._parsed(answer.body)
        else:
            found = f"The content type is {answer.content_type}, not text/xml."
        if isinstance(found, str):
            self.problem(found, _beginning(answer))
            raise Over(failed(follow.label, "Invalid"))
        return found

    def _parsed(self, body: bytes) -> tuple[Element, ...] | str:
        try:
            return parse(body, tolerant=self.profile.unknown_markup_ignored)
        except InvalidDocument as fault:
            return str(fault)


def _beginning(answer: Answer) -> str:
    return answer.body[:200].decode("utf-8", "replace")


__all__ = ["LONGEST_S", "MOST_DOCUMENTS", "Line"]
