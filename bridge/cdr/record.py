"""One call record, and its stored form.

Every leg of a call has one: the caller's (or, outbound, that of the person who was called), and one
for each number a `dialout` rang. Numbers are in E.164, times are wall time in s by the clock of the
bridge: Plivo's own come in two zones and name neither (its page on webhooks).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

from pydantic_core import from_json, to_json

from bridge.redaction import mask_number
from bridge.store.protocol import RecordRow, RecordWrite

KIND: Final = "cdr"


@dataclass(slots=True)
class Cdr:
    """One leg. `leg` is 0 for that of the call itself, else the number of the document that dialled.

    `duration` and `billed` are s from the answer on, as Plivo counts them; None = nobody knows.
    `status` is the RT word for how it ended. `commands` lists name, class of result and how often
    in a row; results themselves are not kept, because they may be keys that somebody pressed.
    """

    callid: int
    leg: int
    app: str
    direction: str
    caller: str
    called: str
    started_at: float
    ended_at: float
    uuid: str = ""
    request_hash: str | None = None
    cdr_field: str = ""
    answered_at: float | None = None
    duration: int | None = None
    billed: int | None = None
    status: str = ""
    ended_by: str = ""
    cause_code: str = ""
    cause: str = ""
    commands: list[tuple[str, str, int]] = field(default_factory=list)
    #: What Plivo's Dial said of a dialled leg, "" = nothing yet.
    dial_status: str = ""

    def redacted(self) -> Cdr:
        """Give a copy without numbers by which a person could be found."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        values |= {"caller": _masked(self.caller), "called": _masked(self.called)}
        return Cdr(**values)


_STORED: Final = tuple(one.name for one in fields(Cdr))


def _masked(number: str) -> str:
    # A record is amended, and so redacted, more than once.
    return number if "*" in number else mask_number(number)


def key_of(callid: int, leg: int) -> str:
    """Give the key of a leg's record."""
    return f"{callid}.{leg}"


def load(row: RecordRow) -> Cdr:
    """Read a stored record; fields of a newer release are ignored."""
    stored: dict[str, Any] = from_json(row.blob)
    known = {name: stored[name] for name in _STORED if name in stored}
    known["commands"] = [tuple(one) for one in known.get("commands", ())]
    return Cdr(**known)


def written(cdr: Cdr, base: int, *, keep_s: float, redact: bool) -> RecordWrite:
    """Give the write that stores a record in the place of version `base`, 0 = there is none."""
    return RecordWrite(
        KIND,
        key_of(cdr.callid, cdr.leg),
        base,
        to_json(asdict(cdr.redacted() if redact else cdr)),
        # By its end, so that whoever reads on from the last one misses no long call.
        sort=cdr.ended_at,
        scope=cdr.app,
        expires_at=cdr.ended_at + keep_s,
    )


__all__ = ["KIND", "Cdr", "key_of", "load", "written"]
