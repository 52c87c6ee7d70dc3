"""stop_call_recording: end what start_call_recording began.

| parameter | type | meaning |
|---|---|---|
| announce | rt_media | tells the caller that the call is not recorded any more |

| result | meaning |
|---|---|
| recording_hash | the id of the recording |
"""

from __future__ import annotations

from typing import Any

import pytest
from playbook import CallEnded, Document, Does, Error, Playbook, Result

from mappings._kernel.actions import RememberCallRecording, StopRecording
from mappings._kernel.events import (
    Broken,
    DigitsReceived,
    DocumentEnded,
    Event,
    HungUp,
    RestDone,
    RestFailed,
    RestUnknown,
)

STOP = StopRecording("rec-1")
SAY_SO = {"announce": "TTS|TTS_EN-GB_DANIEL|Recording is over."}
SAID = """
    <Response>
      <Speak voice="MAN" language="en-GB">Recording is over.</Speak>
      <Redirect>https://bridge.test/next/next</Redirect>
    </Response>
"""


@pytest.mark.parametrize("params", [{}, {"announce": 0}, {"announce": "0"}, {"announce": None}])
def test_recording_id_is_the_result(params: dict[str, Any]) -> None:
    """The id start_call_recording gave comes again, and is forgotten afterwards."""
    assert (
        Playbook("stop_call_recording", params, call_recording="rec-1")
        >> Does(STOP)
        << RestDone(recording_id="rec-1")
        >> Does(RememberCallRecording(""))
        >> Result("rec-1")
    )


def test_id_is_the_one_of_the_start() -> None:
    """The result does not depend on what Plivo answers when stopping."""
    assert (
        Playbook("stop_call_recording", call_recording="rec-1")
        >> Does(STOP)
        << RestDone()
        >> Does(RememberCallRecording(""))
        >> Result("rec-1")
    )


def test_announcement_comes_after_the_recording() -> None:
    """The caller is told once it is true."""
    assert (
        Playbook("stop_call_recording", SAY_SO, call_recording="rec-1")
        >> Does(STOP)
        << RestDone(recording_id="rec-1")
        >> Does(RememberCallRecording(""))
        >> Document(SAID)
        << DocumentEnded(2000)
        >> Result("rec-1")
    )


def test_announcement_from_the_library() -> None:
    """A library id is played."""
    assert (
        Playbook(
            "stop_call_recording",
            {"announce": 42},
            call_recording="rec-1",
            library={"42": "https://media.test/42.mp3"},
        )
        >> Does(STOP)
        << RestDone(recording_id="rec-1")
        >> Does(RememberCallRecording(""))
        >> Document("""
            <Response>
              <Play>https://media.test/42.mp3</Play>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << DigitsReceived("1")
        >> Result("rec-1")
    )


def test_unknown_announcement_is_an_error() -> None:
    """The sound is looked up before anything is stopped, so that the app may try again."""
    assert Playbook("stop_call_recording", {"announce": 42}, call_recording="rec-1") >> Error(
        "MEDIA_NOT_FOUND", "the media library has no id 42: add it to the bridge's media settings"
    )


@pytest.mark.parametrize("rest", [True, False])
def test_call_that_is_not_recorded(rest: bool) -> None:
    """There is nothing to stop, with or without REST."""
    assert Playbook("stop_call_recording", rest=rest) >> Error(
        "NOT_RECORDING", "start_call_recording has not been used on this call"
    )


def test_without_rest_it_cannot_be_stopped() -> None:
    """No Plivo document stops a recording of the session."""
    assert Playbook("stop_call_recording", call_recording="rec-1", rest=False) >> Error(
        "REST_UNAVAILABLE",
        "stop_call_recording needs Plivo's REST API, but BRIDGE_PLIVO_REST is false",
    )


@pytest.mark.parametrize(
    ("event", "code", "sentence"),
    [
        (RestFailed("REST_REFUSED", "404: gone"), "REST_REFUSED", "404: gone"),
        (RestFailed("REST_UNAVAILABLE", "no answer"), "REST_UNAVAILABLE", "no answer"),
        (RestUnknown("cut off"), "REST_UNKNOWN", "cut off"),
        (RestUnknown(), "REST_UNKNOWN", "the request was interrupted"),
        (DocumentEnded(), "REST_UNKNOWN", "the call went on before Plivo had answered"),
    ],
)
def test_recording_that_was_not_stopped(event: Event, code: str, sentence: str) -> None:
    """The recording is remembered, nothing is announced, and the app may try again."""
    assert (
        Playbook("stop_call_recording", SAY_SO, call_recording="rec-1")
        >> Does(STOP)
        << event
        >> Error(code, sentence)
    )


def test_bad_announcement_is_refused() -> None:
    """A param that makes no sense is refused with its name."""
    assert Playbook("stop_call_recording", {"announce": True}) >> Error(
        "INVALID_PARAMS",
        "stop_call_recording.announce: a media id (a number), 0 or empty for no media, "
        "or TTS|VOICE|text is expected, not true",
    )


def test_hang_up_during_the_announcement() -> None:
    """A hang-up while the announcement plays ends the command without a result."""
    assert (
        Playbook("stop_call_recording", SAY_SO, call_recording="rec-1")
        >> Does(STOP)
        << RestDone(recording_id="rec-1")
        >> Does(RememberCallRecording(""))
        >> Document(SAID)
        << HungUp()
        >> CallEnded()
    )


def test_break_during_the_announcement() -> None:
    """calls.realtime_break ends the command with an error; the recording has ended already."""
    assert (
        Playbook("stop_call_recording", SAY_SO, call_recording="rec-1")
        >> Does(STOP)
        << RestDone(recording_id="rec-1")
        >> Does(RememberCallRecording(""))
        >> Document(SAID)
        << Broken()
        >> Error("BREAK", "calls.realtime_break ended the command")
    )
