"""The kit for tests that are no coroutines.

with sync_rig("http://127.0.0.1:8000/rt") as it:
    call = it.phone("+33612345678").dial("+33187654321")
    call.expect_prompt("How old are you")
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bridge.testing.app_under_test import AppUnderTest
from bridge.testing.phone import CALLED, CALLER, RINGS_WITHIN_S, CalleeSetting, Phone
from bridge.testing.portal import Portal, portal
from bridge.testing.rig import Rig, rig
from bridge.testing.sync_call import SyncCall, SyncPerson


@dataclass(frozen=True, slots=True)
class SyncPhone:
    """Somebody with a phone."""

    portal: Portal = field(repr=False)
    it: Phone

    def dial(
        self, to: str = CALLED, from_: str | None = None, caller_name: str | None = None
    ) -> SyncCall:
        """Call a number of the bridge; `from_` shows another number than this phone's."""
        return SyncCall(self.portal, self.portal.run(self.it.dial(to, from_, caller_name)))

    def rings(self, *, within: float = RINGS_WITHIN_S) -> SyncCall:
        """Wait until somebody calls this phone; give the call, which `answer` takes."""
        __tracebackhide__ = True
        return SyncCall(self.portal, self.portal.run(self.it.rings(within=within)))


@dataclass(frozen=True, slots=True)
class SyncRig:
    """Everything of one simulation; `rig` is the rig itself."""

    portal: Portal = field(repr=False)
    rig: Rig

    def phone(self, number: str = CALLER) -> SyncPhone:
        """Give the phone with this number."""
        return SyncPhone(self.portal, self.rig.phone(number))

    def callee(self, number: str) -> CalleeSetting:
        """Say what a number does when it is dialled."""
        return self.rig.callee(number)

    def finish(self, patience_s: float = 120.0) -> bool:
        """Let time pass until every call is over and the app was told."""
        return self.portal.run(self.rig.finish(patience_s))

    def wind_up(self) -> bool:
        """Let every call come to its end; who is still there after a while hangs up."""
        return self.portal.run(self.rig.wind_up())


@contextmanager
def sync_rig(app: AppUnderTest, **options: Any) -> Iterator[SyncRig]:
    """Put bridge and simulated Plivo around an app; options and errors as for `rig`."""
    with portal() as running:
        context = rig(app, **options)
        made = running.run(context.__aenter__())
        try:
            yield SyncRig(running, made)
        finally:
            running.run(context.__aexit__(None, None, None))


__all__ = ["SyncCall", "SyncPerson", "SyncPhone", "SyncRig", "sync_rig"]
