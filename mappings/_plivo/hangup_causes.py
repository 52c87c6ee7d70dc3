"""Why a call ended: Plivo's cause codes, and the RT status of an outbound call that never got up.

RT has four words for such a call, and the app gets one of them in its only request: NOANSWER,
BUSY, CONGESTION (the carrier or the destination refused) and REJECTED (the platform refused: the
account, its settings or its service did not let the call happen).  Plivo has some fifty numeric
codes, a raw switch cause, and a coarse ``CallStatus``.  The numeric code is the most precise and
is documented, so it is read first; the raw causes are an open set named by the switch.

Codes and names: Plivo "Hangup Causes" page (voice/troubleshooting).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

__all__ = ["CAUSES", "FinalStatus", "HangupCause", "describe", "final_status"]

FinalStatus: TypeAlias = Literal["HANGUP", "NOANSWER", "BUSY", "CONGESTION", "REJECTED"]


@dataclass(frozen=True, slots=True)
class HangupCause:
    """One documented cause: its Plivo name, and the RT status of a call that never got up.

    ``status`` is None where the code does not say why nobody was reached: the raw cause and
    ``CallStatus`` decide then.  ``reason`` says why the status is what it is.
    """

    name: str
    status: FinalStatus | None
    reason: str


_WITHDRAWN = "taken back while unanswered; RT has no word of its own for it"
_ACCOUNT = "the account's credit, limits or permissions forbid the call"
_CALLER_ID = "a caller id problem that the account owner has to cure"
_SIP_LOGIN = "the SIP credentials configured at the platform were refused"
_DESTINATION = "the number or endpoint dialled cannot be reached"
_DECLINED = "the far end refused the call, which a carrier reports like a block"
_CARRIER = "the carrier failed to set the call up"
_NETWORK = "the call got lost between the platform and the carrier"
_ANSWERED = "an ordinary end that presumes an answered call"
_OUR_DOCUMENT = "picked up, but the platform could not run our document: the app never saw the call"
_NOBODY = "nobody took the call"

CAUSES: Final[dict[int, HangupCause]] = {
    0: HangupCause("Unknown", None, "says nothing"),
    1000: HangupCause("Canceled", "NOANSWER", _WITHDRAWN),
    1010: HangupCause("Canceled (Out Of Credits)", "REJECTED", _ACCOUNT),
    1020: HangupCause("Canceled (Simultaneous dial limit reached)", "REJECTED", _ACCOUNT),
    2000: HangupCause("Invalid Destination Address", "CONGESTION", _DESTINATION),
    2010: HangupCause("Destination Out Of Service", "CONGESTION", _DESTINATION),
    2020: HangupCause("Endpoint Not Registered", "CONGESTION", _DESTINATION),
    2030: HangupCause("Destination Country Barred", "REJECTED", _ACCOUNT),
    2040: HangupCause("Destination Number Barred", "REJECTED", _ACCOUNT),
    2050: HangupCause("Destination Prefix Barred", "REJECTED", _ACCOUNT),
    2060: HangupCause("Loop Detected", "REJECTED", "the platform refuses to dial the caller back"),
    2070: HangupCause("Violates Media Anchoring", "REJECTED", "the platform enforces Indian rules"),
    3000: HangupCause("No Answer", "NOANSWER", _NOBODY),
    3010: HangupCause("Busy Line", "BUSY", "the line is busy"),
    3020: HangupCause("Rejected", "CONGESTION", _DECLINED),
    3030: HangupCause("Unknown Caller ID", "REJECTED", _CALLER_ID),
    3040: HangupCause("Forbidden", "CONGESTION", _DECLINED),
    3050: HangupCause("Unallocated Number", "CONGESTION", _DESTINATION),
    3070: HangupCause("Request Timeout", "CONGESTION", "the carrier, not the callee, was silent"),
    3080: HangupCause("Carrier Internal Error", "CONGESTION", _CARRIER),
    3090: HangupCause("Carrier Congestion", "CONGESTION", _CARRIER),
    3100: HangupCause("Busy Everywhere", "BUSY", "every line of the callee is busy"),
    3110: HangupCause("Declined", "CONGESTION", _DECLINED),
    3120: HangupCause("User Does Not Exist Anywhere", "CONGESTION", _DESTINATION),
    3130: HangupCause("Spam Block", "REJECTED", _CALLER_ID),
    3140: HangupCause("DNO Caller ID", "REJECTED", _CALLER_ID),
    4000: HangupCause("Normal Hangup", None, _ANSWERED),
    4010: HangupCause("End Of XML Instructions", None, _ANSWERED),
    4020: HangupCause("Multiparty Call Ended", None, _ANSWERED),
    4030: HangupCause("Kicked Out Of Multiparty Call", None, _ANSWERED),
    4210: HangupCause("SIP Authentication Failure", "REJECTED", _SIP_LOGIN),
    4240: HangupCause("SIP Authentication Failed", "REJECTED", _SIP_LOGIN),
    4250: HangupCause("SIP Authentication Timeout", "REJECTED", _SIP_LOGIN),
    5000: HangupCause("Network Error", "CONGESTION", _NETWORK),
    5010: HangupCause("Internal Error", "CONGESTION", _NETWORK),
    5020: HangupCause("Routing Error", "CONGESTION", _NETWORK),
    5030: HangupCause("Concurrency Limit", "REJECTED", _ACCOUNT),
    6000: HangupCause("Scheduled Hangup", None, _ANSWERED),
    6010: HangupCause("Ring Timeout Reached", "NOANSWER", _NOBODY),
    6020: HangupCause("Media Timeout", None, _ANSWERED),
    7011: HangupCause("Error Reaching Answer URL", "REJECTED", _OUR_DOCUMENT),
    7012: HangupCause("Error Reaching Action URL", "REJECTED", _OUR_DOCUMENT),
    7013: HangupCause("Error Reaching Transfer URL", "REJECTED", _OUR_DOCUMENT),
    7014: HangupCause("Error Reaching Redirect URL", "REJECTED", _OUR_DOCUMENT),
    7022: HangupCause("Invalid Action URL", "REJECTED", _OUR_DOCUMENT),
    7023: HangupCause("Invalid Transfer URL", "REJECTED", _OUR_DOCUMENT),
    7024: HangupCause("Invalid Redirect URL", "REJECTED", _OUR_DOCUMENT),
    7032: HangupCause("Invalid Method For Action URL", "REJECTED", _OUR_DOCUMENT),
    7033: HangupCause("Invalid Method For Transfer URL", "REJECTED", _OUR_DOCUMENT),
    7034: HangupCause("Invalid Method For Redirect URL", "REJECTED", _OUR_DOCUMENT),
    8011: HangupCause("Invalid Answer XML", "REJECTED", _OUR_DOCUMENT),
    8012: HangupCause("Invalid Action XML", "REJECTED", _OUR_DOCUMENT),
    8013: HangupCause("Invalid Transfer XML", "REJECTED", _OUR_DOCUMENT),
    8014: HangupCause("Invalid Redirect XML", "REJECTED", _OUR_DOCUMENT),
    9000: HangupCause("Lost Race", "NOANSWER", "another leg was answered first"),
    9100: HangupCause("Machine Detected", "NOANSWER", "a machine picked up, nobody took the call"),
    9110: HangupCause("Confirm Key Challenge Failed", "NOANSWER", _NOBODY),
}

# Switch causes (FreeSWITCH names) that say why an unanswered call failed.  NORMAL_CLEARING and its
# like are absent on purpose: they say nothing about an unanswered call.
_RAW_CAUSES: Final[dict[str, FinalStatus]] = {
    "NO_ANSWER": "NOANSWER",
    "NO_USER_RESPONSE": "NOANSWER",
    "ORIGINATOR_CANCEL": "NOANSWER",
    "PROGRESS_TIMEOUT": "NOANSWER",
    "LOSE_RACE": "NOANSWER",
    "PICKED_OFF": "NOANSWER",
    "USER_BUSY": "BUSY",
    "CALL_REJECTED": "CONGESTION",
    "INCOMING_CALL_BARRED": "CONGESTION",
    "FACILITY_REJECTED": "CONGESTION",
    "UNALLOCATED_NUMBER": "CONGESTION",
    "NUMBER_CHANGED": "CONGESTION",
    "INVALID_NUMBER_FORMAT": "CONGESTION",
    "NO_ROUTE_DESTINATION": "CONGESTION",
    "NO_ROUTE_TRANSIT_NET": "CONGESTION",
    "DESTINATION_OUT_OF_ORDER": "CONGESTION",
    "INCOMPATIBLE_DESTINATION": "CONGESTION",
    "SUBSCRIBER_ABSENT": "CONGESTION",
    "USER_NOT_REGISTERED": "CONGESTION",
    "EXCHANGE_ROUTING_ERROR": "CONGESTION",
    "GATEWAY_DOWN": "CONGESTION",
    "INVALID_GATEWAY": "CONGESTION",
    "INTERWORKING": "CONGESTION",
    "NETWORK_OUT_OF_ORDER": "CONGESTION",
    "NORMAL_CIRCUIT_CONGESTION": "CONGESTION",
    "NORMAL_TEMPORARY_FAILURE": "CONGESTION",
    "RECOVERY_ON_TIMER_EXPIRE": "CONGESTION",
    "REQUESTED_CHAN_UNAVAIL": "CONGESTION",
    "SERVICE_UNAVAILABLE": "CONGESTION",
    "SWITCH_CONGESTION": "CONGESTION",
    "OUTGOING_CALL_BARRED": "REJECTED",
    "BEARERCAPABILITY_NOTAUTH": "REJECTED",
}

# "failed" is absent: it covers carrier and platform alike, and the hangup source tells them apart.
_CALL_STATUSES: Final[dict[str, FinalStatus]] = {
    "busy": "BUSY",
    "no-answer": "NOANSWER",
    "timeout": "NOANSWER",
    "cancel": "NOANSWER",
    "completed": "HANGUP",
}

_SOURCES: Final[dict[str, FinalStatus]] = {
    "carrier": "CONGESTION",
    "callee": "CONGESTION",
    "call recipient": "CONGESTION",
    "caller": "NOANSWER",
    "api request": "NOANSWER",
    "plivo": "REJECTED",
    "error": "REJECTED",
    "answer xml": "REJECTED",
}


def final_status(
    call_status: str,
    cause_code: str | int | None = None,
    cause: str | None = None,
    source: str | None = None,
) -> FinalStatus:
    """Return the RT ``call_status`` of an outbound call that ended without ever being up.

    The inputs are ``CallStatus``, ``HangupCauseCode``, ``HangupCause`` and ``HangupSource`` of the
    hangup request; any may be missing or unheard of.  The first that says something decides, in the
    order code, raw cause, status, source.  If none does, a call reported as failed counts as
    refused by the carrier and any other as refused by the platform.
    """
    number = _number(cause_code)
    known = CAUSES.get(number) if number is not None else None
    if known is not None and known.status is not None:
        return known.status
    status = call_status.strip().lower()
    raw = (cause or "").strip().upper().replace(" ", "_").replace("-", "_")
    return (
        _RAW_CAUSES.get(raw)
        or _CALL_STATUSES.get(status)
        or _SOURCES.get((source or "").strip().lower())
        or ("CONGESTION" if status == "failed" else "REJECTED")
    )


def describe(cause_code: str | int | None) -> str:
    """Return Plivo's name for a cause code, for logs; never raises."""
    number = _number(cause_code)
    if number is None:
        return "no cause code"
    known = CAUSES.get(number)
    return known.name if known is not None else f"unlisted cause code {number}"


def _number(cause_code: str | int | None) -> int | None:
    text = str(cause_code).strip()
    # Four digits are all Plivo has; a bound keeps a hostile value out of int() and of the log.
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= len("9110") else None
