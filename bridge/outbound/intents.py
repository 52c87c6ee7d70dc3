"""The intent to call somebody: what is known of an outbound call before it is a call.

Its hash is the `request_hash` of every RT.Request of the call, and the token in the URLs that Plivo
asks for it.
"""

from __future__ import annotations

import secrets
import string
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Final
from urllib.parse import quote

from pydantic_core import from_json, to_json

from bridge.addresses import RETRIES

KIND: Final = "intent"
#: As long as the hash the RT page shows, and of its letters: apps may have a column for it.
HASH_LENGTH: Final = 8
_LETTERS: Final = string.ascii_uppercase + string.digits


class Phase(StrEnum):
    """How far an intent got."""

    #: Not dialled; it waits for its turn.
    QUEUED = "queued"
    #: Dialled, perhaps: the request to Plivo was about to be sent, or its outcome is unknown.
    SENDING = "sending"
    #: Plivo took it, or its phone rings.
    DIALLED = "dialled"
    #: It is the call `callid`.
    ADOPTED = "adopted"
    #: It never became a call that was up; the app was or will be told so as `callid`.
    OVER = "over"


#: What the list of intents goes by: still to be dialled, out, or done with.
SCOPES: Final = {
    Phase.QUEUED: "queued",
    Phase.SENDING: "out",
    Phase.DIALLED: "out",
    Phase.ADOPTED: "done",
    Phase.OVER: "done",
}


@dataclass(slots=True)
class Intent:
    """One outbound call. Numbers are in E.164, `caller_id` is what is shown; times in s.

    `uuid` is Plivo's CallUUID once a webhook told it; `request_uuid` what Plivo answered, which may
    or may not be the same (Plivo's page "Make a call").
    """

    hash: str
    app: str
    number: str
    caller_id: str
    timeout_s: int
    created_at: float
    cdr_field: str = ""
    phase: Phase = Phase.QUEUED
    sent_at: float = 0.0
    request_uuid: str = ""
    uuid: str = ""
    callid: int = 0
    #: Version in the store; 0 = not stored yet.
    version: int = 0

    @property
    def done(self) -> bool:
        """Tell whether nothing is left to happen to it."""
        return SCOPES[self.phase] == "done"


_STORED: Final = tuple(f.name for f in fields(Intent) if f.name != "version")


def new_hash() -> str:
    """Make up a hash nobody can guess; the store refuses one that is taken."""
    return "".join(secrets.choice(_LETTERS) for _ in range(HASH_LENGTH))


def dump(intent: Intent) -> bytes:
    """Give the stored form."""
    values = asdict(intent)
    del values["version"]
    return to_json(values)


def load(blob: bytes, version: int) -> Intent:
    """Read the stored form; fields of a newer release are ignored."""
    stored = from_json(blob)
    intent = Intent(**{name: stored[name] for name in _STORED if name in stored})
    intent.phase = Phase(intent.phase)
    intent.version = version
    return intent


def entry_url(public_url: str, intent: Intent, entry: str) -> str:
    """Address Plivo asks for this call: `answer`, `ring`, `hangup` or `fallback`."""
    return f"{public_url}/plivo/{quote(intent.app)}/{entry}/{intent.hash}{RETRIES}"


__all__ = ["KIND", "SCOPES", "Intent", "Phase", "dump", "entry_url", "load", "new_hash"]
