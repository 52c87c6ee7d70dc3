"""Fidelity of `wait`."""

from __future__ import annotations

from typing import Final

from mappings._fidelity.rows import Fidelity, Row

WAIT: Final = Fidelity(
    "wait",
    (
        Row(
            "param",
            "wait",
            "exact",
            "It is the length of Wait, 1 to 30 s, also under the SDK's name `seconds`.",
            "test_wait",
        ),
        Row("result", "0", "exact", "The time is over.", "test_wait"),
        Row(
            "behaviour",
            "call that still rings",
            "emulated",
            "0.2 s of silence answer it, because a leading Wait would leave it ringing.",
            "test_ringing_call_is_answered_first",
            "The wait begins that much later.",
        ),
    ),
)
