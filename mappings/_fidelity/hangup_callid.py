"""Fidelity of `hangup_callid`."""

from __future__ import annotations

from typing import Final

from mappings._fidelity.rows import Fidelity, Row

HANGUP_CALLID: Final = Fidelity(
    "hangup_callid",
    (
        Row(
            "param",
            "callid",
            "exact",
            "A live call of the same app is hung up through REST, and the result is empty.",
            "test_other_call_is_hung_up",
        ),
        Row(
            "behaviour",
            "one's own callid",
            "exact",
            "It is the command hangup.",
            "test_own_callid_is_hangup",
        ),
        Row(
            "behaviour",
            "unknown callid",
            "refused",
            "An unknown callid gives CALL_NOT_FOUND, one of a call that is over CALL_ENDED.",
            "test_failure_is_an_error",
            "The page documents no result for it.",
        ),
        Row(
            "behaviour",
            "call of another app",
            "refused",
            "It gives CALL_OF_ANOTHER_APP, unless hangup_scope of the app is account.",
            "tests/e2e/test_rest_commands.py::test_hang_up_foreign_call",
            "The page does not say whose calls may be hung up.",
        ),
        Row(
            "behaviour",
            "without REST",
            "refused",
            "The command fails with REST_UNAVAILABLE.",
            "test_without_rest_it_is_refused",
            "No Plivo document ends another call.",
        ),
    ),
)
