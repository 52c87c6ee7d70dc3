"""What nobody documents about Plivo, one switch a question.

NORMAL gives the likelier answer; HOSTILE gives the other one everywhere, and lets what has no
promised order come in any order. An app or a bridge that works under both does not depend on it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """The answers. Where a comment names the framework, it is the engine Plivo published."""

    name: str = "normal"
    # Is the action of an element fetched although the caller hung up during it?
    # The framework re-checks the hangup before it follows (redirect="true"), but reports anyway (redirect="false").
    record_action_after_hangup: bool = False
    record_report_after_hangup: bool = True
    dial_action_after_hangup: bool = False
    dial_report_after_hangup: bool = True
    conference_action_after_hangup: bool = False
    # Only the finishing key was pressed: is the action asked with empty Digits, or does the next element run?
    empty_digits_reach_action: bool = True
    # GetDigits: must every key be in validDigits (reads so in the reference), or the first one (framework)?
    all_digits_validated: bool = True
    # GetInput hears sound that is no speech: is the action asked with an empty Speech, or is it ignored?
    noise_reaches_action: bool = False
    # A caller who never speaks: does Record end with its action, or does the next element run?
    silent_record_reaches_action: bool = True
    # Record without finishOnKey: pages say "#", older ones any key.
    record_finish_keys: str = "#"
    # Members of a conference that ended, or was left by all but one: do they go on in their document?
    members_survive_room_end: bool = True
    # endConferenceOnExit: does the first marked member that leaves end the room (XML reference), or the last (framework)?
    first_marked_exit_ends_room: bool = True
    # A full room: is the action skipped (XML reference), or asked with empty ids (framework)?
    full_room_skips_action: bool = True
    # Are the query parameters of a URL repeated in the body of a POST (framework)?
    query_copied_into_body: bool = False
    # Do From and To of ordinary requests carry a "+"?
    plus_in_numbers: bool = False
    # Do action requests carry Event=Redirect?
    event_on_actions: bool = True
    # Does a repeated request carry the nonce of the first?
    nonce_repeated: bool = False
    # Does the callback of a recording come before the action of its element?
    recording_callback_first: bool = False
    # s after the end of a recording at which its file can be fetched.
    recording_ready_s: float = 1.0
    # Do recordings demand the account's credentials?
    recordings_need_login: bool = False
    # Do parties that lost the race to answer a Dial get a hangup callback?
    losers_report_hangup: bool = False
    # Are elements and attributes that the reference does not know ignored instead of refused?
    unknown_markup_ignored: bool = False
    # Are durations written with decimals?
    decimal_durations: bool = False
    # Is an empty Digits parameter left out?
    empty_parameters_omitted: bool = False
    # Are keys kept that were pressed while no element listened?
    type_ahead_kept: bool = False
    # Do RequestUUID and ALegUUID differ from CallUUID, as in captures of 2015?
    uuids_differ: bool = False
    # The application closes the WebSocket of a Stream: is that DroppedStream or StopStream?
    closed_stream_is_dropped: bool = True
    # Does a Stream that Plivo ends say stop before its WebSocket closes?
    stop_frame_sent: bool = False
    # May the hangup request overtake callbacks, and callbacks each other?
    order_shuffled: bool = False
    # Are there parameters that no page names?
    unknown_parameters: bool = False


NORMAL = Profile()
HOSTILE = Profile(
    name="hostile",
    record_action_after_hangup=True,
    record_report_after_hangup=False,
    dial_action_after_hangup=True,
    dial_report_after_hangup=False,
    conference_action_after_hangup=True,
    empty_digits_reach_action=False,
    all_digits_validated=False,
    noise_reaches_action=True,
    silent_record_reaches_action=False,
    record_finish_keys="1234567890*#",
    members_survive_room_end=False,
    first_marked_exit_ends_room=False,
    full_room_skips_action=False,
    query_copied_into_body=True,
    plus_in_numbers=True,
    event_on_actions=False,
    nonce_repeated=True,
    recording_callback_first=True,
    recording_ready_s=8.0,
    recordings_need_login=True,
    losers_report_hangup=True,
    unknown_markup_ignored=True,
    decimal_durations=True,
    empty_parameters_omitted=True,
    type_ahead_kept=True,
    uuids_differ=True,
    closed_stream_is_dropped=False,
    stop_frame_sent=True,
    order_shuffled=True,
    unknown_parameters=True,
)
PROFILES = {profile.name: profile for profile in (NORMAL, HOSTILE)}

__all__ = ["HOSTILE", "NORMAL", "PROFILES", "Profile"]
