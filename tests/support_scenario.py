"""A rig whose calls are those of the kit, with nothing behind them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import MagicMock, create_autospec

from bridge.simulator.timeline import Entry, Timeline
from bridge.testing.call import Call, Person
from bridge.testing.rig import CalleeSetting
from bridge.testing.scenario.files import read_scenario
from bridge.testing.scenario.model import Scenario

HEAD = 'from: "+33612345678"\nto: "+33187654321"\n'


def scenario_of(steps: str, head: str = HEAD) -> Scenario:
    """Read a scenario from the text of its steps."""
    return read_scenario(f"{head}steps:\n{steps}", "x.yaml")


class FakePhone:
    """A phone that notes whom it calls."""

    def __init__(self, rig: FakeRig, number: str) -> None:
        self.rig = rig
        self.number = number

    async def dial(
        self, to: str = "", from_: str | None = None, caller_name: str | None = None
    ) -> Any:
        """Give a call that accepts exactly what calls of the kit accept."""
        self.rig.dialled.append((self.number, to, from_, caller_name))
        call = create_autospec(Call, instance=True)
        call.leg.return_value = create_autospec(Person, instance=True)
        for name in dir(Call):
            if name.startswith("expect_"):
                getattr(call, name).side_effect = self.rig.noting(name)
        self.rig.calls.append(call)
        return call


@dataclass
class FakeRig:
    """What scenarios are played on; `failing` are expectations that are not met."""

    failing: dict[str, str] = field(default_factory=dict)
    ends: bool = True
    timeline: Timeline = field(default_factory=Timeline)
    dialled: list[tuple[str, str, str | None, str | None]] = field(default_factory=list)
    calls: list[MagicMock] = field(default_factory=list)
    callees: dict[str, MagicMock] = field(default_factory=dict)
    broken: Sequence[str] = ()
    noted: Sequence[str] = ()
    hung_up: int = 0

    def noting(self, name: str) -> Callable[..., None]:
        """Make an expectation that takes 2 virtual s and an entry of the timeline."""

        def expect(*args: object, **_options: object) -> None:
            last = self.timeline.entries[-1].at if self.timeline.entries else 0.0
            self.timeline.add(Entry(last + 2, "expects", f"{name} {args}"))
            if name in self.failing:
                raise AssertionError(self.failing[name])

        return expect

    def phone(self, number: str) -> FakePhone:
        """Give a phone."""
        return FakePhone(self, number)

    def callee(self, number: str) -> Any:
        """Give what notes how a number behaves."""
        return self.callees.setdefault(number, create_autospec(CalleeSetting, instance=True))

    def errors(self) -> Sequence[str]:
        """Give what the app broke."""
        return self.broken

    def warnings(self) -> Sequence[str]:
        """Give what is worth a note."""
        return self.noted

    async def hang_up_all(self) -> None:
        """Count how often everybody was made to hang up."""
        self.hung_up += 1

    async def finish(self) -> bool:
        """Say whether the calls come to an end."""
        return self.ends
