"""Fidelity of `record`."""

from __future__ import annotations

from typing import Final

from mappings._fidelity.rows import Fidelity, Row

RECORD: Final = Fidelity(
    "record",
    (
        Row(
            "param",
            "max_duration",
            "approximated",
            "It is maxLength, 0 to 300 s.",
            "test_max_duration",
            "1 becomes 2, Plivo's minimum, and 0 (disabled) becomes 24 h, Plivo's maximum.",
        ),
        Row(
            "param",
            "silence",
            "emulated",
            "It is timeout, 0 to 20 s.",
            "test_silence",
            "0 (disabled) becomes 24 h, longer than any recording.",
        ),
        Row(
            "result",
            "media_file",
            "emulated",
            "It is a name of the bridge's own, bound to Plivo's recording and usable with play_record by any call of the app.",
            "test_recording_is_kept_under_a_name_of_ours",
            "How long the recording stays available is up to Plivo.",
        ),
        Row(
            "behaviour",
            "nothing recorded",
            "emulated",
            "The name stands for silence, which play_record plays successfully.",
            "test_silent_caller_has_a_recording_of_silence",
            "There is no file at Plivo.",
        ),
        Row(
            "behaviour",
            "caller hangs up while recording",
            "emulated",
            "The app's final request carries the media_file.",
            "tests/e2e/test_final_request.py::test_recording_ended_by_hanging_up",
            "That request waits up to 10 s, a setting, for Plivo to report the recording.",
        ),
    ),
)
