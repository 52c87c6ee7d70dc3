"""play_record: what the `record` command recorded.

| parameter | type | meaning |
|---|---|---|
| media_file | string | the name `record` returned |

| result | meaning |
|---|---|
| "0" | it was played |
| "1" | something went wrong |
"""

from __future__ import annotations

from typing import Any

import pytest
from playbook import CallEnded, Document, Does, Error, Playbook, Result

from mappings._kernel.actions import FindRecording
from mappings._kernel.events import DocumentEnded, HungUp, RecordingFound, RecordingMissing


@pytest.mark.parametrize("media_file", ["m7", " m7 "])
def test_recording_is_played_from_a_hosted_copy(media_file: str) -> None:
    """A known name is played from the bridge, which waits for the file and has credentials."""
    assert (
        Playbook("play_record", {"media_file": media_file})
        >> Does(FindRecording("m7"))
        << RecordingFound(silent=False)
        >> Document("""
            <Response>
              <Play>https://bridge.test/recording/m7</Play>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << DocumentEnded(4000)
        >> Result("0")
    )


def test_recording_of_silence_is_0_at_once() -> None:
    """A name under which nothing was recorded plays nothing, successfully."""
    assert (
        Playbook("play_record", {"media_file": "m7"})
        >> Does(FindRecording("m7"))
        << RecordingFound(silent=True)
        >> Result("0")
    )


def test_unknown_recording_is_1() -> None:
    """A name nobody recorded, of another app, or expired gives the documented error result."""
    assert (
        Playbook("play_record", {"media_file": "m8"})
        >> Does(FindRecording("m8"))
        << RecordingMissing()
        >> Result("1")
    )


def test_number_as_name_is_text() -> None:
    """A name that looks like a number is looked up as it was written."""
    assert (
        Playbook("play_record", {"media_file": 17})
        >> Does(FindRecording("17"))
        << RecordingMissing()
        >> Result("1")
    )


@pytest.mark.parametrize(
    "params",
    [{}, {"media_file": ""}, {"media_file": None}, {"media_file": 0}, {"media_file": " "}],
)
def test_no_recording_is_0_at_once(params: dict[str, Any]) -> None:
    """Nothing to play is no error."""
    assert Playbook("play_record", params) >> Result("0")


def test_what_is_no_name_is_refused() -> None:
    """A list is no name."""
    assert Playbook("play_record", {"media_file": ["m7"]}) >> Error(
        "INVALID_PARAMS", "play_record.media_file: Input should be a valid string"
    )


def test_hang_up_during_play() -> None:
    """A caller who hangs up ends the command without a result."""
    assert (
        Playbook("play_record", {"media_file": "m7"})
        >> Does(FindRecording("m7"))
        << RecordingFound(silent=False)
        >> Document("""
            <Response>
              <Play>https://bridge.test/recording/m7</Play>
              <Redirect>https://bridge.test/next/next</Redirect>
            </Response>
        """)
        << HungUp()
        >> CallEnded()
    )
