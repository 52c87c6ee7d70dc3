"""Fidelity of `wait_for_silence`."""

from __future__ import annotations

from typing import Final

from mappings._fidelity.rows import Fidelity, Row

WAIT_FOR_SILENCE: Final = Fidelity(
    "wait_for_silence",
    (
        Row(
            "param",
            "iterations",
            "emulated",
            "Each silence is a Wait of its own, out of one time budget.",
            "test_iterations_share_one_budget",
            "One round trip to the bridge lies between two of them, in which nobody listens.",
        ),
        Row(
            "param",
            "silence_ms",
            "approximated",
            "It is minSilence, 1 to 5000 ms.",
            "test_silence_ms",
            "A silence as long as the time that is left cannot be heard, and ends in TIMEOUT.",
        ),
        Row(
            "param",
            "timeout",
            "emulated",
            "It is the length of Wait in s, also under its older name `timeout_ms`.",
            "test_timeout",
            "0 (disabled) becomes 4 h, longer than calls last.",
        ),
        Row(
            "result",
            "SILENCE",
            "approximated",
            "Every Wait came back more than half a second early.",
            "test_wait_cut_short_is_silence",
            "A silence in the last half second of the timeout counts as TIMEOUT.",
        ),
        Row(
            "result",
            "TIMEOUT",
            "approximated",
            "A Wait took its whole time.",
            "test_whole_wait_is_a_timeout",
            "Plivo does not say why a Wait ended, so half a second is left for the way to the bridge.",
        ),
        Row(
            "behaviour",
            "call that still rings",
            "emulated",
            "0.2 s of silence answer it, because a leading Wait would leave it ringing.",
            "test_ringing_call_is_answered_first_and_once",
            "The wait begins that much later.",
        ),
    ),
)
