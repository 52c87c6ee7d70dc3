"""How calls end: raw cause, Plivo's code and name, and who ended it (page "Hangup causes").

Which raw cause goes with which code is not documented; these pairs are plausible.
"""

from __future__ import annotations

from typing import Final

from bridge.simulator.leg import (
    BUSY,
    CALLER_HUNG_UP,
    END_OF_DOCUMENT,
    HANGUP_ELEMENT,
    HUNG_UP_BY_API,
    NO_ANSWER,
    Ending,
)

REJECTED: Final = ("CALL_REJECTED", "3020", "Rejected", "Carrier")
CALLEE_HUNG_UP: Final = ("NORMAL_CLEARING", "4000", "Normal Hangup", "Callee")
CANCELLED: Final = ("ORIGINATOR_CANCEL", "1000", "Canceled", "Caller")
CANCELLED_BY_API: Final = ("ORIGINATOR_CANCEL", "1000", "Canceled", "API Request")
LOST_RACE: Final = ("LOSE_RACE", "9000", "Lost Race", "Plivo")
CONFIRM_FAILED: Final = ("NORMAL_CLEARING", "9110", "Confirm Key Challenge Failed", "Plivo")
MACHINE_DETECTED: Final = ("NORMAL_CLEARING", "9100", "Machine Detected", "Plivo")
LOOP_DETECTED: Final = ("NORMAL_CLEARING", "2060", "Loop Detected", "Plivo")
RING_TIMEOUT: Final = ("NO_ANSWER", "6010", "Ring Timeout Reached", "Plivo")
SCHEDULED_HANGUP: Final = ("ALLOTTED_TIMEOUT", "6000", "Scheduled Hangup", "Plivo")
UNKNOWN_CALLER_ID: Final = ("CALL_REJECTED", "3030", "Unknown Caller ID", "Plivo")
ROOM_ENDED: Final = ("NORMAL_CLEARING", "4000", "Normal Hangup", "Plivo")
REFUSED_BY_DOCUMENT: Final = ("CALL_REJECTED", "3020", "Rejected", "Answer XML")
BUSY_BY_DOCUMENT: Final = ("USER_BUSY", "3010", "Busy Line", "Answer XML")

#: Not of Plivo's making: the simulator itself broke.
BROKEN: Final = ("NORMAL_TEMPORARY_FAILURE", "5010", "Internal Error", "Plivo")

#: The last digit of the causes 7011 to 7014 and 8011 to 8014, by how a document was asked for.
_DIGITS: Final = {"answer": 1, "fallback": 1, "action": 2, "transfer": 3, "redirect": 4}
_CODES: Final = {
    "Error Reaching": (701, "URL"),
    "Invalid": (801, "XML"),
    "Invalid URL": (702, "URL"),
    "Invalid Method": (703, "URL"),
}


def failed(label: str, what: str) -> Ending:
    """Give the ending of a call whose document of this kind did not come or is not valid.

    `what` is "Error Reaching" or "Invalid" (the document); of a URL that a document names,
    "Invalid URL" or "Invalid Method".
    """
    begin, kind = _CODES[what]
    word = "Answer" if label == "fallback" else label.capitalize()
    name = f"{what.removesuffix(' URL')} {word} {kind}"
    if what == "Invalid Method":
        name = f"Invalid Method For {word} URL"
    return ("NORMAL_CLEARING", f"{begin}{_DIGITS[label]}", name, "Error")


def party_failed(code: int, cause: str) -> Ending:
    """Give the ending of a party that could not be reached."""
    return (cause, str(code), NAMES.get(code, "Unknown"), "Carrier")


#: Names by code, as far as calls to parties need them.
NAMES: Final = {
    0: "Unknown",
    1000: "Canceled",
    2000: "Invalid Destination Address",
    2010: "Destination Out Of Service",
    2020: "Endpoint Not Registered",
    2030: "Destination Country Barred",
    2040: "Destination Number Barred",
    2050: "Destination Prefix Barred",
    2060: "Loop Detected",
    3000: "No Answer",
    3010: "Busy Line",
    3020: "Rejected",
    3030: "Unknown Caller ID",
    3040: "Forbidden",
    3050: "Unallocated Number",
    3070: "Request Timeout",
    3080: "Carrier Internal Error",
    3090: "Carrier Congestion",
    5000: "Network Error",
    5010: "Internal Error",
    5020: "Routing Error",
    6010: "Ring Timeout Reached",
    6020: "Media Timeout",
}

__all__ = [
    "BROKEN",
    "BUSY",
    "BUSY_BY_DOCUMENT",
    "CALLEE_HUNG_UP",
    "CALLER_HUNG_UP",
    "CANCELLED",
    "CANCELLED_BY_API",
    "CONFIRM_FAILED",
    "END_OF_DOCUMENT",
    "HANGUP_ELEMENT",
    "HUNG_UP_BY_API",
    "LOOP_DETECTED",
    "LOST_RACE",
    "MACHINE_DETECTED",
    "NAMES",
    "NO_ANSWER",
    "REFUSED_BY_DOCUMENT",
    "REJECTED",
    "RING_TIMEOUT",
    "ROOM_ENDED",
    "SCHEDULED_HANGUP",
    "UNKNOWN_CALLER_ID",
    "Ending",
    "failed",
    "party_failed",
]
