"""The rig: a bridge and a simulated Plivo around the RT app under test, on virtual time.

async with rig("http://127.0.0.1:8000/rt") as it:
    call = await it.phone("+33612345678").dial("+33187654321")
    await call.expect_prompt("How old are you")
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import structlog
from yarl import URL

from bridge.app import Bridge
from bridge.redaction import redact_event
from bridge.settings import Settings
from bridge.simulator.causes import CALLER_HUNG_UP
from bridge.simulator.clock import SimulationClock, VirtualClock
from bridge.simulator.faults import Fault, Faults
from bridge.simulator.inputs import HungUp
from bridge.simulator.leg import Account
from bridge.simulator.line import Line
from bridge.simulator.platform import Application, Plivo, digits
from bridge.simulator.profile import NORMAL, PROFILES, Profile
from bridge.simulator.timeline import Entry, Timeline
from bridge.testing.app_under_test import AppStartError, AppUnderTest, serving
from bridge.testing.call import Call
from bridge.testing.contract import Contract, Violation
from bridge.testing.hosts import Host, InProcess, OwnProcess
from bridge.testing.phone import CALLED, CALLER, HASH, CalleeSetting, Phone
from bridge.testing.tap import Tap
from bridge.testing.turns import Turn

PUBLIC_URL: Final = "https://bridge.test"
ACCOUNT: Final = Account("MATESTKIT00000000000", "token-of-the-test-kit")
#: Credentials of the JSON-RPC API of the bridge under test.
RPC_LOGIN: Final = "test"
RPC_PASSWORD: Final = "test-password"  # noqa: S105 -- of a bridge that lives for one test
#: Longest it may take to connect to the app, in real s.
_REACH_S: Final = 5.0
NEVER_ENDED: Final = "A call never ended, or the app was not told so, although everybody hung up."
#: Virtual s after which a simulation is not waited for any more when it is taken down.
_CLOSING_S: Final = 120.0


@dataclass(slots=True)
class Rig:
    """Everything of one simulation.

    `soft_failures` lists what soft expectations found; `reproduce` is a command that runs the
    same again.
    """

    plivo: Plivo
    host: Host
    contract: Contract
    seed: int
    app_url: str = ""
    reproduce: str = ""
    #: Gives what an app that is a command has printed.
    app_said: Callable[[], str] = str
    turns: list[Turn] = field(default_factory=list)
    soft_failures: list[str] = field(default_factory=list)
    calls: dict[int, Call] = field(default_factory=dict)
    _numbers: dict[int, int] = field(default_factory=dict)
    # Callids of calls whose end the app was not told yet.
    _untold: set[int] = field(default_factory=set)

    def __repr__(self) -> str:
        return (
            f"<rig with seed {self.seed}, {len(self.plivo.lines)} calls, {len(self.turns)} turns>"
        )

    @property
    def bridge(self) -> Bridge:
        """Give the bridge. Raises RuntimeError when it runs in a process of its own."""
        if isinstance(self.host, InProcess):
            return self.host.bridge
        raise RuntimeError("The bridge of this rig runs in a process of its own.")

    @property
    def rpc_url(self) -> str:
        """Give where the bridge serves its JSON-RPC API, with RPC_LOGIN and RPC_PASSWORD."""
        return f"{self.host.address}/json-rpc/v1.1/"

    @property
    def timeline(self) -> Timeline:
        """Give everything that happened."""
        return self.plivo.timeline

    @property
    def clock(self) -> SimulationClock:
        """Give the clock of the simulation."""
        return self.plivo.clock

    def phone(self, number: str = CALLER) -> Phone:
        """Give the phone with this number."""
        return Phone(self, number)

    def callee(self, number: str) -> CalleeSetting:
        """Say what a number does when it is dialled; by default it rings until the test acts."""
        return CalleeSetting(self.plivo, number)

    def call_of(self, line: Line) -> Call:
        """Give the call of a line."""
        found = self.calls.get(line.number)
        if found is None:
            found = self.calls[line.number] = Call(self, line)
        return found

    async def finish(self, patience_s: float = _CLOSING_S) -> bool:
        """Let time pass until every call is over and the app was told; False if that never comes."""
        until = self.clock.now() + patience_s
        return await self.clock.drive(self._finished, until)

    async def wind_up(self) -> bool:
        """Let every call come to its end; who is still there after a while hangs up.

        False, and a failure of the test, when a call never ends or the app is never told.
        """
        if await self.finish():
            return True
        self.hang_up_all("the test")
        if await self.finish():
            return True
        self.soft_failures.append(NEVER_ENDED)
        return False

    def hang_up_all(self, what: str) -> None:
        """Let everybody hang up who is still on the phone, because `what` is over."""
        for line in self.plivo.lines:
            if line.parent is None and not line.over.is_set():
                line.add("does", f"hangs up, for {what} is over", action="hang_up")
                line.post(HungUp(CALLER_HUNG_UP))

    def _finished(self) -> bool:
        return not self.plivo.calls and not self.plivo.pending and not self._untold

    async def heard(self, turn: Turn) -> None:
        """Take one RT turn into the records."""
        self.turns.append(turn)
        request = turn.request
        if request.get("call_status") in {"UP", "INCOMING_CALL"}:
            self._untold.add(turn.call)
        else:
            self._untold.discard(turn.call)
        reply = turn.reply
        asked = request.get("command") or request.get("call_status")
        wrong = [one.code for one in self.contract.feed(turn) if one.severity == "error"]
        codes = f" ({', '.join(wrong)})" if wrong else ""
        entry = Entry(
            self.clock.now() - self.plivo.began,
            "app",
            f"{asked} → {turn.failure or _answer(turn)}{codes}",
            f"{turn.raw_request.decode('utf-8', 'replace')}\n{turn.body.decode('utf-8', 'replace')}",
            turn.ms,
            await self._number(turn),
            0,
            {
                "turn": turn.number,
                "request": request,
                "status": turn.status,
                "reply": reply,
                "body": turn.body.decode("utf-8", "replace"),
                "failure": turn.failure,
            },
        )
        self.timeline.add(entry)

    async def _number(self, turn: Turn) -> int:
        # RT knows a callid, Plivo a CallUUID; only the bridge knows both.
        if turn.call not in self._numbers:
            uuid = await self.host.uuid_of(turn.call)
            for line in self.plivo.lines:
                known = line.uuid == uuid if uuid else self._may_be(line, turn.request)
                if known:
                    self._numbers[turn.call] = line.number
                    break
        return self._numbers.get(turn.call, 0)

    def _may_be(self, line: Line, request: Mapping[str, Any]) -> bool:
        # Good enough without the bridge's word: the first unclaimed call with these numbers.
        who = digits(str(request.get("cli_number"))), digits(str(request.get("number")))
        free = line.number not in self._numbers.values()
        return free and (line.leg.caller, line.leg.called) == who

    async def restart_bridge(self) -> None:
        """Kill the bridge, which must run in a process of its own, and start it again.

        Raises RuntimeError, BridgeStartError.
        """
        if not isinstance(self.host, OwnProcess):
            raise RuntimeError("Only a bridge in a process of its own can be killed.")  # noqa: TRY004
        with self.clock.busy():
            await self.host.kill()
            await self.host.start()
            self.plivo.via[self.host.settings.public_url] = self.host.address

    def summary(self) -> str:
        """Give the protocol violations and soft failures as text; "" when there are none."""
        parts = list(self.soft_failures)
        parts += [str(one) for one in self.contract.errors]
        return "\n".join(parts)

    @property
    def violations(self) -> list[Violation]:
        """List what the app did against the protocol and nobody allowed."""
        return self.contract.found


@asynccontextmanager
async def rig(
    app: AppUnderTest,
    *,
    path: str = "",
    seed: int | None = None,
    profile: Profile | str = NORMAL,
    faults: str | Sequence[str | Fault] = (),
    app_settings: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    allow: str | Sequence[str] = (),
    number: str = CALLED,
    clock: SimulationClock | None = None,
    own_process: bool = False,
    patience_s: float = 60.0,
) -> AsyncIterator[Rig]:
    """Put bridge and simulated Plivo around an app, and take them down again.

    `app` is a URL, an application or a command (see app_under_test), `path` is added to its base
    URL. `faults` and `allow` are lists, or one text. `app_settings` and `settings` are settings of the bridge, for the app and in all; `allow`
    names protocol violations that are expected; `clock` is real time when it is RealTime().
    With `own_process` the bridge is a process that can be killed; its store is then to be a file.
    Any number with a plus that is dialled leads to the app, unless a test says otherwise in
    `plivo.numbers`; `number` is also what the account has at first.
    Raises AppStartError, FaultError, ValueError for wrong options (pydantic's for settings).
    """
    chosen = seed if seed is not None else int.from_bytes(os.urandom(3))
    wanted = [faults] if isinstance(faults, str) else faults
    rules = tuple(one if isinstance(one, Fault) else Fault.parse(one) for one in wanted)
    contract = Contract(allow=[allow] if isinstance(allow, str) else allow)
    time = clock or VirtualClock(patience_s=patience_s)
    plivo = Plivo(
        clock=time,
        account=ACCOUNT,
        seed=chosen,
        profile=_profile(profile),
    )
    plivo.faults = Faults(rules, plivo.random)
    async with AsyncExitStack() as stack:
        stack.enter_context(_quiet())
        served = await stack.enter_async_context(serving(app))
        base = served.url
        await _reachable(base)
        await stack.enter_async_context(plivo)
        made: list[Rig] = []

        async def heard(turn: Turn) -> None:
            await made[0].heard(turn)

        tap = Tap({HASH: base + path}, plivo.clock.now, heard, time.busy)
        await tap.start()
        stack.push_async_callback(tap.stop)
        app_given = {"numbers": [f"+{digits(number)}"], **(app_settings or {})}
        given = _given(plivo, {**app_given, "url": tap.url(HASH)}, settings or {})
        host = _host(given, time, own_process=own_process)
        made.append(Rig(plivo, host, contract, chosen, base + path, app_said=served.said))
        # A bridge that cannot listen has opened its store by then.
        stack.push_async_callback(host.stop)
        await host.start()
        # Before the bridge, which waits for requests in flight.
        stack.push_async_callback(plivo.halt)
        public_url = host.settings.public_url
        plivo.via[public_url] = host.address
        plivo.numbers[digits(number)] = Application.at(public_url, HASH)
        yield made[0]


def _profile(profile: Profile | str) -> Profile:
    if isinstance(profile, Profile):
        return profile
    if profile not in PROFILES:
        raise ValueError(f"The profile is {' or '.join(PROFILES)}, not {profile!r}.")
    return PROFILES[profile]


def _answer(turn: Turn) -> str:
    """Say in a word or two what the app answered."""
    if turn.status != HTTPStatus.OK:
        return f"status {turn.status}"
    if turn.reply is not None:
        return str(turn.reply.get("command") or "no command")
    return "no JSON object" if turn.body.strip() else "nothing"


def _given(plivo: Plivo, app: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "public_url": PUBLIC_URL,
        "listen": "127.0.0.1:0",
        "admin_listen": "127.0.0.1:0",
        "plivo_auth_id": ACCOUNT.auth_id,
        "plivo_auth_tokens": [ACCOUNT.auth_token],
        "plivo_api_url": plivo.api_url,
        "store": "memory:",
        "rpc_login": RPC_LOGIN,
        "rpc_password": RPC_PASSWORD,
        "apps": {HASH: app},
        **settings,
    }


def _host(given: Mapping[str, Any], clock: SimulationClock, *, own_process: bool) -> Host:
    if not own_process:
        return InProcess(Settings.model_validate(given), clock)
    if not isinstance(clock, VirtualClock):
        raise TypeError("A bridge in a process of its own shares virtual time only.")
    return OwnProcess(given, clock)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Let the bridge log warnings only, to standard error, unless the program has its own logs."""
    if structlog.is_configured():
        yield
        return
    structlog.configure(
        processors=[redact_event, structlog.dev.ConsoleRenderer(colors=False)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        # Loggers that keep a configuration would keep this one beyond the rig.
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.reset_defaults()


async def _reachable(url: str) -> None:
    """Raise AppStartError unless something listens behind the URL; nothing is asked of it."""
    where = URL(url)
    try:
        async with asyncio.timeout(_REACH_S):
            _, writer = await asyncio.open_connection(where.host, where.port)
    except (OSError, TimeoutError) as error:
        reason = str(error) or "no connection in time"
        raise AppStartError(f"The app at {url} cannot be reached: {reason}.") from None
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


__all__ = [
    "ACCOUNT",
    "CALLED",
    "CALLER",
    "HASH",
    "NEVER_ENDED",
    "PUBLIC_URL",
    "CalleeSetting",
    "Phone",
    "Rig",
    "rig",
]
