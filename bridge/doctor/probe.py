"""A webhook of no call: whoever answers it with its name is a bridge with our token.

It is signed as Plivo signs, and names the call 0, which no bridge ever has; the answer is a
document that hangs up, and the name of the process is in a header. So nothing is told to anybody
who could not ask a bridge everything, and no call is touched.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode, urlsplit
from uuid import uuid4

import aiohttp
from yarl import URL

from bridge.doctor.patient import reason
from bridge.health import INSTANCE
from bridge.plivo.signature import sign

if TYPE_CHECKING:
    from bridge.doctor.patient import Patient

__all__ = ["Answer", "probe"]

_SHOWN: Final = 80
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `status` 0 = nothing; `what` describes it in a phrase.

    `instance` names the process of a bridge that accepted it.
    """

    status: int
    what: str
    instance: str = ""
    location: str = ""


async def probe(patient: Patient, app_hash: str, base: str = "", *, signed: bool = True) -> Answer:
    """Ask below the public URL, or below `base` with the path that the public URL has."""
    settings = patient.settings
    public = f"{settings.public_url}/plivo/{quote(app_hash)}/0/0/next"
    target = f"{base}{urlsplit(public).path}" if base else public
    form = [
        ("CallStatus", "in-progress"),
        ("CallUUID", str(uuid4())),
        ("Direction", "inbound"),
        ("Event", "Redirect"),
    ]
    headers = dict(_FORM)
    if signed and settings.plivo_auth_tokens:
        nonce = str(secrets.randbelow(10**20)).zfill(20)
        token = settings.plivo_auth_tokens[0].get_secret_value()
        headers["X-Plivo-Signature-V3-Nonce"] = nonce
        headers["X-Plivo-Signature-V3"] = sign("POST", public, form, nonce, token)
    try:
        async with patient.session.post(
            # As it was signed, whatever a client would make of it.
            URL(target, encoded=True),
            data=urlencode(form),
            headers=headers,
            allow_redirects=False,
        ) as response:
            text = (await response.content.read(4 * _SHOWN)).decode(errors="replace")
            words = " ".join(text.split())
            shown = words if len(words) <= _SHOWN else f"{words[: _SHOWN - 1]}…"
            what = f"status {response.status}" + (f": {shown}" if shown else "")
            instance = response.headers.get(INSTANCE, "")
            return Answer(response.status, what, instance, response.headers.get("Location", ""))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        return Answer(0, reason(error))
