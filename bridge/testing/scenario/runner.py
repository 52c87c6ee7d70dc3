"""Let a scenario happen on a rig, step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter

from bridge.testing.scenario.expectations import Expectation
from bridge.testing.scenario.kit import CallLike, RigLike
from bridge.testing.scenario.model import PlannedStep, Scenario
from bridge.testing.scenario.results import ScenarioResult, StepResult
from bridge.testing.scenario.steps import Action, Dial

Watch = Callable[[StepResult], None]


async def play(rig: RigLike, result: ScenarioResult, watch: Watch = lambda _: None) -> None:
    """Play all steps and then end what still goes on; `watch` is told of each step.

    A step that fails ends the scenario, unless it is soft. What the app did against the protocol
    fails it too.
    """
    begun = perf_counter()
    result.timeline = rig.timeline
    for number, callee in result.scenario.numbers.items():
        callee.tell(rig.callee(number))
    stage = _Stage(rig, result.scenario)
    failed = False
    for step in result.scenario.steps:
        if step.number in result.scenario.skipped:
            outcome = StepResult(step, "skipped")
        elif failed:
            outcome = StepResult(step, "not run")
        else:
            outcome = await _tried(step, stage)
            failed = outcome.status == "failed" and not step.soft
        result.steps.append(outcome)
        watch(outcome)
    if not failed:
        await rig.hang_up_all()
        if not await rig.finish():
            result.failures.append(
                "A call never ended, or the app was not told so, although everybody hung up."
            )
    result.failures += rig.errors()
    result.warnings += rig.warnings()
    result.virtual_s = _now(rig)
    result.real_s = perf_counter() - begun


@dataclass(slots=True)
class _Stage:
    """The phones and their calls."""

    rig: RigLike
    scenario: Scenario
    calls: dict[str, CallLike] = field(default_factory=dict)

    async def dial(self, name: str, step: Dial) -> None:
        phone = self.scenario.phones[name]
        to = step.to or phone.to
        assert to is not None  # noqa: S101 -- the reader of files demands it
        self.calls[name] = await self.rig.phone(phone.from_).dial(
            to, from_=step.from_, caller_name=step.caller_name or phone.caller_name
        )

    async def do(self, step: PlannedStep) -> None:
        """Do one step; a phone that has not called yet calls first."""
        if isinstance(step.action, Dial):
            await self.dial(step.phone, step.action)
            return
        if step.phone not in self.calls:
            await self.dial(step.phone, Dial.model_validate({}))
        call = self.calls[step.phone]
        match step.action:
            case Action():
                await step.action.perform(call, step.within)
            case Expectation():
                await step.action.check(call, negative=step.negative, within=step.within)


async def _tried(step: PlannedStep, stage: _Stage) -> StepResult:
    at, begun = _now(stage.rig), perf_counter()
    failure = ""
    try:
        await stage.do(step)
    except AssertionError as error:
        failure = str(error) or "The step failed."
    return StepResult(
        step=step,
        status="failed" if failure else "passed",
        failure=failure,
        at=at,
        took=_now(stage.rig) - at,
        ms=(perf_counter() - begun) * 1000,
        entry=len(stage.rig.timeline.entries) - 1,
    )


def _now(rig: RigLike) -> float:
    entries = rig.timeline.entries
    return entries[-1].at if entries else 0.0


__all__ = ["Watch", "play"]
