"""Phone numbers as params: E.164, tolerantly read, "BLOCKED" where the RT page allows it."""

from __future__ import annotations

from mappings._plivo.numbers import normalize_e164


def phone_number(raw: str) -> str:
    """Read a number in E.164, with "+" whether or not the app wrote it. Raises ValueError."""
    return normalize_e164(raw)


def caller_id(raw: str) -> str:
    """Read a caller id: a number, or BLOCKED in any case. Raises ValueError."""
    return "BLOCKED" if raw.strip().upper() == "BLOCKED" else phone_number(raw)


__all__ = ["caller_id", "phone_number"]
