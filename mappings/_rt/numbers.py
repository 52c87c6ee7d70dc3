"""Phone numbers as params: E.164, tolerantly read, "BLOCKED" where the RT page allows it."""

from __future__ import annotations

from typing import Any, Final

from mappings._plivo.numbers import normalize_e164

#: No number has more than 15 digits (ITU-T E.164).
_BEYOND: Final = 10**15


def phone_number(raw: Any) -> Any:
    """Read a number in E.164, with "+" whether or not the app wrote it. Raises ValueError.

    A JSON number is its digits, 33612345678.0 too: neither its point nor its sign is a separator.
    What is neither text nor number is given back, for the params model to complain of.
    """
    if type(raw) is int or type(raw) is float:
        raw = str(int(raw)) if 0 <= raw < _BEYOND and raw == int(raw) else ""
    return normalize_e164(raw) if isinstance(raw, str) else raw


def caller_id(raw: Any) -> Any:
    """Read a caller id: a number, or BLOCKED in any case. Raises ValueError."""
    if isinstance(raw, str) and raw.strip().upper() == "BLOCKED":
        return "BLOCKED"
    return phone_number(raw)


__all__ = ["caller_id", "phone_number"]
