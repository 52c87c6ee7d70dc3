"""Telephone numbers: RT writes ``+CCNSN``, Plivo writes the same digits mostly without the "+".

RT fields hold E.164 with "+", or "" when the number is unknown (Real-Time page, ``RT.Request``).
Plivo sends the country code without "+" on most webhooks, with "+" on some, and a SIP URI on SIP
legs; what it sends for anonymous callers is not documented, so anything else counts as unknown.
"""

from __future__ import annotations

import re

__all__ = ["is_e164", "normalize_e164", "to_e164", "to_plivo"]

_DIGITS = re.compile(r"\+?([0-9]+)")
_SIP = re.compile(
    r"<?(?P<scheme>sips?):(?P<user>[^\s@:;?<>\"]+)(?:[:;][^\s@<>]*)?@(?P<host>[^\s@;?<>\"]+)",
    re.IGNORECASE,
)
_SIP_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_HIDDEN_USERS = frozenset({"anonymous", "private", "restricted", "unavailable", "unknown"})

# ITU-T E.164: at most 15 digits and no country code begins with 0.  Seven is the shortest number
# in service (country code 683 with four digits), so shorter input is a typing error.
_E164 = re.compile(r"[1-9][0-9]{6,14}")
_SEPARATORS = re.compile(r"[\s.\-\u2010-\u2015]+")


def to_e164(raw: str | None) -> str:
    """Return the RT spelling of a Plivo ``From`` or ``To``: ``+…``, a SIP URI, or "" if unknown.

    A SIP URI keeps its user and host only, and becomes a plain number when its user is one with
    "+" (a user of bare digits is an extension, whose country code nobody can know).
    """
    text = (raw or "").strip()
    if match := _DIGITS.fullmatch(text):
        digits = match[1].removeprefix("00")
        # Some carriers send a run of zeros for a withheld number.
        return f"+{digits}" if digits.strip("0") else ""
    sip = _SIP.match(text)
    if sip is None:
        return normalize_e164(text) if is_e164(text) else ""
    user = sip["user"]
    if _SIP_NUMBER.fullmatch(user):
        return user
    host = sip["host"]
    if user.lower() in _HIDDEN_USERS or host.lower() == "anonymous.invalid":
        return ""
    return f"{sip['scheme'].lower()}:{user}@{host}"


def to_plivo(number: str) -> str:
    """Return the spelling Plivo takes in XML and REST: no leading "+"; SIP URIs unchanged."""
    return number.strip().removeprefix("+")


def normalize_e164(number: str) -> str:
    """Return ``+CCNSN`` for a number an RT app wrote, as a dialout target or ``cli``.

    Spaces, dots, dashes, a missing "+" and the international prefix 00 are forgiven.  Raises
    ``ValueError`` otherwise; the message leaves the number out, since it may reach a log.
    """
    digits = _SEPARATORS.sub("", number)
    digits = digits[1:] if digits.startswith("+") else digits.removeprefix("00")
    if not digits.isascii() or _E164.fullmatch(digits) is None:
        raise ValueError('must be an international number such as "+33612345678": 7 to 15 digits')
    return f"+{digits}"


def is_e164(number: str) -> bool:
    """Tell whether `normalize_e164` accepts the number."""
    try:
        normalize_e164(number)
    except ValueError:
        return False
    return True
