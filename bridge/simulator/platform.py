"""The simulated Plivo: one account with its applications, numbers, live calls, rooms, recordings.

async with Plivo(clock=VirtualClock()) as plivo:
    plivo.numbers["33187654321"] = Application.at("https://bridge.example.com")
    line = plivo.call("33612345678", "33187654321")
    await plivo.clock.drive(line.over.is_set, until=plivo.clock.now() + 60)
    print(plivo.timeline)
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from random import Random
from traceback import format_exc
from types import TracebackType
from typing import Any, Final, Self, Unpack

import aiohttp

from bridge.simulator.background_recordings import BackgroundRecording
from bridge.simulator.callees import Callee, Rings
from bridge.simulator.causes import HUNG_UP_BY_API
from bridge.simulator.clock import SimulationClock, VirtualClock
from bridge.simulator.dialling import Dialling
from bridge.simulator.document import Element
from bridge.simulator.faults import Faults
from bridge.simulator.inputs import HungUp
from bridge.simulator.leg import Account, Leg, Method
from bridge.simulator.line import Line
from bridge.simulator.outbound import CallOptions, Departures, make_call
from bridge.simulator.party import Party, dial_party
from bridge.simulator.profile import NORMAL, Profile
from bridge.simulator.recordings import Recording
from bridge.simulator.rest.api import Api
from bridge.simulator.rooms import Room
from bridge.simulator.server import Server
from bridge.simulator.timeline import Entry, Timeline
from bridge.simulator.webhooks import Webhooks
from bridge.tasks import spawn


@dataclass(frozen=True, slots=True)
class Application:
    """What an operator types into Plivo; without a hangup URL the answer URL gets the hangup."""

    answer_url: str
    hangup_url: str = ""
    fallback_url: str = ""
    answer_method: Method = "POST"
    hangup_method: Method = "POST"
    fallback_method: Method = "POST"
    ring_url: str = ""
    ring_method: Method = "POST"

    @classmethod
    def at(cls, public_url: str, app: str = "DEFAULT") -> Application:
        """Give the three URLs of an app of the bridge."""
        base = f"{public_url}/plivo/{app}"
        return cls(f"{base}/answer", f"{base}/hangup", f"{base}/fallback")


#: For a line whose end nobody is told: a dialled party.
NOWHERE: Final = Application("")


class Plivo:
    """One simulated account.

    `via` maps the beginning of a public URL to where its server really listens, as a reverse proxy
    would; URLs outside of it are not fetched as files. `seed` decides about every id and delay.
    Inside `async with`, `api_url` is where the REST API and the files of recordings are served:
    on `host` and `port`, 0 = a free one.
    """

    def __init__(
        self,
        *,
        clock: SimulationClock | None = None,
        account: Account | None = None,
        seed: int = 0,
        profile: Profile = NORMAL,
        faults: Faults | None = None,
        via: Mapping[str, str] | None = None,
        method: Method = "POST",
        timeline: Timeline | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.clock: SimulationClock = clock or VirtualClock()
        self.account = account or Account()
        self.seed = seed
        self.random = Random(seed)
        self.profile = profile
        self.faults = faults or Faults(random=Random(seed))
        self.via = dict(via or {})
        self.method: Method = method
        self.timeline = timeline or Timeline()
        self.webhooks = Webhooks()
        self.began = self.clock.now()
        self.numbers: dict[str, Application] = {}
        self.callees: dict[str, Callee] = {}
        self.default_callee: Callee = Rings()
        #: Numbers that Dial may show besides those rented; None = any.
        self.caller_ids: set[str] | None = None
        self.calls: dict[str, Line] = {}
        self.lines: list[Line] = []
        self.rooms: dict[str, Room] = {}
        self.multi_party_calls: dict[str, Room] = {}
        self.recordings: dict[str, Recording] = {}
        #: Notifications under way.
        self.pending: set[asyncio.Event] = set()
        #: Awaited before each request to the server of XML, with the name of the request.
        self.before_request: Callable[[str], Awaitable[None]] | None = None
        self.api_url = "https://api.plivo.com"
        #: Where the files of recordings are fetched.
        self.media_url = "https://media.plivo.com"
        #: s between two media frames of a Stream; Plivo's own 0.02 is 50 frames a s, inf is none.
        self.media_every_s = 1.0
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._counted = 0
        #: Ids of members are short numbers on Plivo.
        self._members = Random(f"{seed}/members").randrange(10, 1000)
        self.departures = Departures()
        #: How often a call was transferred, by CallUUID.
        self.transfers: Counter[str] = Counter()
        #: Recordings asked for through REST, by CallUUID.
        self.recorders: dict[str, list[BackgroundRecording]] = {}
        self.api = Api(self)
        self._server = Server(self, host, port)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(limit=0)
        )
        try:
            self.api_url = self.media_url = await self._server.start()
        except OSError:
            await self._session.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.halt()
        await self._server.stop()
        if self._session is not None:
            await self._session.close()

    async def halt(self) -> None:
        """Stop every call and notification where it is; nothing is sent any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def session(self) -> aiohttp.ClientSession:
        """Give the HTTP client; only between `async with` and its end."""
        if self._session is None:
            raise RuntimeError("Use the simulated Plivo with `async with`.")
        return self._session

    # Calls.

    def call(
        self,
        caller: str,
        called: str,
        *,
        caller_name: str | None = None,
        application: Application | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> Line:
        """Let somebody call a number of the account. Raises KeyError for a number nobody rents."""
        mine = application or self.numbers[digits(called)]
        number = self.next_number()
        leg = self.leg(
            number, digits(caller), digits(called), caller_name=caller_name, extra=extra or {}
        )
        line = Line(self, leg, mine, number)
        self.register(line)
        line.add(
            "does",
            f"calls {called} from {caller or 'an unknown number'}",
            action="call",
            number=called,
        )
        line.start()
        return line

    def leg(
        self, number: int, caller: str, called: str, *, leg_number: int = 0, **options: object
    ) -> Leg:
        """Make the identity of a leg; the seed and its numbers decide about its ids."""
        return Leg(
            self.session,
            self.account,
            Random(f"{self.seed}/{number}/{leg_number}"),
            caller,
            called,
            via=self.via,
            method=self.method,
            began=self.clock.now(),
            **options,  # type: ignore[arg-type]
        )

    def next_number(self) -> int:
        """Count one more call."""
        self._counted += 1
        return self._counted

    def register(self, line: Line) -> None:
        """Make a line known by its CallUUID; `lines` holds the calls, not whom they dialled."""
        self.calls[line.uuid] = line
        if line.parent is None:
            self.lines.append(line)

    def ended(self, line: Line) -> None:
        """Forget a line that is over."""
        self.calls.pop(line.uuid, None)

    def party(self, dialling: Dialling, child: Element) -> Party:
        """Make a party that a Dial calls."""
        return dial_party(dialling, child, NOWHERE)

    def next_member_id(self) -> str:
        """Give the id of one more member of a room."""
        self._members += 1
        return str(self._members)

    def find(self, uuid: str) -> Line | None:
        """Give the live line with this CallUUID or RequestUUID."""
        by_request = (line for line in self.calls.values() if line.leg.request_uuid == uuid)
        return self.calls.get(uuid) or next(by_request, None)

    def make_call(
        self, from_: str, to: str, application: Application, **options: Unpack[CallOptions]
    ) -> str:
        """Call somebody as REST does; give the RequestUUID. Its line is `find(uuid)`."""
        line = make_call(self, digits(from_), digits(to), application, options)
        return line.leg.request_uuid

    def may_show(self, number: str) -> bool:
        """Tell whether the account may show a number to whom it calls (cause 3030 when not)."""
        plain = digits(number)
        return (
            self.caller_ids is None
            or plain in self.numbers
            or plain in {digits(known) for known in self.caller_ids}
        )

    def hang_up(self, uuid: str) -> bool:
        """Hang up a live, ringing or queued call as REST does; False when there is none."""
        line = self.find(uuid)
        if line is None:
            return False
        line.post(HungUp(HUNG_UP_BY_API))
        return True

    # Time.

    def later(self, seconds: float, action: Callable[[], object]) -> asyncio.Event:
        """Do something in `seconds`, unless the event that is given back is set before."""
        cancelled = asyncio.Event()

        async def run() -> None:
            await self.clock.wait(cancelled, seconds)
            if not cancelled.is_set():
                action()

        self.spawn(run(), "timer")
        return cancelled

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Start a background task of the simulation; it ends with it, and a crash is a problem."""
        task = spawn(self._watched(work, name), f"simulator: {name}")
        # A task that is cancelled before it began leaves its work untouched.
        task.add_done_callback(lambda _: work.close())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watched(self, work: Coroutine[Any, Any, None], name: str) -> None:
        try:
            await work
        except Exception as error:
            at = self.clock.now() - self.began
            text = f"the simulator failed in {name}: {error!r}"
            self.timeline.add(Entry(at, "problem", text, format_exc(), call=0))
            raise

    async def finish(self, patience_s: float = 60.0) -> bool:
        """Let time pass until every call is over and every notification sent; False if they are not."""
        until = self.clock.now() + patience_s
        return await self.clock.drive(lambda: not self.calls and not self.pending, until)


def digits(number: str) -> str:
    """Give a number as it stands in webhooks: without its plus; SIP addresses stay as they are."""
    return number.removeprefix("+")


__all__ = ["NOWHERE", "Application", "Plivo", "digits"]
