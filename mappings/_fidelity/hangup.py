"""Fidelity of `hangup`."""

from __future__ import annotations

from typing import Final

from mappings._fidelity.rows import Fidelity, Row

HANGUP: Final = Fidelity(
    "hangup",
    (
        Row(
            "behaviour",
            "the call ends",
            "exact",
            "Hangup is the whole document, and the app's final request says HANGUP.",
            "test_call_is_hung_up",
        ),
    ),
)
