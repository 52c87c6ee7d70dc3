"""A caller on the simulated Plivo: carries out documents, and presses keys as its seed tells."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from random import Random
from urllib.parse import urlsplit

from crash.commands import Step
from crash.plivo import Form, Leg, Plivo, Undelivered
from lxml import etree


class Caller:
    """One call; `steps` and `leg.deliveries` hold what happened."""

    def __init__(self, plivo: Plivo, leg: Leg, rng: Random) -> None:
        self._plivo = plivo
        self._rng = rng
        self.leg = leg
        self.steps: list[Step] = []
        self.callid = 0
        #: Plivo gave a webhook up, as after a long outage.
        self.gave_up = False

    async def run(self) -> None:
        """Place the call and stay until it is over; the hangup is always reported."""
        try:
            document: bytes | None = await self._plivo.answer(self.leg)
            while document is not None:
                document = await self._step(document)
        except Undelivered:
            self.gave_up = True
        await self._hang_up()

    async def _step(self, document: bytes) -> bytes | None:
        """Carry out one document; give the next one, or None when the call is over."""
        rng = self._rng
        root = etree.fromstring(document)
        if [element.tag for element in root] == ["Hangup"]:
            self.steps.append(Step(document))
            return None
        step = Step(document)
        self.steps.append(step)
        url, fields = self._choose(root)
        _, _, _, callid, number, kind = urlsplit(url).path.split("/")
        assert len(self.steps) == int(number), (self.steps[-2:], url)
        self.callid = int(callid)
        notices = self._notices(root, kind, fields)
        whim = rng.random()
        if whim < 0.05:
            await self._leave(step, notices)
            return None
        step.kind, step.form = kind, fields
        step.sure = False
        form = self.leg.form(**fields)
        # One webhook in ten arrives twice at the same time, one in thirty beside the hangup.
        copies = 2 if whim > 0.9 else 1
        webhooks = [self._plivo.deliver(self.leg, url, form) for _ in range(copies)]
        others = [self._plivo.deliver(self.leg, at, data) for at, data in notices]
        if whim < 0.08:
            others.append(self._hang_up())
        answers = await asyncio.gather(*webhooks, *others)
        if whim < 0.08:
            return None
        step.sure = True
        assert len(set(answers[:copies])) == 1, answers
        return answers[0]

    async def _leave(self, step: Step, notices: list[tuple[str, Form]]) -> None:
        """Hang up now; a recording in progress is kept, and reported before or afterwards."""
        events = [self._hang_up(), *(self._plivo.deliver(self.leg, *n) for n in notices)]
        step.recorded = any("/notice/recording/" in at for at, _ in notices)
        self._rng.shuffle(events)
        for event in events:
            await event

    async def _hang_up(self) -> bytes:
        """Report the hangup until it is delivered: what follows from losing it is not told here."""
        while True:
            with suppress(Undelivered):
                await self._plivo.hang_up(self.leg)
                return b""

    def _choose(self, root: etree._Element) -> tuple[str, Form]:
        """Give the URL that is fetched after this document, and what it is told."""
        rng = self._rng
        for element in root:
            action = element.get("action", "")
            match element.tag:
                case "GetDigits" if rng.random() < 0.7:
                    most = int(element.get("numDigits", "1"))
                    keys = "".join(rng.choices("0123456789", k=rng.randint(0, most)))
                    return action, {"Digits": keys}
                case "GetInput" if rng.random() < 0.5:
                    return action, {"Speech": "hello", "InputType": "speech"}
                case "Record" if element.get("recordSession") or rng.random() < 0.9:
                    recording = f"rec-{self.leg.number}-{len(self.steps)}"
                    url = f"https://media.plivo.com/{recording}.mp3"
                    return action, {"RecordingID": recording, "RecordUrl": url}
                case "Dial":
                    status = rng.choice(["busy", "no-answer", "failed", "completed"])
                    return action, {"DialStatus": status, "DialHangupCause": status.upper()}
                case "Conference" if rng.random() < 0.8:
                    return action, {"ConferenceUUID": f"room-{self.leg.number}"}
                case "Redirect":
                    return element.text or "", {"Event": "Redirect"}
                case _:
                    pass
        raise AssertionError(etree.tostring(root))

    def _notices(self, root: etree._Element, kind: str, fields: Form) -> list[tuple[str, Form]]:
        """List the callbacks that come in the background."""
        found: list[tuple[str, Form]] = []
        for element in root:
            url = element.get("callbackUrl")
            if url is None or kind == "next":
                continue
            if kind == "conference":
                base = {"ConferenceName": element.text or "", "ConferenceMemberID": "7", **fields}
                found += [
                    (url, self.leg.form(**base, ConferenceAction=a)) for a in ("enter", "exit")
                ]
            elif kind == "recording" and not element.get("recordSession"):
                found.append((url, self.leg.form(**fields)))
        return found
