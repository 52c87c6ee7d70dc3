"""The expectations of a call, each with its negative twin.

`expect_…` waits at most `within` virtual s for something that was not matched before;
`expect_no_…` makes sure that it has not happened, and does not within so many s more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bridge.simulator.timeline import Entry
from bridge.testing import wants
from bridge.testing.expecting import WITHIN_S, Cursor
from bridge.testing.wants import Want, Wanted

#: Virtual s that parties may ring before the next one is dialled.
RINGING_S: Final = 600.0


class Expectations:
    """What can be expected; failures raise ExpectationError, soft ones are collected."""

    _cursor: Cursor
    _soft: bool

    async def expect_prompt(self, text: Wanted, *, within: float = WITHIN_S) -> Entry | None:
        """Expect that the caller hears a text spoken: part of it, or a pattern found in it."""
        __tracebackhide__ = True
        return await self._meet(wants.prompt(text), within)

    async def expect_no_prompt(self, text: Wanted, *, within: float = 0) -> None:
        """Expect that the caller does not hear it."""
        __tracebackhide__ = True
        await self._miss(wants.prompt(text), within)

    async def expect_played(self, url: Wanted, *, within: float = WITHIN_S) -> Entry | None:
        """Expect that a sound file is played to the caller."""
        __tracebackhide__ = True
        return await self._meet(wants.played(url), within)

    async def expect_no_played(self, url: Wanted, *, within: float = 0) -> None:
        """Expect that it is not played."""
        __tracebackhide__ = True
        await self._miss(wants.played(url), within)

    async def expect_tones(self, digits: Wanted, *, within: float = WITHIN_S) -> Entry | None:
        """Expect that tones are sent to the caller; pauses between them do not count."""
        __tracebackhide__ = True
        return await self._meet(wants.tones(digits), within)

    async def expect_no_tones(self, digits: Wanted, *, within: float = 0) -> None:
        """Expect that they are not sent."""
        __tracebackhide__ = True
        await self._miss(wants.tones(digits), within)

    async def expect_listening(self, *, within: float = WITHIN_S) -> Entry | None:
        """Expect that the call waits for keys or speech."""
        __tracebackhide__ = True
        return await self._meet(wants.listening(), within)

    async def expect_no_listening(self, *, within: float = 0) -> None:
        """Expect that it does not wait for them."""
        __tracebackhide__ = True
        await self._miss(wants.listening(), within)

    async def expect_recording(self, *, within: float = WITHIN_S) -> Entry | None:
        """Expect that a recording begins, of what the caller says or of the whole call."""
        __tracebackhide__ = True
        return await self._meet(wants.recording(), within)

    async def expect_no_recording(self, *, within: float = 0) -> None:
        """Expect that none begins."""
        __tracebackhide__ = True
        await self._miss(wants.recording(), within)

    async def expect_dialled(
        self,
        numbers: str | Sequence[str],
        *,
        caller_id: str | None = None,
        within: float = RINGING_S,
    ) -> Entry | None:
        """Expect that these numbers are dialled in this order, each showing `caller_id` when one is given."""
        __tracebackhide__ = True
        last: Entry | None = None
        for number in [numbers] if isinstance(numbers, str) else numbers:
            last = await self._meet(wants.dialled(number, caller_id), within)
        return last

    async def expect_no_dialled(
        self, number: str, *, caller_id: str | None = None, within: float = 0
    ) -> None:
        """Expect that this number is not dialled."""
        __tracebackhide__ = True
        await self._miss(wants.dialled(number, caller_id), within)

    async def expect_leg(self, leg: int, state: str, *, within: float = RINGING_S) -> Entry | None:
        """Expect that a dialled party, counted from 1, is ringing, answered, connected, or in another state."""
        __tracebackhide__ = True
        return await self._meet(wants.leg(leg, state), within)

    async def expect_no_leg(self, leg: int, state: str, *, within: float = 0) -> None:
        """Expect that it is not."""
        __tracebackhide__ = True
        await self._miss(wants.leg(leg, state), within)

    async def expect_room(
        self, members: int | None = None, *, within: float = WITHIN_S
    ) -> Entry | None:
        """Expect that the caller enters a conference, which then has so many members."""
        __tracebackhide__ = True
        return await self._meet(wants.room(members), within)

    async def expect_no_room(self, members: int | None = None, *, within: float = 0) -> None:
        """Expect that the caller enters none."""
        __tracebackhide__ = True
        await self._miss(wants.room(members), within)

    async def expect_command(
        self, name: str, /, *, within: float = WITHIN_S, **params: Any
    ) -> Entry | None:
        """Expect that the app sends a command with at least these params; "3" and 3 are the same."""
        __tracebackhide__ = True
        return await self._meet(wants.command(name, params), within)

    async def expect_no_command(self, name: str, /, *, within: float = 0, **params: Any) -> None:
        """Expect that the app does not send it."""
        __tracebackhide__ = True
        await self._miss(wants.command(name, params), within)

    async def expect_result(self, value: Any, *, within: float = WITHIN_S) -> Entry | None:
        """Expect that the app is told this result of a command."""
        __tracebackhide__ = True
        return await self._meet(wants.result(value), within)

    async def expect_no_result(self, value: Any, *, within: float = 0) -> None:
        """Expect that it is not told that."""
        __tracebackhide__ = True
        await self._miss(wants.result(value), within)

    async def expect_error(self, code: str, *, within: float = WITHIN_S) -> Entry | None:
        """Expect that the app is told a command error with this code."""
        __tracebackhide__ = True
        return await self._meet(wants.error(code), within)

    async def expect_no_error(self, code: str, *, within: float = 0) -> None:
        """Expect that it is not told that."""
        __tracebackhide__ = True
        await self._miss(wants.error(code), within)

    async def expect_variables(
        self, values: Mapping[str, Any], *, within: float = WITHIN_S
    ) -> Entry | None:
        """Expect that the app sets at least these variables."""
        __tracebackhide__ = True
        return await self._meet(wants.variables(values), within)

    async def expect_no_variables(self, values: Mapping[str, Any], *, within: float = 0) -> None:
        """Expect that it does not set them."""
        __tracebackhide__ = True
        await self._miss(wants.variables(values), within)

    async def expect_rest(
        self, method: str, path_part: str, *, within: float = WITHIN_S
    ) -> Entry | None:
        """Expect that the bridge asks Plivo's REST API for something."""
        __tracebackhide__ = True
        return await self._meet(wants.rest(method, path_part), within)

    async def expect_no_rest(self, method: str, path_part: str, *, within: float = 0) -> None:
        """Expect that it does not."""
        __tracebackhide__ = True
        await self._miss(wants.rest(method, path_part), within)

    async def expect_ended(
        self, *, by: str | None = None, code: int | str | None = None, within: float = WITHIN_S
    ) -> Entry | None:
        """Expect that the call ends, by caller, callee, app, api, plivo, carrier or error."""
        __tracebackhide__ = True
        return await self._meet(wants.ended(by, code), within)

    async def expect_no_ended(
        self, *, by: str | None = None, code: int | str | None = None, within: float = 0
    ) -> None:
        """Expect that it does not."""
        __tracebackhide__ = True
        await self._miss(wants.ended(by, code), within)

    async def _meet(self, want: Want, within: float) -> Entry | None:
        __tracebackhide__ = True
        return await self._cursor.meet(want, within, soft=self._soft)

    async def _miss(self, want: Want, within: float) -> None:
        __tracebackhide__ = True
        await self._cursor.miss(want, within, soft=self._soft)


__all__ = ["RINGING_S", "Expectations"]
