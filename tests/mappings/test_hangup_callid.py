"""hangup_callid: end another call of the app.

| parameter | type | meaning |
|---|---|---|
| callid | int, 64 bits unsigned | the call to hang up |

It has no documented result: "" says that it was done.
"""

from __future__ import annotations

from typing import Any

import pytest
from playbook import CallEnded, Document, Does, Error, Playbook, Result

from mappings._kernel.actions import HangUpCall
from mappings._kernel.events import (
    Broken,
    DocumentEnded,
    Event,
    HungUp,
    RestDone,
    RestFailed,
    RestUnknown,
)


@pytest.mark.parametrize(("sent", "callid"), [(0, 0), (9, 9), ("9", 9), (2**64 - 1, 2**64 - 1)])
def test_other_call_is_hung_up(sent: object, callid: int) -> None:
    """The call is hung up through REST, without a document for this one."""
    assert (
        Playbook("hangup_callid", {"callid": sent}, callid=7)
        >> Does(HangUpCall(callid))
        << RestDone()
        >> Result("")
    )


@pytest.mark.parametrize("rest", [True, False])
def test_own_callid_is_hangup(rest: bool) -> None:
    """A call that names itself hangs up by document, with or without REST."""
    assert (
        Playbook("hangup_callid", {"callid": "7"}, callid=7, rest=rest)
        >> Document("<Response><Hangup/></Response>")
        << HungUp()
        >> CallEnded()
    )


def test_own_call_that_goes_on_regardless() -> None:
    """Should Plivo come back all the same, the app is asked again."""
    assert (
        Playbook("hangup_callid", {"callid": 7}, callid=7)
        >> Document("<Response><Hangup/></Response>")
        << DocumentEnded()
        >> Result("")
    )


@pytest.mark.parametrize(
    ("event", "code", "sentence"),
    [
        (
            RestFailed("CALL_NOT_FOUND", "there is no live call 9"),
            "CALL_NOT_FOUND",
            "there is no live call 9",
        ),
        (RestFailed("REST_UNAVAILABLE", "Plivo timed out"), "REST_UNAVAILABLE", "Plivo timed out"),
        (RestUnknown(), "REST_UNKNOWN", "the request was interrupted"),
        (DocumentEnded(), "REST_UNKNOWN", "the call went on before Plivo had answered"),
    ],
)
def test_failure_is_an_error(event: Event, code: str, sentence: str) -> None:
    """Unknown, ended and foreign calls, and failures of REST, reach the app with their codes."""
    assert (
        Playbook("hangup_callid", {"callid": 9}, callid=7)
        >> Does(HangUpCall(9))
        << event
        >> Error(code, sentence)
    )


def test_without_rest_it_is_refused() -> None:
    """Plivo has no XML for it."""
    assert Playbook("hangup_callid", {"callid": 9}, callid=7, rest=False) >> Error(
        "REST_UNAVAILABLE",
        "hangup_callid needs Plivo's REST API, but BRIDGE_PLIVO_REST is false",
    )


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({}, "Field required"),
        ({"callid": ""}, "Field required"),
        ({"callid": -1}, "Input should be greater than or equal to 0"),
        ({"callid": 2**64}, "Input should be less than 18446744073709551616"),
        (
            {"callid": "mine"},
            "Input should be a valid integer, unable to parse string as an integer",
        ),
    ],
)
def test_out_of_range(params: dict[str, Any], sentence: str) -> None:
    """What is no callid is refused."""
    assert Playbook("hangup_callid", params) >> Error(
        "INVALID_PARAMS", f"hangup_callid.callid: {sentence}"
    )


def test_this_call_may_end_meanwhile() -> None:
    """A caller who hangs up ends the command without a result."""
    assert (
        Playbook("hangup_callid", {"callid": 9}, callid=7)
        >> Does(HangUpCall(9))
        << HungUp()
        >> CallEnded()
    )


def test_break_meanwhile() -> None:
    """calls.realtime_break ends the command with an error."""
    assert (
        Playbook("hangup_callid", {"callid": 9}, callid=7)
        >> Does(HangUpCall(9))
        << Broken()
        >> Error("BREAK", "calls.realtime_break ended the command")
    )
