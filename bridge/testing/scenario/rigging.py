"""Put the test kit's rig around the app, for one scenario."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from bridge.simulator.platform import Application, digits
from bridge.simulator.timeline import Timeline
from bridge.testing.rig import HASH, PUBLIC_URL, CalleeSetting, Phone, Rig, rig
from bridge.testing.scenario.model import Scenario
from bridge.testing.scenario.scenario_settings import split
from bridge.testing.scenario.steps import Dial


class Stand:
    """The rig as a scenario needs it."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    @property
    def timeline(self) -> Timeline:
        """Give everything that happened."""
        return self.rig.timeline

    def phone(self, number: str) -> Phone:
        """Give the phone with this number."""
        return self.rig.phone(number)

    def callee(self, number: str) -> CalleeSetting:
        """Say what a dialled number does."""
        return self.rig.callee(number)

    def errors(self) -> Sequence[str]:
        """List what the app did against the protocol, but for what is allowed."""
        return [str(one) for one in self.rig.contract.errors]

    def warnings(self) -> Sequence[str]:
        """List what is probably not meant: of the app, and rules that were allowed for nothing."""
        contract = self.rig.contract
        found = [str(one) for one in contract.found if one.severity == "warning"]
        return found + [f"{code} is allowed and never occurred" for code in contract.never_occurred]

    async def hang_up_all(self) -> None:
        """Let everybody hang up who is still on the phone."""
        self.rig.hang_up_all("the scenario")

    async def finish(self) -> bool:
        """Let time pass until every call is over and the app was told; False when it never is."""
        return await self.rig.finish()


@asynccontextmanager
async def standing(
    scenario: Scenario, app_url: str, seed: int, reproduce: str
) -> AsyncIterator[Stand]:
    """Give bridge and simulation for one scenario. Raises AppStartError."""
    app_settings, settings = split(scenario.settings)
    async with rig(
        app_url,
        seed=seed,
        profile=scenario.profile or "normal",
        faults=scenario.faults,
        app_settings=app_settings,
        settings=settings,
        allow=scenario.allow,
    ) as it:
        it.reproduce = reproduce
        called = {phone.to for phone in scenario.phones.values()}
        called |= {step.action.to for step in scenario.steps if isinstance(step.action, Dial)}
        for number in called - {None}:
            it.plivo.numbers[digits(str(number))] = Application.at(PUBLIC_URL, HASH)
        yield Stand(it)


__all__ = ["Stand", "standing"]
