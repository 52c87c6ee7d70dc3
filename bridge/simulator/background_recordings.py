"""Recordings that run beside the elements of a call: of a room, or asked for through REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bridge.simulator.recordings import Recording

if TYPE_CHECKING:
    from bridge.simulator.line import Line


class BackgroundRecording:
    """A recording that runs until it is stopped; `report` hears of it then, once."""

    def __init__(
        self,
        line: Line,
        file_format: str,
        report: Callable[[Recording], None],
        *,
        conference_name: str = "",
    ) -> None:
        identity = line.leg.new_uuid()
        account = line.plivo.account.auth_id
        host = line.plivo.media_url
        url = f"{host}/v1/Account/{account}/Recording/{identity}.{file_format}"
        self.line = line
        self.recording = Recording(
            identity,
            url,
            file_format,
            "" if conference_name else line.uuid,
            line.clock.now(),
            conference_name=conference_name,
        )
        self._report = report
        line.plivo.recordings[identity] = self.recording
        line.add("records", "a recording begins", recording_id=identity, seconds=-1, url=url)

    @property
    def running(self) -> bool:
        """Say whether it still runs."""
        return self.recording.seconds < 0

    def stop(self) -> None:
        """End it; a second time does nothing."""
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
