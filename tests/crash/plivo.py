"""Plivo's side of a call, as far as kills need it: signed webhooks, repeated when they break off."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from random import Random
from time import monotonic
from urllib.parse import urlencode, urlsplit

import aiohttp
from crash.processes import APP, TOKEN, BridgeProcess

from bridge.plivo.signature import sign

#: "rc: retries, 0-5" (Plivo's callback configuration page): one request and five repetitions.
ATTEMPTS = 6
#: At most this many attempts of one webhook are made although nobody may be listening.
IMPATIENT = 2
PAUSE_S = 0.05

Form = dict[str, str]


class Undelivered(Exception):  # noqa: N818 - named for what happened
    """All attempts of a webhook broke off."""


@dataclass(slots=True)
class Delivery:
    """One webhook: what was sent, and the answer if any attempt got one."""

    url: str
    form: Form
    sent_at: float
    answer: bytes = b""
    answered_at: float = 0.0
    attempts: int = 0


@dataclass(slots=True)
class Leg:
    """One call as Plivo knows it."""

    uuid: str
    number: str
    to: str = "33170000000"
    deliveries: list[Delivery] = field(default_factory=list)

    def form(self, **fields: str) -> Form:
        """Give the parameters of every webhook of this call, and these."""
        return {
            "CallUUID": self.uuid,
            "From": self.number,
            "To": self.to,
            "Direction": "inbound",
            "CallStatus": "in-progress",
            **fields,
        }


class Plivo:
    """Sends webhooks to one bridge that may be killed at any moment."""

    def __init__(self, bridge: BridgeProcess, session: aiohttp.ClientSession, rng: Random) -> None:
        self._bridge = bridge
        self._session = session
        self._rng = rng
        #: Requests that were broken off by a kill or refused in between.
        self.broken_off = 0
        #: Set by every answer.
        self.progress = asyncio.Event()

    async def answer(self, leg: Leg) -> bytes:
        """Fetch the first document of a call."""
        form = leg.form(Event="StartApp", CallStatus="ringing")
        return await self.deliver(leg, f"/plivo/{APP}/answer", form)

    async def hang_up(self, leg: Leg) -> None:
        """Report the end of a call."""
        fields = {"HangupCause": "NORMAL_CLEARING", "HangupCauseCode": "4000"}
        form = leg.form(Event="Hangup", CallStatus="completed", HangupSource="Caller", **fields)
        await self.deliver(leg, f"/plivo/{APP}/hangup", form)

    async def deliver(self, leg: Leg, url: str, form: Form) -> bytes:
        """Send one webhook until it is answered, six times at most. Raises Undelivered."""
        path = urlsplit(url).path
        delivery = Delivery(path, form, monotonic())
        leg.deliveries.append(delivery)
        patience = IMPATIENT
        for attempt in range(ATTEMPTS):
            delivery.attempts = attempt + 1
            try:
                answer = await self.send(path, form)
            except (aiohttp.ClientError, OSError):
                self.broken_off += 1
            else:
                delivery.answer, delivery.answered_at = answer, monotonic()
                return answer
            await asyncio.sleep(PAUSE_S)
            if patience and self._rng.random() < 0.3:
                patience -= 1
            else:
                # Plivo's patience (55 s in all) is much longer than a restart: no need to wait it out.
                await asyncio.wait_for(self._bridge.up.wait(), 30)
        raise Undelivered(path)

    async def send(self, path: str, form: Form) -> bytes:
        """Send one request with a fresh nonce and its signature; an answer other than 200 is a fault."""
        url = self._bridge.url + path
        pairs = list(form.items())
        nonce = str(self._rng.getrandbits(64))
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Plivo-Signature-V3": sign("POST", url, pairs, nonce, TOKEN),
            "X-Plivo-Signature-V3-Nonce": nonce,
        }
        async with self._session.post(url, data=urlencode(pairs), headers=headers) as response:
            body = await response.read()
            if response.status != 200:
                raise AssertionError(f"{path} was answered with {response.status}: {body!r}")
            self.progress.set()
            return body


def session() -> aiohttp.ClientSession:
    """Make the HTTP client of a simulated Plivo."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=20)
    )
