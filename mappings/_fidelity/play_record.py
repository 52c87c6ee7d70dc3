"""Fidelity of `play_record`."""

from __future__ import annotations

from typing import Final

from mappings._fidelity.rows import Fidelity, Row

PLAY_RECORD: Final = Fidelity(
    "play_record",
    (
        Row(
            "param",
            "media_file",
            "emulated",
            "The name leads to Play of an address of the bridge, which waits until Plivo has the recording ready and fetches it with the account's credentials.",
            "test_recording_is_played_from_a_hosted_copy",
            "A recording that was made a moment ago may start a little later.",
        ),
        Row(
            "result",
            "0",
            "approximated",
            "Plivo came back from Play, or silence was recorded under that name.",
            "test_recording_of_silence_is_0_at_once",
            "A recording that Plivo lost gives 0 as well, because Play fails without a report.",
        ),
        Row(
            "result",
            "1",
            "approximated",
            "The name is unknown, expired, or of another app.",
            "test_unknown_recording_is_1",
            "A recording that Plivo lost does not give 1.",
        ),
    ),
)
