"""record: the caller, until `#`, silence, or the longest duration.

| parameter | type | meaning |
|---|---|---|
| max_duration | int, 0 to 300 | s; 0 = no limit |
| silence | int, 0 to 20 | s of silence that end it; 0 = none do |

| result | meaning |
|---|---|
| media_file | a name `play_record` takes |
"""

from __future__ import annotations

from typing import Any

import pytest
from playbook import CallEnded, Document, Does, Error, Playbook, Result

from mappings._kernel.actions import KeepRecording
from mappings._kernel.events import (
    Broken,
    DigitsReceived,
    DocumentEnded,
    HungUp,
    RecordingReceived,
)

UNLIMITED = """
    <Response>
      <Record action="https://bridge.test/next/recording"
        callbackUrl="https://bridge.test/notice/recording" maxLength="86400" timeout="86400"
        finishOnKey="#" playBeep="true"/>
      <Redirect>https://bridge.test/next/next</Redirect>
    </Response>
"""


def test_recording_is_kept_under_a_name_of_ours() -> None:
    """The result is the unguessable name of this command, bound to Plivo's recording."""
    assert (
        Playbook("record", {"max_duration": 60, "silence": 5}, name="m7")
        >> Document("""
            <Response>
              <Record action="https://bridge.test/next/recording"
                callbackUrl="https://bridge.test/notice/recording" maxLength="60" timeout="5"
                finishOnKey="#" playBeep="true"/>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << RecordingReceived("https://media.plivo.test/1.mp3", "rec-1", 4200, "#", 5000)
        >> Does(KeepRecording("m7", "https://media.plivo.test/1.mp3", "rec-1"))
        >> Result("m7")
    )


@pytest.mark.parametrize(
    ("sent", "max_length"),
    [(0, "86400"), (1, "2"), (2, "2"), (299, "299"), (300, "300"), ("30", "30"), (None, "86400")],
)
def test_max_duration(sent: object, max_length: str) -> None:
    """max_duration is maxLength; 0 is no limit, and 1 is Plivo's minimum of 2."""
    assert (
        Playbook("record", {"max_duration": sent})
        >> Document(f"""
            <Response>
              <Record action="https://bridge.test/next/recording"
                callbackUrl="https://bridge.test/notice/recording" maxLength="{max_length}"
                timeout="86400" finishOnKey="#" playBeep="true"/>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        >> ...
    )


@pytest.mark.parametrize(
    ("sent", "timeout"), [(0, "86400"), (1, "1"), (20, "20"), ("3", "3"), (None, "86400")]
)
def test_silence(sent: object, timeout: str) -> None:
    """Silence is timeout; 0 means that no silence ends the recording."""
    assert (
        Playbook("record", {"silence": sent})
        >> Document(f"""
            <Response>
              <Record action="https://bridge.test/next/recording"
                callbackUrl="https://bridge.test/notice/recording" maxLength="86400"
                timeout="{timeout}" finishOnKey="#" playBeep="true"/>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        >> ...
    )


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"max_duration": -1}, "record.max_duration: Input should be greater than or equal to 0"),
        ({"max_duration": 301}, "record.max_duration: Input should be less than or equal to 300"),
        ({"silence": -1}, "record.silence: Input should be greater than or equal to 0"),
        ({"silence": 21}, "record.silence: Input should be less than or equal to 20"),
        (
            {"silence": "long"},
            "record.silence: Input should be a valid integer, unable to parse string as an integer",
        ),
    ],
)
def test_out_of_range(params: dict[str, Any], sentence: str) -> None:
    """A value beyond its documented range is refused with its name."""
    assert Playbook("record", params) >> Error("INVALID_PARAMS", sentence)


def test_silent_caller_has_a_recording_of_silence() -> None:
    """When Plivo comes back without a recording, the name stands for silence."""
    assert (
        Playbook("record", name="m7")
        >> Document(UNLIMITED)
        << DocumentEnded(15_000)
        >> Does(KeepRecording("m7", "", ""))
        >> Result("m7")
    )


def test_event_of_another_verb_is_a_recording_of_silence() -> None:
    """Whatever brings the call back without a recording, the app gets a name it can play."""
    assert (
        Playbook("record", name="m7")
        >> Document(UNLIMITED)
        << DigitsReceived("5")
        >> Does(KeepRecording("m7", "", ""))
        >> Result("m7")
    )


def test_hang_up_while_recording() -> None:
    """A mapping has no result then; the shell adds the name when Plivo reports the file."""
    assert Playbook("record") >> Document(UNLIMITED) << HungUp() >> CallEnded()


def test_break_while_recording() -> None:
    """calls.realtime_break ends the command with an error."""
    assert (
        Playbook("record")
        >> Document(UNLIMITED)
        << Broken()
        >> Error("BREAK", "calls.realtime_break ended the command")
    )
