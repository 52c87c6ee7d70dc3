"""Fidelity of `start_call_recording`."""

from __future__ import annotations

from typing import Final

from mappings._fidelity.rows import Fidelity, Row

START_CALL_RECORDING: Final = Fidelity(
    "start_call_recording",
    (
        Row(
            "param",
            "announce",
            "exact",
            "It is heard before the recording starts.",
            "test_announcement_comes_before_the_recording",
        ),
        Row(
            "param",
            "feeds",
            "approximated",
            "Both legs are recorded, each on a channel of its own.",
            "test_feeds",
            "leg_a and leg_b alone cannot be had: the file holds both.",
        ),
        Row(
            "param",
            "locale",
            "refused",
            "Another language than English is noted in the log.",
            "test_other_languages_are_noted",
            "Plivo transcribes English only.",
        ),
        Row(
            "param",
            "ner",
            "refused",
            "Asking for it is noted in the log.",
            "test_analysis_is_noted",
            "Plivo finds no names in transcriptions.",
        ),
        Row(
            "param",
            "pii",
            "refused",
            "Asking for it is noted in the log.",
            "test_analysis_is_noted",
            "Plivo finds no personal data in transcriptions.",
        ),
        Row(
            "param",
            "sentiment",
            "refused",
            "Asking for it is noted in the log.",
            "test_analysis_is_noted",
            "Plivo finds no sentiment in transcriptions.",
        ),
        Row(
            "param",
            "transcription",
            "approximated",
            "Plivo is asked to transcribe the recording; the text is kept with it and posted to the app's transcript_url.",
            "test_transcription",
            "When not set transcription is off, since there is no account default to take.",
        ),
        Row(
            "result",
            "recording_hash",
            "emulated",
            "It is Plivo's id of the recording.",
            "test_recording_id_is_the_result",
            "The recording is an object of Plivo's API instead of a Media.Recording.",
        ),
        Row(
            "behaviour",
            "length of the recording",
            "exact",
            "The time limit is set to 24 h, because Plivo's default would stop after 60 s.",
            "test_recording_id_is_the_result",
        ),
        Row(
            "behaviour",
            "call that still rings",
            "emulated",
            "The announcement or 0.2 s of silence answer it, because Plivo records answered calls only.",
            "test_ringing_call_is_answered_first",
            "The recording begins that much later.",
        ),
        Row(
            "behaviour",
            "without REST",
            "emulated",
            "Record with recordSession starts it and tells its id at once.",
            "test_without_rest_the_session_is_recorded",
            "It cannot be stopped before the call ends.",
        ),
        Row(
            "behaviour",
            "recording Plivo does not start",
            "refused",
            "The command fails with REST_REFUSED, REST_UNAVAILABLE, REST_UNKNOWN or RECORDING_FAILED.",
            "test_recording_that_was_not_started",
            "The page documents no result for it.",
        ),
    ),
)
