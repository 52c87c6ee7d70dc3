"""Recordings that run beside the elements of a call: of a room, or asked for through REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bridge.simulator.recordings import Recording, recording_url

if TYPE_CHECKING:
    from bridge.simulator.line import Line


class BackgroundRecording:
    """A recording that runs until it is stopped; `report` hears of it then, once.

    With `begins=False` it runs only from `begin` on; its URL is known before.
    """

    def __init__(
        self,
        line: Line,
        file_format: str,
        report: Callable[[Recording], None],
        *,
        conference_name: str = "",
        begins: bool = True,
    ) -> None:
        identity = line.leg.new_uuid()
        self.line = line
        self.recording = Recording(
            identity,
            recording_url(line.plivo, identity, file_format),
            file_format,
            "" if conference_name else line.uuid,
            line.clock.now(),
            conference_name=conference_name,
        )
        self._report = report
        self._begun = False
        if begins:
            self.begin()

    @property
    def running(self) -> bool:
        """Say whether it runs."""
        return self._begun and self.recording.seconds < 0

    def begin(self) -> None:
        """Begin it; a second time does nothing."""
        if self._begun:
            return
        self._begun = True
        line, recording = self.line, self.recording
        recording.began = line.clock.now()
        line.plivo.recordings[recording.recording_id] = recording
        line.add(
            "records",
            "a recording begins",
            recording_id=recording.recording_id,
            seconds=-1,
            url=recording.url,
        )

    def stop(self) -> None:
        """End it; does nothing unless it runs."""
        if not self.running:
            return
        line, recording = self.line, self.recording
        recording.seconds = line.clock.now() - recording.began
        recording.ready_at = line.clock.now() + line.profile.recording_ready_s
        line.add(
            "records",
            f"a recording of {recording.seconds:g} s ends",
            recording_id=recording.recording_id,
            seconds=recording.seconds,
            url=recording.url,
        )
        self._report(recording)


def lengths(recording: Recording, *, decimal: bool) -> tuple[str, str, str, str]:
    """Give duration in s and ms, begin and end in ms since 1970; -1 while it runs."""
    if recording.seconds < 0:
        return ("-1", "-1", "-1", "-1")
    began, ms = round(1000 * recording.began), round(1000 * recording.seconds)
    whole = f"{recording.seconds:.1f}" if decimal else str(round(recording.seconds))
    return (whole, str(ms), str(began), str(began + ms))


__all__ = ["BackgroundRecording", "lengths"]
