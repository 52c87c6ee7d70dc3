"""Fidelity of `stop_call_recording`."""

from __future__ import annotations

from typing import Final

from mappings._fidelity.rows import Fidelity, Row

STOP_CALL_RECORDING: Final = Fidelity(
    "stop_call_recording",
    (
        Row(
            "param",
            "announce",
            "exact",
            "It is heard after the recording stopped.",
            "test_announcement_comes_after_the_recording",
        ),
        Row(
            "result",
            "recording_hash",
            "exact",
            "It is the id start_call_recording gave.",
            "test_id_is_the_one_of_the_start",
        ),
        Row(
            "behaviour",
            "several recordings",
            "exact",
            "Every recording the app has started on the call is stopped, and none that somebody else has; the result is the newest.",
            "tests/e2e/test_rest_commands.py::test_stop_ends_what_the_app_has_started",
        ),
        Row(
            "behaviour",
            "call that is not recorded",
            "refused",
            "The command fails with NOT_RECORDING.",
            "test_call_that_is_not_recorded",
            "The page documents no result for it.",
        ),
        Row(
            "behaviour",
            "without REST",
            "refused",
            "The command fails with REST_UNAVAILABLE, and the recording lasts as long as the call.",
            "test_without_rest_it_cannot_be_stopped",
            "No Plivo document stops a recording of the session.",
        ),
    ),
)
