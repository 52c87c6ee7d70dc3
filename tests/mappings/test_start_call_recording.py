"""start_call_recording: record the call in the background from now on.

| parameter | type | meaning |
|---|---|---|
| announce | rt_media | tells the caller that the call is recorded |
| feeds | "all", "both", "leg_a" or "leg_b" | whose voices are processed |
| transcription | bool | have the recording transcribed |
| locale | like "en_US" | the language to transcribe; empty = found out |
| ner, pii, sentiment | bool | what to look for in the transcription |

| result | meaning |
|---|---|
| recording_hash | the id of the recording |
"""

from __future__ import annotations

from typing import Any

import pytest
from playbook import CallEnded, Document, Does, Error, Playbook, Result

from mappings._kernel.actions import Note, RememberCallRecording, StartRecording
from mappings._kernel.events import (
    Broken,
    DocumentEnded,
    Event,
    HungUp,
    RecordingReceived,
    RestDone,
    RestFailed,
    RestUnknown,
)

START = StartRecording(time_limit=86_400, stereo=True, transcribe=False)
SESSION = """
    <Response>
      <Record action="https://bridge.test/next/recording"
        callbackUrl="https://bridge.test/notice/call_recording" maxLength="86400"
        recordSession="true" recordChannelType="stereo"/>
      <Redirect>https://bridge.test/next/next</Redirect>
    </Response>
"""
SILENCE = """
    <Response>
      <Play>https://bridge.test/asset/silence.wav</Play>
      <Redirect>https://bridge.test/next/next</Redirect>
    </Response>
"""
SAY_SO = {"announce": "TTS|TTS_EN-GB_DANIEL|This call is recorded."}
SAID = """
    <Response>
      <Speak voice="MAN" language="en-GB">This call is recorded.</Speak>
      <Redirect>https://bridge.test/next/next</Redirect>
    </Response>
"""


def test_recording_id_is_the_result() -> None:
    """Plivo's id is remembered for stop_call_recording and given to the app."""
    assert (
        Playbook("start_call_recording")
        >> Does(START)
        << RestDone(recording_id="rec-1")
        >> Does(RememberCallRecording("rec-1"))
        >> Result("rec-1")
    )


@pytest.mark.parametrize("announce", [0, "0", "", None])
def test_no_announcement(announce: object) -> None:
    """With announce 0 recording starts without a word."""
    assert (
        Playbook("start_call_recording", {"announce": announce})
        >> Does(START)
        << RestDone(recording_id="rec-1")
        >> ...
    )


def test_announcement_comes_before_the_recording() -> None:
    """The caller is told first; only then is anything recorded."""
    assert (
        Playbook("start_call_recording", SAY_SO)
        >> Document(SAID)
        << DocumentEnded(2000)
        >> Does(START)
        << RestDone(recording_id="rec-1")
        >> Does(RememberCallRecording("rec-1"))
        >> Result("rec-1")
    )


def test_announcement_from_the_library() -> None:
    """A library id is played."""
    assert (
        Playbook(
            "start_call_recording", {"announce": 42}, library={"42": "https://media.test/42.mp3"}
        )
        >> Document("""
            <Response>
              <Play>https://media.test/42.mp3</Play>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << DocumentEnded(2000)
        >> Does(START)
        >> ...
    )


@pytest.mark.parametrize("rest", [True, False])
def test_unknown_announcement_is_an_error(rest: bool) -> None:
    """Nobody is recorded who should have been told first."""
    assert Playbook("start_call_recording", {"announce": 42}, rest=rest) >> Error(
        "MEDIA_NOT_FOUND", "the media library has no id 42: add it to the bridge's media settings"
    )


def test_ringing_call_is_answered_first() -> None:
    """Plivo records answered calls only: a short silence answers a ringing one."""
    assert (
        Playbook("start_call_recording", answered=False)
        >> Document(SILENCE)
        << DocumentEnded(300)
        >> Does(START)
        << RestDone(recording_id="rec-1")
        >> Does(RememberCallRecording("rec-1"))
        >> Result("rec-1")
    )


def test_announcement_answers_a_ringing_call() -> None:
    """No silence is needed before an announcement."""
    assert (
        Playbook("start_call_recording", SAY_SO, answered=False)
        >> Document(SAID)
        << DocumentEnded(2000)
        >> Does(START)
        >> ...
    )


@pytest.mark.parametrize("feeds", ["all", "both", "leg_a", "leg_b", None, ""])
def test_feeds(feeds: object) -> None:
    """Whatever feeds says, both voices are recorded, each on a channel of its own."""
    assert (
        Playbook("start_call_recording", {"feeds": feeds})
        >> Does(StartRecording(time_limit=86_400, stereo=True, transcribe=False))
        << RestDone(recording_id="rec-1")
        >> Does(RememberCallRecording("rec-1"))
        >> Result("rec-1")
    )


@pytest.mark.parametrize("sent", [True, "true", "1", 1])
def test_transcription(sent: object) -> None:
    """Transcription is asked for in any spelling of true."""
    assert (
        Playbook("start_call_recording", {"transcription": sent})
        >> Does(StartRecording(time_limit=86_400, stereo=True, transcribe=True))
        << RestDone(recording_id="rec-1")
        >> Does(RememberCallRecording("rec-1"))
        >> Result("rec-1")
    )


@pytest.mark.parametrize("sent", [None, "", False, "false", "0", 0])
def test_no_transcription(sent: object) -> None:
    """Transcription costs money at Plivo and is off unless it is asked for."""
    assert Playbook("start_call_recording", {"transcription": sent}) >> Does(START) >> ...


@pytest.mark.parametrize("locale", ["en_US", "en-GB", "EN", "", None])
def test_english_is_transcribed(locale: object) -> None:
    """Plivo transcribes English, whatever its region."""
    assert (
        Playbook("start_call_recording", {"transcription": True, "locale": locale})
        >> Does(StartRecording(time_limit=86_400, stereo=True, transcribe=True))
        >> ...
    )


@pytest.mark.parametrize("locale", ["fr_FR", "de-DE"])
def test_other_languages_are_noted(locale: str) -> None:
    """Another language than English is recorded all the same, and logged."""
    assert (
        Playbook("start_call_recording", {"transcription": True, "locale": locale})
        >> Does(Note("NOT_SUPPORTED", "locale: Plivo transcribes English only"))
        >> Does(StartRecording(time_limit=86_400, stereo=True, transcribe=True))
        << RestDone(recording_id="rec-1")
        >> Does(RememberCallRecording("rec-1"))
        >> Result("rec-1")
    )


def test_locale_alone_changes_nothing() -> None:
    """Without transcription the language does not matter."""
    assert Playbook("start_call_recording", {"locale": "fr_FR"}) >> Does(START) >> ...


@pytest.mark.parametrize("param", ["ner", "pii", "sentiment"])
@pytest.mark.parametrize("sent", [True, "true", 1])
def test_analysis_is_noted(param: str, sent: object) -> None:
    """Plivo analyses no transcriptions: asking for it is logged once and changes nothing."""
    assert (
        Playbook("start_call_recording", {param: sent})
        >> Does(Note("NOT_SUPPORTED", "ner, pii and sentiment have no counterpart at Plivo"))
        >> Does(START)
        << RestDone(recording_id="rec-1")
        >> Does(RememberCallRecording("rec-1"))
        >> Result("rec-1")
    )


def test_all_analyses_are_noted_once() -> None:
    """Three wishes make one line in the log."""
    assert (
        Playbook("start_call_recording", {"ner": True, "pii": True, "sentiment": True})
        >> Does(Note("NOT_SUPPORTED", "ner, pii and sentiment have no counterpart at Plivo"))
        >> Does(START)
        >> ...
    )


@pytest.mark.parametrize("sent", [False, "false", 0, None, ""])
def test_no_analysis_needs_no_note(sent: object) -> None:
    """What was not asked for is not missed."""
    params = {"ner": sent, "pii": sent, "sentiment": sent}

    assert Playbook("start_call_recording", params) >> Does(START) >> ...


@pytest.mark.parametrize(
    ("event", "code", "sentence"),
    [
        (RestFailed("REST_REFUSED", "400: no"), "REST_REFUSED", "400: no"),
        (RestFailed("REST_UNAVAILABLE", "no answer"), "REST_UNAVAILABLE", "no answer"),
        (RestUnknown("cut off"), "REST_UNKNOWN", "cut off"),
        (RestUnknown(), "REST_UNKNOWN", "the request was interrupted"),
        (DocumentEnded(), "REST_UNKNOWN", "the call went on before Plivo had answered"),
    ],
)
def test_recording_that_was_not_started(event: Event, code: str, sentence: str) -> None:
    """The app hears whether Plivo refused, was not there, or may have started all the same."""
    assert Playbook("start_call_recording") >> Does(START) << event >> Error(code, sentence)


def test_recording_without_an_id_is_an_error() -> None:
    """An empty recording_hash would be worth nothing to the app."""
    assert (
        Playbook("start_call_recording")
        >> Does(START)
        << RestDone()
        >> Error("RECORDING_FAILED", "Plivo gave no recording id")
    )


def test_without_rest_the_session_is_recorded() -> None:
    """Record recordSession tells its id at once and goes on in the background."""
    assert (
        Playbook("start_call_recording", rest=False)
        >> Document(SESSION)
        << RecordingReceived("https://media.test/r.mp3", "rec-1")
        >> Does(RememberCallRecording("rec-1"))
        >> Result("rec-1")
    )


def test_without_rest_the_announcement_is_in_the_same_document() -> None:
    """The announcement comes before Record, and recording starts when it is over."""
    assert (
        Playbook("start_call_recording", SAY_SO, rest=False)
        >> Document("""
            <Response>
              <Speak voice="MAN" language="en-GB">This call is recorded.</Speak>
              <Record action="https://bridge.test/next/recording"
                callbackUrl="https://bridge.test/notice/call_recording" maxLength="86400"
                recordSession="true" recordChannelType="stereo"/>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << RecordingReceived("", "rec-1", -1)
        >> Does(RememberCallRecording("rec-1"))
        >> Result("rec-1")
    )


def test_without_rest_a_ringing_call_is_answered_first() -> None:
    """The silence and Record share a document."""
    assert (
        Playbook("start_call_recording", rest=False, answered=False)
        >> Document("""
            <Response>
              <Play>https://bridge.test/asset/silence.wav</Play>
              <Record action="https://bridge.test/next/recording"
                callbackUrl="https://bridge.test/notice/call_recording" maxLength="86400"
                recordSession="true" recordChannelType="stereo"/>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        >> ...
    )


def test_without_rest_transcription_is_an_attribute() -> None:
    """Record asks for the transcription as REST would."""
    assert (
        Playbook("start_call_recording", {"transcription": True}, rest=False)
        >> Document("""
            <Response>
              <Record action="https://bridge.test/next/recording"
                callbackUrl="https://bridge.test/notice/call_recording" maxLength="86400"
                recordSession="true" recordChannelType="stereo" transcriptionType="auto"
                transcriptionUrl="https://bridge.test/notice/transcript"/>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        >> ...
    )


@pytest.mark.parametrize(
    "event", [DocumentEnded(200), RecordingReceived("https://media.test/r", "")]
)
def test_without_rest_a_missing_id_is_an_error(event: Event) -> None:
    """A Record that tells no id cannot be named to the app."""
    assert (
        Playbook("start_call_recording", rest=False)
        >> Document(SESSION)
        << event
        >> Error("RECORDING_FAILED", "Plivo gave no recording id")
    )


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        (
            {"feeds": "leg_c"},
            "start_call_recording.feeds: Input should be 'all', 'both', 'leg_a' or 'leg_b'",
        ),
        (
            {"transcription": "maybe"},
            "start_call_recording.transcription: Input should be a valid boolean, unable to interpret input",
        ),
        (
            {"ner": 2},
            "start_call_recording.ner: Input should be a valid boolean, unable to interpret input",
        ),
    ],
)
def test_bad_params(params: dict[str, Any], sentence: str) -> None:
    """A param that makes no sense is refused with its name."""
    assert Playbook("start_call_recording", params) >> Error("INVALID_PARAMS", sentence)


def test_hang_up_during_the_announcement() -> None:
    """A caller who does not want to be recorded hangs up, and nothing is recorded."""
    assert Playbook("start_call_recording", SAY_SO) >> Document(SAID) << HungUp() >> CallEnded()


def test_break_during_the_announcement() -> None:
    """calls.realtime_break ends the command with an error before anything is recorded."""
    assert (
        Playbook("start_call_recording", SAY_SO)
        >> Document(SAID)
        << Broken()
        >> Error("BREAK", "calls.realtime_break ended the command")
    )
