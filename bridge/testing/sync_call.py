"""Calls for tests that are no coroutines.

Written by `python -m bridge.testing.sync_source` from bridge/testing/call.py and expectations.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bridge.simulator.timeline import Entry
from bridge.testing.call import Call, Person
from bridge.testing.portal import Portal
from bridge.testing.wants import Wanted


class SyncPerson:
    """Somebody on a line; every method waits until it is done."""

    def __init__(self, portal: Portal, it: Person) -> None:
        self._portal = portal
        self.it = it

    def hang_up(self) -> None:
        """Hang up."""
        __tracebackhide__ = True
        return self._portal.run(self.it.hang_up())

    def press(self, keys: str, *, within: float = 60.0) -> None:
        """Press keys, one after the other, as soon as the call accepts keys."""
        __tracebackhide__ = True
        return self._portal.run(self.it.press(keys, within=within))

    def press_now(self, keys: str) -> None:
        """Press keys whether or not anything listens."""
        __tracebackhide__ = True
        return self._portal.run(self.it.press_now(keys))


class SyncCall:
    """A call, from its caller's side; every method waits until it is done."""

    def __init__(self, portal: Portal, it: Call) -> None:
        self._portal = portal
        self.it = it

    @property
    def soft(self) -> SyncCall:
        """Give this call with soft expectations."""
        return SyncCall(self._portal, self.it.soft)

    @property
    def number(self) -> int:
        """Give the number of this call in the simulation, from 1."""
        return self.it.number

    @property
    def is_over(self) -> bool:
        """Say whether the call is over."""
        return self.it.is_over

    def leg(self, number: int) -> SyncPerson:
        """Give a party this call dialled, counted from 1. Raises ExpectationError."""
        return SyncPerson(self._portal, self.it.leg(number))

    def answer(self, leg: int | None = None) -> None:
        """Let a dialled party pick up; without a number the last one dialled."""
        __tracebackhide__ = True
        return self._portal.run(self.it.answer(leg))

    def busy(self, leg: int | None = None) -> None:
        """Let a dialled party be busy."""
        __tracebackhide__ = True
        return self._portal.run(self.it.busy(leg))

    def expect_command(self, name: str, /, *, within: float = 60.0, **params: Any) -> Entry | None:
        """Expect that the app sends a command with at least these params; "3" and 3 are the same."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_command(name, within=within, **params))

    def expect_dialled(
        self, numbers: str | Sequence[str], *, caller_id: str | None = None, within: float = 600.0
    ) -> Entry | None:
        """Expect that these numbers are dialled in this order, each showing `caller_id` when one is given."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_dialled(numbers, caller_id=caller_id, within=within))

    def expect_ended(
        self, *, by: str | None = None, code: int | str | None = None, within: float = 60.0
    ) -> Entry | None:
        """Expect that the call ends, by caller, callee, app, api, plivo, carrier or error."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_ended(by=by, code=code, within=within))

    def expect_error(self, code: str, *, within: float = 60.0) -> Entry | None:
        """Expect that the app is told a command error with this code."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_error(code, within=within))

    def expect_leg(self, leg: int, state: str, *, within: float = 600.0) -> Entry | None:
        """Expect that a dialled party, counted from 1, is ringing, answered, connected, or in another state."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_leg(leg, state, within=within))

    def expect_listening(self, *, within: float = 60.0) -> Entry | None:
        """Expect that the call waits for keys or speech."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_listening(within=within))

    def expect_no_command(self, name: str, /, *, within: float = 0, **params: Any) -> None:
        """Expect that the app does not send it."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_no_command(name, within=within, **params))

    def expect_no_dialled(
        self, number: str, *, caller_id: str | None = None, within: float = 0
    ) -> None:
        """Expect that this number is not dialled."""
        __tracebackhide__ = True
        return self._portal.run(
            self.it.expect_no_dialled(number, caller_id=caller_id, within=within)
        )

    def expect_no_ended(
        self, *, by: str | None = None, code: int | str | None = None, within: float = 0
    ) -> None:
        """Expect that it does not."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_no_ended(by=by, code=code, within=within))

    def expect_no_error(self, code: str, *, within: float = 0) -> None:
        """Expect that it is not told that."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_no_error(code, within=within))

    def expect_no_leg(self, leg: int, state: str, *, within: float = 0) -> None:
        """Expect that it is not."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_no_leg(leg, state, within=within))

    def expect_no_listening(self, *, within: float = 0) -> None:
        """Expect that it does not wait for them."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_no_listening(within=within))

    def expect_no_played(self, url: Wanted, *, within: float = 0) -> None:
        """Expect that it is not played."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_no_played(url, within=within))

    def expect_no_prompt(self, text: Wanted, *, within: float = 0) -> None:
        """Expect that the caller does not hear it."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_no_prompt(text, within=within))

    def expect_no_recording(self, *, within: float = 0) -> None:
        """Expect that none begins."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_no_recording(within=within))

    def expect_no_rest(self, method: str, path_part: str, *, within: float = 0) -> None:
        """Expect that it does not."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_no_rest(method, path_part, within=within))

    def expect_no_result(self, value: Any, *, within: float = 0) -> None:
        """Expect that it is not told that."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_no_result(value, within=within))

    def expect_no_room(self, members: int | None = None, *, within: float = 0) -> None:
        """Expect that the caller enters none."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_no_room(members, within=within))

    def expect_no_tones(self, digits: Wanted, *, within: float = 0) -> None:
        """Expect that they are not sent."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_no_tones(digits, within=within))

    def expect_no_variables(self, values: Mapping[str, Any], *, within: float = 0) -> None:
        """Expect that it does not set them."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_no_variables(values, within=within))

    def expect_played(self, url: Wanted, *, within: float = 60.0) -> Entry | None:
        """Expect that a sound file is played to the caller."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_played(url, within=within))

    def expect_prompt(self, text: Wanted, *, within: float = 60.0) -> Entry | None:
        """Expect that the caller hears a text spoken: part of it, or a pattern found in it."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_prompt(text, within=within))

    def expect_recording(self, *, within: float = 60.0) -> Entry | None:
        """Expect that a recording begins, of what the caller says or of the whole call."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_recording(within=within))

    def expect_rest(self, method: str, path_part: str, *, within: float = 60.0) -> Entry | None:
        """Expect that the bridge asks Plivo's REST API for something."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_rest(method, path_part, within=within))

    def expect_result(self, value: Any, *, within: float = 60.0) -> Entry | None:
        """Expect that the app is told this result of a command."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_result(value, within=within))

    def expect_room(self, members: int | None = None, *, within: float = 60.0) -> Entry | None:
        """Expect that the caller enters a conference, which then has so many members."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_room(members, within=within))

    def expect_tones(self, digits: Wanted, *, within: float = 60.0) -> Entry | None:
        """Expect that tones are sent to the caller; pauses between them do not count."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_tones(digits, within=within))

    def expect_variables(self, values: Mapping[str, Any], *, within: float = 60.0) -> Entry | None:
        """Expect that the app sets at least these variables."""
        __tracebackhide__ = True
        return self._portal.run(self.it.expect_variables(values, within=within))

    def fail(self, leg: int | None = None, code: int = 3050) -> None:
        """Let the call to a party fail with a hangup cause of Plivo."""
        __tracebackhide__ = True
        return self._portal.run(self.it.fail(leg, code))

    def hang_up(self) -> None:
        """Hang up."""
        __tracebackhide__ = True
        return self._portal.run(self.it.hang_up())

    def make_noise(self, seconds: float) -> None:
        """Make noise that is no speech, now."""
        __tracebackhide__ = True
        return self._portal.run(self.it.make_noise(seconds))

    def no_answer(self, leg: int | None = None) -> None:
        """Let the network give up ringing a party."""
        __tracebackhide__ = True
        return self._portal.run(self.it.no_answer(leg))

    def press(self, keys: str, *, within: float = 60.0) -> None:
        """Press keys, one after the other, as soon as the call accepts keys."""
        __tracebackhide__ = True
        return self._portal.run(self.it.press(keys, within=within))

    def press_now(self, keys: str) -> None:
        """Press keys whether or not anything listens."""
        __tracebackhide__ = True
        return self._portal.run(self.it.press_now(keys))

    def reject(self, leg: int | None = None) -> None:
        """Let a dialled party decline."""
        __tracebackhide__ = True
        return self._portal.run(self.it.reject(leg))

    def say(self, text: str, *, confidence: float = 0.95, within: float = 60.0) -> None:
        """Say something, as soon as the call listens for speech."""
        __tracebackhide__ = True
        return self._portal.run(self.it.say(text, confidence=confidence, within=within))

    def speak(self, seconds: float, key: str = "#", *, within: float = 60.0) -> None:
        """Speak into a recording as soon as one runs, and end it with a key ("" = fall silent)."""
        __tracebackhide__ = True
        return self._portal.run(self.it.speak(seconds, key, within=within))

    def wait(self, seconds: float) -> None:
        """Let so much virtual time pass."""
        __tracebackhide__ = True
        return self._portal.run(self.it.wait(seconds))


__all__ = ["SyncCall", "SyncPerson"]
