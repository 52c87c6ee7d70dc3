"""A line: one leg of a call that lives, from its first ring to its hangup request.

An inbound call, a call made through REST, and a party that Dial rings are all lines.
The first two execute documents; a dialled party is led by the Dial that rings it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from traceback import format_exc
from typing import TYPE_CHECKING, Any, Final

from bridge.simulator import documents
from bridge.simulator.causes import BROKEN, END_OF_DOCUMENT, SCHEDULED_HANGUP, Ending
from bridge.simulator.document import Element
from bridge.simulator.elements import HANDLERS, UNANSWERING
from bridge.simulator.flow import Follow, Moved, Over
from bridge.simulator.inbox import Inbox
from bridge.simulator.inputs import HungUp
from bridge.simulator.leg import Leg, Method
from bridge.simulator.timeline import Entry, Kind
from bridge.simulator.webhooks import plus

if TYPE_CHECKING:
    from random import Random

    from bridge.simulator.clock import SimulationClock
    from bridge.simulator.platform import Application, Plivo
    from bridge.simulator.profile import Profile
    from bridge.simulator.streams import Stream

#: Where the framework Plivo published gives up a call that only goes from document to document.
MOST_DOCUMENTS: Final = 9999
#: A call lasts at most so many s unless it was made with another limit (page "Account limits").
LONGEST_S: Final = 14_400.0


class Line(Inbox):
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
        super().__init__()
        self.plivo = plivo
        self.leg = leg
        self.application = application
        self.number = number
        self.leg_number = leg_number
        self.parent = parent
        self.longest_s = longest_s
        self.legs: list[Line] = []
        self.element = ""
        self.stream: Stream | None = None
        self.over = asyncio.Event()
        #: Set and made anew each time a notification of this line was sent.
        self.told = asyncio.Event()
        self._timers: list[asyncio.Event] = []
        self._when_over: list[Callable[[], None]] = []
        self._at_next_dial: list[tuple[Callable[[], None], Callable[[], None]]] = []
        self._at_dial_end: list[Callable[[], None]] = []

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

    def later(self, seconds: float, action: Callable[[], None]) -> asyncio.Event:
        """Do something in `seconds`, unless the line is over or the event given back is set."""
        timer = self.plivo.later(seconds, action)
        self._timers.append(timer)
        return timer

    def when_over(self, action: Callable[[], None]) -> None:
        """Do something when the line ends, before its hangup URL is asked for."""
        self._when_over.append(action)

    def answer(self) -> None:
        """Answer an inbound call that still rings."""
        if self.leg.status == "ringing":
            self.leg.status = "in-progress"
            self.leg.answered = self.clock.now()

    def at_next_dial(self, begin: Callable[[], None], end: Callable[[], None]) -> None:
        """Do something when the next Dial connects, and when it is over."""
        self._at_next_dial.append((begin, end))

    def dial_connected(self) -> None:
        """Hear that a party was connected: what waits for it (Record, startOnDialAnswer) begins."""
        waiting, self._at_next_dial = self._at_next_dial, []
        for begin, end in waiting:
            begin()
            self._at_dial_end.append(end)

    def dial_over(self) -> None:
        """Hear that a Dial is over: what began with its connection ends."""
        ending, self._at_dial_end = self._at_dial_end, []
        for end in ending:
            end()

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
        """Fetch a document of sounds; see documents.sounds."""
        return await documents.sounds(self, attribute, url)

    # Its life.

    def start(self) -> None:
        """Begin to live in the background, in real or virtual time."""
        self.plivo.spawn(self._run(), f"call {self.number}")

    async def _run(self) -> None:
        self.later(self.longest_s, lambda: self.post(HungUp(SCHEDULED_HANGUP)))
        try:
            await self._live()
            ending = END_OF_DOCUMENT
        except Over as over:
            ending = over.ending
        except Exception as error:  # noqa: BLE001 -- whatever broke, the simulation must not hang
            self.problem(f"the simulator failed in {self.element or '?'}: {error!r}", format_exc())
            ending = BROKEN
        self.end(ending)

    def end(self, ending: Ending) -> None:
        """End the line and send what is sent at the end; a second time does nothing."""
        if self.ending is not None:
            return
        self.ending = ending
        if self.leg.answered is not None or self.leg.direction == "inbound":
            self.leg.status = "completed"
        for timer in self._timers:
            timer.set()
        for action in self._when_over:
            action()
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
                document = await documents.fetch(self, follow)
            except Moved as moved:
                document = await self._moved(moved)
        self.problem(f"{MOST_DOCUMENTS} documents and no end")
        raise Over(("NORMAL_CLEARING", "2060", "Loop Detected", "Plivo"))

    async def _moved(self, moved: Moved) -> tuple[Element, ...]:
        while True:
            try:
                form = {"Event": "Transfer"}
                return await documents.fetch(
                    self, Follow("transfer", moved.url, form, moved.method)
                )
            except Moved as again:
                moved = again

    async def _first(self) -> tuple[Element, ...]:
        mine = self.application
        form = {"Event": "StartApp"}
        try:
            try:
                return await documents.fetch(
                    self, Follow("answer", mine.answer_url, form, mine.answer_method)
                )
            except Over as over:
                if not mine.fallback_url or over.ending[3] != "Error":
                    raise
                # Nothing tells the two apart but the URL (page "Callback configurations").
                return await documents.fetch(
                    self, Follow("fallback", mine.fallback_url, form, mine.fallback_method)
                )
        except Moved as moved:
            return await self._moved(moved)

    async def _execute(self, document: Sequence[Element]) -> Follow | None:
        for element in document:
            await self.idle(0)
            answers = element.name == "Redirect" and self.profile.redirect_answers
            if answers or element.name not in UNANSWERING:
                self.answer()
            self.element = element.name
            follow = await HANDLERS[element.name](self, element)
            if follow is not None:
                return follow
        return None


__all__ = ["LONGEST_S", "MOST_DOCUMENTS", "Line"]
