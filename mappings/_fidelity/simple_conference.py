"""Fidelity of `simple_conference`, whose results the vendor does not document."""

from __future__ import annotations

from typing import Final

from mappings._fidelity.rows import Fidelity, Row

SIMPLE_CONFERENCE: Final = Fidelity(
    "simple_conference",
    (
        Row(
            "param",
            "id",
            "emulated",
            "It is hashed into the name of a Plivo room, the same as that of conference.",
            "test_any_id_becomes_a_legal_room_name",
            "Plivo's console shows the hash instead of the id.",
        ),
        Row(
            "param",
            "auto_leave_when_alone",
            "emulated",
            "When others leave one member behind who asked for it, the bridge has that member kicked through REST; the default is true, as in the SDKs.",
            "test_leaving_when_alone_is_the_default",
            "The last participant is alone until Plivo has reported the exit and carried out the kick.",
        ),
        Row(
            "behaviour",
            "room closed",
            "approximated",
            "The result is CONFERENCE_CLOSED, as of conference.",
            "test_room_closed_by_time",
            "Plivo gives no reason: a member that is hung up by itself through Plivo's console reads CONFERENCE_CLOSED too.",
        ),
        Row(
            "behaviour",
            "left alone",
            "emulated",
            "The result is LAST_PARTICIPANT, as of conference.",
            "test_last_participant_is_sent_out",
            "Who presses star in the moment of the kick reads LAST_PARTICIPANT too.",
        ),
        Row(
            "behaviour",
            "star pressed",
            "approximated",
            "The result is LEFT_CONFERENCE, as of conference.",
            "test_star_leaves_the_room",
            "Plivo does not report the star itself.",
        ),
        Row(
            "behaviour",
            "auto_leave_when_alone without REST",
            "approximated",
            "The room is joined with stayAlone=false, which ends it for the last one.",
            "test_without_rest_the_room_itself_ends",
            "It holds for the whole room as soon as one member asks for it, and the result may read LEFT_CONFERENCE.",
        ),
        Row(
            "behaviour",
            "full room",
            "refused",
            "The command fails with ROOM_FULL.",
            "test_full_room_is_an_error",
            "Plivo's rooms hold 20 members at most.",
        ),
    ),
)
