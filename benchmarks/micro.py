"""Single operations in a tight loop: ours and the alternative, alternated, for the same result.

In a server each costs two to three times as much (cold caches); only the ratios mean something.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import plivo.utils
from lxml import etree
from plivo import plivoxml

from benchmarks.documents import DIGITS, PROMPT, RT_REPLY, TURN_URL
from benchmarks.figures import Spread, ratios
from benchmarks.report import Report, Row, judge
from benchmarks.webhooks import AUTH_TOKEN, signature
from bridge.plivo.signature import verify
from mappings._plivo.render import render
from mappings._plivo.verbs import GetDigits, Speak
from mappings._rt.reader import read_response
from mappings._rt.request import RtRequest, write_request

if TYPE_CHECKING:
    from mappings._plivo.verbs import AudioUrl, Next, Notice, Sounds

__all__ = ["PAIRS", "measure_micro"]

Work = Callable[[], Any]

_VOICE: Final = ("Polly.Amy", "en-GB")
_NONCE: Final = "12345678901234567890"
_FORM: Final = {
    "CallUUID": "3e82ae9d-2c78-4d85-b1a4-6eae7dbafb36",
    "From": "33612345678",
    "To": "33178900000",
    "Direction": "inbound",
    "CallStatus": "in-progress",
    "Event": "Redirect",
    "CallerName": "33612345678",
    "SessionStart": "2026-01-09 17:27:55.779297",
    "BillRate": "0.005",
    "ParentAuthID": "MAXXXXXXXXXXXXXXXXXX",
    "RouteType": "Domestic_Anchored",
    "CountryCode": "FR",
    "STIRVerification": "Not Applicable",
    "STIRAttestation": "",
    "Digits": DIGITS,
}
_FIELDS: Final = list(_FORM.items())
_SIGNATURE: Final = signature(
    TURN_URL, "".join(name + value for name, value in sorted(_FIELDS)), _NONCE
).decode()


class _Fixed:
    """Every address of a document is the same."""

    def next(self, _target: Next) -> str:
        return TURN_URL

    def notice(self, _target: Notice) -> str:
        return TURN_URL

    def audio(self, _target: AudioUrl) -> str:
        return TURN_URL

    def sounds(self, _target: Sounds) -> str:
        return TURN_URL


def _render_ours() -> bytes:
    speak = Speak(PROMPT, voice=_VOICE[0], language=_VOICE[1])
    return render([GetDigits((speak,), timeout=4, digit_timeout=4, num_digits=4)], _Fixed())


def _render_sdk() -> Any:
    question = plivoxml.GetDigitsElement(
        action=TURN_URL, timeout=4, digit_timeout=4, num_digits=4, finish_on_key="#", retries=1
    )
    question.add(plivoxml.SpeakElement(PROMPT, voice=_VOICE[0], language=_VOICE[1]))
    document = plivoxml.ResponseElement()
    document.add(question)
    document.add(plivoxml.RedirectElement(TURN_URL))
    return document.to_string(pretty=False)


def _verify_ours() -> bool:
    return verify("POST", TURN_URL, _FIELDS, _NONCE, _SIGNATURE, (AUTH_TOKEN,))


def _verify_sdk() -> Any:
    return plivo.utils.validate_v3_signature(
        "POST", TURN_URL, _NONCE, AUTH_TOKEN, _SIGNATURE, _FORM
    )


_RT_REQUEST: Final[dict[str, Any]] = {
    "app": "DEFAULT",
    "callid": 421889,
    "request_hash": None,
    "cli_name": "",
    "cli_number": "+33612345678",
    "date_started": "2026-01-09 17:27:55",
    "number": "+33178900000",
    "command": "read",
    "command_id": 7,
    "command_result": DIGITS,
    "command_error": "",
    "call_status": "UP",
    "cdr_field": "",
    "variables": {"step": "ask"},
}


def _json_ours() -> bytes:
    read = read_response(RT_REPLY)
    known = _RT_REQUEST | {"command_id": read.command_id, "variables": read.variables}
    return write_request(RtRequest(**known))


def _json_plain() -> bytes:
    read = json.loads(RT_REPLY)
    known = _RT_REQUEST | {"command_id": read["command_id"], "variables": read["variables"]}
    return json.dumps(known).encode()


def _canonical(document: Any) -> bytes:
    return etree.tostring(etree.fromstring(document), method="c14n")


def _text(document: Any) -> bytes:
    return document.encode() if isinstance(document, str) else bytes(document)


PAIRS: Final[dict[str, tuple[Work, Work, Callable[[Any], Any]]]] = {
    "XML rendering, SDK / ours": (
        _render_ours,
        _render_sdk,
        lambda document: _canonical(_text(document)),
    ),
    "signature check, SDK / ours": (_verify_ours, _verify_sdk, bool),
    "RT.Response in and RT.Request out, json module / ours": (_json_ours, _json_plain, json.loads),
}
"""Ours, the alternative, and what must be equal of both results."""

_AIMS: Final = {"XML rendering, SDK / ours": 1.7, "signature check, SDK / ours": 10.0}


def measure_micro(*, rounds: int, seconds: float) -> Report:
    """Time each pair in `rounds` alternated loops of about `seconds` each."""
    report = Report("Single operations, us")
    for name, (ours, other, essence) in PAIRS.items():
        assert essence(ours()) == essence(other()), f"{name}: the results differ"
        times: dict[str, list[float]] = {"ours": [], "other": []}
        loops = {"ours": (ours, _count(ours, seconds)), "other": (other, _count(other, seconds))}
        for _ in range(rounds):
            for key, (work, count) in loops.items():
                times[key].append(_time(work, count))
        report.samples[name] = times
        spread = ratios(times["other"], times["ours"])
        mine, theirs = (Spread.of(times[key]).median * 1e6 for key in ("ours", "other"))
        text = f"{spread.text(1)}  ({theirs:.1f} / {mine:.1f} us)"
        aim = _AIMS.get(name)
        report.rows.append(
            Row(name, text, spread.median)
            if aim is None
            else judge(name, text, spread.median, least=aim)
        )
    return report


def _time(work: Work, count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        work()
    return (time.perf_counter() - start) / count


def _count(work: Work, seconds: float) -> int:
    _time(work, 50)
    return max(50, int(seconds / _time(work, 50)))
