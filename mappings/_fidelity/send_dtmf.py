"""Fidelity of `send_dtmf`."""

from __future__ import annotations

from typing import Final

from mappings._fidelity.rows import Fidelity, Row

SEND_DTMF: Final = Fidelity(
    "send_dtmf",
    (
        Row(
            "param",
            "digits",
            "exact",
            "They become DTMF, also under their older name `digit`.",
            "test_digits",
        ),
        Row(
            "param",
            "duration_ms",
            "approximated",
            "It is checked against its range.",
            "test_duration_ms",
            "The DTMF element has no duration.",
        ),
        Row(
            "param",
            "timeout_ms",
            "approximated",
            "It becomes pauses of half a second between the tones.",
            "test_timeout_ms",
            "It is rounded to the nearest half second.",
        ),
        Row(
            "result",
            "0",
            "exact",
            "The tones were sent; it is the JSON number 0.",
            "test_digits",
        ),
    ),
)
