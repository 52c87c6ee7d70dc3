"""One turn of the Real-Time protocol, as it is heard between the bridge and the app."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final, NoReturn

__all__ = ["Turn", "parsed"]

#: What the bridge's reader takes away around the object.
_MARGIN: Final = "\ufeff \t\r\n\v\f"


@dataclass(frozen=True, slots=True)
class Turn:
    """A request to the app and what came back.

    `number` counts the turns of a simulation from 1; `at` is virtual time in s; `call` is the
    callid, `app` the app's hash; `request` is `raw_request` parsed. `status` is None when no reply
    came, and `failure` then says why, else it is "". `ms` is the real time the app took.
    """

    number: int
    at: float
    call: int
    app: str
    request: dict[str, Any]
    raw_request: bytes
    status: int | None
    body: bytes
    content_type: str
    failure: str
    ms: float

    @property
    def reply(self) -> dict[str, Any] | None:
        """The reply as parsed JSON, every field of it; None when it is no JSON object."""
        if self.status is None:
            return None
        try:
            value = parsed(self.body)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None


def parsed(body: bytes) -> Any:
    """Parse the body of a reply as the bridge does. Raises ValueError when it is no JSON."""
    try:
        return json.loads(
            body.decode().strip(_MARGIN),
            parse_int=_whole,
            parse_float=_fraction,
            parse_constant=_no_constant,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _whole(digits: str) -> int | str:
    try:
        return int(digits)
    except ValueError:
        # Python refuses thousands of digits; they are JSON all the same.
        return digits


def _fraction(digits: str) -> float | str:
    value = float(digits)
    # An infinite number could not be written as JSON again.
    return value if isfinite(value) else digits


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
