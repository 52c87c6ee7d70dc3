"""Fidelity of `dialout`."""

from __future__ import annotations

from typing import Final

from mappings._fidelity.rows import Fidelity, Row

DIALOUT: Final = Fidelity(
    "dialout",
    (
        Row(
            "param",
            "targets",
            "emulated",
            "Each target is a Dial of its own, in order, until one answers.",
            "test_target_that_was_not_reached_makes_room_for_the_next",
            "One round trip to the bridge lies between two targets.",
        ),
        Row(
            "param",
            "targets[].number",
            "exact",
            "It is the Number of the Dial, in E.164, with or without +.",
            "test_target_number",
        ),
        Row(
            "param",
            "targets[].timeout",
            "approximated",
            "It is the ring time of the Dial, 5 to 300 s.",
            "test_target_timeout",
            "It is cut at 120 s, as long as Plivo rings.",
        ),
        Row(
            "param",
            "cli",
            "approximated",
            "It is callerId, which has to be a number the Plivo account rents or has verified.",
            "test_blocked_presents_the_number_of_the_account",
            "Plivo cannot withhold a number, so BLOCKED presents the configured one or else the account's own number of the call, never the caller's.",
        ),
        Row(
            "param",
            "ringtone",
            "emulated",
            "RING is the tone of the called network, MUSIC a dialMusic document.",
            "test_music_is_our_own",
            "The music is the bridge's own or the configured file, not CALLR's.",
        ),
        Row(
            "param",
            "whisper",
            "emulated",
            "It is confirmSound, played to the callee before the calls are joined.",
            "test_whisper_says_a_text",
            "Plivo drops a callee whose whisper lasts longer than 120 s.",
        ),
        Row(
            "param",
            "cdr_field",
            "emulated",
            "It is kept in the bridge's history of the call, beside the outcome of every target.",
            "test_cdr_field_and_outcome_are_in_the_history",
            "It is not in Plivo's own records.",
        ),
        Row(
            "result",
            "NOANSWER",
            "exact",
            "No target answered, whatever the reasons.",
            "test_nobody_answered",
        ),
        Row(
            "behaviour",
            "both legs end together",
            "emulated",
            "When the callee leaves, Plivo comes back and the bridge hangs the caller up.",
            "test_conversation_over_hangs_up",
            "The caller's leg ends one round trip later.",
        ),
        Row(
            "behaviour",
            "length of the conversation",
            "approximated",
            "It is limited to 4 h, Plivo's default.",
            "test_conversation_over_hangs_up",
            "The Real-Time page names no limit.",
        ),
        Row(
            "behaviour",
            "caller id Plivo does not accept",
            "approximated",
            "The target counts as not reached, and the log says CALLER_ID_REFUSED.",
            "test_refused_caller_id_is_noted",
            "At CALLR the caller id may have been allowed.",
        ),
        Row(
            "behaviour",
            "BLOCKED without a number",
            "refused",
            "When neither a configured nor an own number is known, the command fails with INVALID_PARAMS.",
            "test_blocked_never_presents_the_caller",
            "Plivo would present the caller's number instead.",
        ),
    ),
)
