"""Fidelity of `read`."""

from __future__ import annotations

from typing import Final

from mappings._fidelity.rows import Fidelity, Row

READ: Final = Fidelity(
    "read",
    (
        Row(
            "param",
            "media_id",
            "exact",
            "It plays inside GetDigits, so that the first key interrupts it.",
            "test_keys_are_the_result",
        ),
        Row(
            "param",
            "max_digits",
            "exact",
            "It is numDigits, 1 to 20.",
            "test_max_digits",
        ),
        Row(
            "param",
            "attempts",
            "emulated",
            "Each attempt is a GetDigits of its own, counted by the bridge.",
            "test_ten_attempts",
            "One round trip to the bridge lies between two attempts.",
        ),
        Row(
            "param",
            "timeout_ms",
            "approximated",
            "It is the time for the first and for every further key.",
            "test_timeout_ms",
            "Plivo counts whole seconds, so it is rounded up to the next second.",
        ),
        Row(
            "result",
            "(KEYS)",
            "exact",
            "The keys come back as they were pressed, without #.",
            "test_keys_come_back_as_pressed",
        ),
        Row(
            "result",
            "TIMEOUT",
            "approximated",
            "No attempt brought a key.",
            "test_attempts_repeat_the_question",
            "Some keys and then silence are returned as keys, unless the app's `partial_read` says otherwise.",
        ),
        Row(
            "behaviour",
            "keys, then silence",
            "approximated",
            "Plivo submits what was typed, and `partial_read` chooses: `keys` returns it, `timeout` takes fewer than max_digits for no input, `exact` tells the two apart.",
            "test_keys_without_hash_are_returned_by_default",
            "The default is `keys`; `timeout` also discards a short input that was finished with #, and `exact` costs one digit timeout after #.",
        ),
        Row(
            "behaviour",
            "# alone",
            "approximated",
            "It is an answer of no keys and ends the command.",
            "test_hash_alone_is_no_keys",
            "Should Plivo not report a # without keys before it, the attempt counts as one without input.",
        ),
    ),
)
