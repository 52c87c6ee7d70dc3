"""What nobody documents about Plivo, one switch a question.

NORMAL gives the likelier answer; HOSTILE gives the other one everywhere, and lets what has no
promised order come in any order. An app or a bridge that works under both does not depend on it.

A mixture is `dataclasses.replace(NORMAL, recording_ready_s=8.0)`.
`python -m bridge.simulator.doc` writes the switches into docs/simulator.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Final, TypeVar

_Answer = TypeVar("_Answer", bool, str, float)


def _switch(question: str, normal: _Answer, hostile: _Answer) -> _Answer:
    # A field in disguise, as dataclasses have it: the type of what it holds.
    return field(default=normal, metadata={"question": question, "hostile": hostile})


@dataclass(frozen=True, slots=True)
class Profile:
    """The answers. Where a question names the framework, it is the engine Plivo published."""

    name: str = "normal"
    record_action_after_hangup: bool = _switch(
        "The caller hangs up during Record with redirect: is the action asked? (framework: no)",
        normal=False,
        hostile=True,
    )
    record_report_after_hangup: bool = _switch(
        "The same with redirect off: is the action told? (framework: yes)",
        normal=True,
        hostile=False,
    )
    dial_action_after_hangup: bool = _switch(
        "The caller hangs up during Dial with redirect: is the action asked? (framework: no)",
        normal=False,
        hostile=True,
    )
    dial_report_after_hangup: bool = _switch(
        "The same with redirect off: is the action told? (framework: yes)",
        normal=True,
        hostile=False,
    )
    conference_action_after_hangup: bool = _switch(
        "A member hangs up: is the action of Conference asked? (framework: no)",
        normal=False,
        hostile=True,
    )
    redirect_answers: bool = _switch(
        "A Redirect in the document of a ringing inbound call: is the call answered? "
        "(framework: yes)",
        normal=True,
        hostile=False,
    )
    empty_digits_reach_action: bool = _switch(
        "Only the finishing key was pressed: is the action asked, with empty Digits? "
        "(else the next element runs)",
        normal=True,
        hostile=False,
    )
    all_digits_validated: bool = _switch(
        "GetDigits: must every key be in validDigits? "
        "(so the reference reads; framework: only the first one)",
        normal=True,
        hostile=False,
    )
    noise_reaches_action: bool = _switch(
        "GetInput hears sound that is no speech: is the action asked, with an empty Speech? "
        "(else the sound is ignored)",
        normal=False,
        hostile=True,
    )
    silent_record_reaches_action: bool = _switch(
        "The caller never speaks: does Record end with its action? "
        "(framework: yes; an example of the reference: the next element runs)",
        normal=True,
        hostile=False,
    )
    record_finish_keys: str = _switch(
        "Which keys end a Record without finishOnKey? (pages disagree)",
        normal="#",
        hostile="1234567890*#",
    )
    members_survive_room_end: bool = _switch(
        "A conference ended, or was left by all but one: do its members go on in their documents?",
        normal=True,
        hostile=False,
    )
    first_marked_exit_ends_room: bool = _switch(
        "endConferenceOnExit: does the first marked member that leaves end the room? "
        "(reference: yes; framework: the last one)",
        normal=True,
        hostile=False,
    )
    full_room_skips_action: bool = _switch(
        "A full room: is the action of Conference skipped? "
        "(reference: yes; framework: asked with empty ids)",
        normal=True,
        hostile=False,
    )
    query_copied_into_body: bool = _switch(
        "Are the query parameters of a URL repeated in the body of a POST? (framework: yes)",
        normal=False,
        hostile=True,
    )
    plus_in_numbers: bool = _switch(
        "Do From and To of ordinary requests carry a plus? (captures: no)",
        normal=False,
        hostile=True,
    )
    event_on_actions: bool = _switch(
        "Do requests for an action carry Event=Redirect?", normal=True, hostile=False
    )
    nonce_repeated: bool = _switch(
        "Does a repeated request carry the nonce of the first one?", normal=False, hostile=True
    )
    recording_callback_first: bool = _switch(
        "Does callbackUrl of a foreground Record hear of the file before its action is asked?",
        normal=False,
        hostile=True,
    )
    recording_ready_s: float = _switch(
        "How many s after its end can the file of a recording be fetched?", normal=1.0, hostile=8.0
    )
    recordings_need_login: bool = _switch(
        "Do files of recordings demand the credentials of the account? (a setting of the account)",
        normal=False,
        hostile=True,
    )
    losers_report_hangup: bool = _switch(
        "Do parties that lost the race to answer a Dial get a hangup callback? (framework: no)",
        normal=False,
        hostile=True,
    )
    unknown_markup_ignored: bool = _switch(
        "Are elements and attributes ignored that the reference does not know? "
        "(else the document is refused)",
        normal=False,
        hostile=True,
    )
    decimal_durations: bool = _switch(
        "Are durations written with decimals?", normal=False, hostile=True
    )
    empty_parameters_omitted: bool = _switch(
        "Are empty parameters left out?", normal=False, hostile=True
    )
    type_ahead_kept: bool = _switch(
        "Are keys kept that were pressed while no element listened?", normal=False, hostile=True
    )
    uuids_differ: bool = _switch(
        "Do RequestUUID and ALegUUID differ from CallUUID? (captures of 2015: yes, since 2020: no)",
        normal=False,
        hostile=True,
    )
    closed_stream_is_dropped: bool = _switch(
        "The application closes the WebSocket of a Stream: is that DroppedStream? (else StopStream)",
        normal=True,
        hostile=False,
    )
    stop_frame_sent: bool = _switch(
        "Does a Stream that Plivo ends say stop before its WebSocket closes? (pages disagree)",
        normal=False,
        hostile=True,
    )
    order_shuffled: bool = _switch(
        "May the hangup request overtake callbacks, and callbacks each other?",
        normal=False,
        hostile=True,
    )
    unknown_parameters: bool = _switch(
        "Do requests carry a parameter that no page names?", normal=False, hostile=True
    )


SWITCHES: Final = tuple(known for known in fields(Profile) if known.metadata)
NORMAL: Final = Profile()
HOSTILE: Final = replace(
    NORMAL, name="hostile", **{known.name: known.metadata["hostile"] for known in SWITCHES}
)
PROFILES: Final = {profile.name: profile for profile in (NORMAL, HOSTILE)}

__all__ = ["HOSTILE", "NORMAL", "PROFILES", "SWITCHES", "Profile"]
