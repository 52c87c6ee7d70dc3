"""Callers that call again and again: whole calls, from the first ring to the last webhook.

Each follows the documents as Plivo would: what a document asks for is posted to its action, or to
its Redirect; the callbacks about recordings, rooms and transferred calls come as well, and now and
then a request comes twice. Some callers hang up in the middle, the others wait for the app to do so.
"""

from __future__ import annotations

import html
import random
import re
from dataclasses import dataclass
from typing import Final

from benchmarks.webhooks import ANSWER_URL, PUBLIC_URL, answer_fields, post
from benchmarks.wire import UnexpectedReply

__all__ = ["Caller", "Count"]

HANGUP_URL: Final = f"{PUBLIC_URL}/plivo/DEFAULT/hangup"
_URL: Final = re.compile(
    rb'\b(action|callbackUrl)="([^"]*)"|<(Redirect)>([^<]*)</Redirect>|\bmethod="(GET)"'
)
#: Parts of the calls: the caller hangs up at a document, and Plivo sends a request again.
_LEAVES: Final = 0.05
_REPEATS: Final = 0.05
#: No dialogue of the app has so many documents.
_MOST_STEPS: Final = 30
#: What a document's continuation says, whatever it asks for.
_CAME: Final = {
    "CallStatus": "in-progress",
    "Event": "Redirect",
    "Digits": "1234",
    "RecordUrl": "https://media.example.com/{uuid}.mp3",
    "RecordingID": "{uuid}",
    "RecordingDuration": "3",
    "RecordingDurationMs": "3000",
    "DialStatus": "completed",
    "DialBLegUUID": "{uuid}-b",
    "ConferenceUUID": "c-{uuid}",
    "ConferenceName": "{room}",
    "ConferenceMemberID": "1",
}
_OVER: Final = {
    "CallStatus": "completed",
    "Event": "Hangup",
    "HangupCauseName": "NORMAL_CLEARING",
    "HangupCauseCode": "4000",
    "HangupSource": "Caller",
    "Duration": "12",
    "BillDuration": "60",
}
_ROOM: Final = re.compile(rb"<Conference[^>]*>([^<]*)</Conference>")


@dataclass(slots=True)
class Count:
    """What all callers have done so far."""

    calls: int = 0
    webhooks: int = 0


class Caller:
    """One who begins another call when one is over; a `Job` of the load."""

    def __init__(self, seed: int, count: Count) -> None:
        self._source = random.Random(f"caller {seed}")
        self._index = seed
        self._count = count
        self._waiting: list[bytes] = []
        self._over = self._repeated = False
        self._begin()

    @property
    def request(self) -> bytes:
        """The request to send next."""
        return self._waiting[0]

    def replied(self, document: bytes) -> None:
        """Go on with the call as the document says, or begin another one."""
        self._count.webhooks += 1
        sent = self._waiting.pop(0)
        if self._waiting:
            return
        if self._over:
            self._count.calls += 1
            self._begin()
        elif self._source.random() < _REPEATS and not self._repeated:
            self._repeated = True
            self._waiting.append(sent)
        else:
            self._follow(document)

    def _begin(self) -> None:
        self._form = answer_fields(self._index, self._source)
        self._over = self._repeated = False
        self._steps = 0
        self._send(ANSWER_URL, {})

    def _send(self, url: str, more: dict[str, str]) -> None:
        self._waiting.append(post(url.partition("#")[0], self._form | more))

    def _hang_up(self) -> None:
        self._over = True
        self._send(HANGUP_URL, _OVER)

    def _follow(self, document: bytes) -> None:
        self._repeated = False
        self._steps += 1
        if not document.startswith(b"<?xml") or self._steps > _MOST_STEPS:
            raise UnexpectedReply(f"Step {self._steps} of a call: {document[:600]!r}.")
        if b"<Hangup" in document or self._source.random() < _LEAVES:
            self._hang_up()
            return
        links = {
            (found[1] or found[3]).decode(): html.unescape((found[2] or found[4]).decode())
            for found in _URL.finditer(document)
            if not found[5]
        }
        uuid, room = self._form["CallUUID"], _ROOM.search(document)
        name = room[1].decode() if room else ""
        came = {key: text.format(uuid=uuid, room=name) for key, text in _CAME.items()}
        callback = links.get("callbackUrl")
        if callback is not None and room is not None:
            self._send(callback, came | {"ConferenceAction": "enter"})
            self._send(callback, came | {"ConferenceAction": "exit"})
        elif callback is not None:
            self._send(callback, came | {"DialAction": "answer"})
        self._send(links.get("action") or links["Redirect"], came)
