"""How scenarios went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from bridge.simulator.timeline import Timeline
from bridge.testing.scenario.model import PlannedStep, Scenario

#: `not run` comes after a failure, `skipped` was asked for.
StepStatus = Literal["passed", "failed", "skipped", "not run"]
#: `error`: the scenario could not be played to its end for a reason that is not the app's.
Status = Literal["passed", "failed", "error"]

PASSED: Final = 0
FAILED: Final = 1
WRONG: Final = 2
UNREACHABLE: Final = 3


@dataclass(frozen=True, slots=True)
class StepResult:
    """One step: `at` and `took` are virtual s, `ms` is real time.

    `entry` is the index of the last entry of the timeline when it was over.
    """

    step: PlannedStep
    status: StepStatus
    failure: str = ""
    at: float = 0.0
    took: float = 0.0
    ms: float = 0.0
    entry: int = 0


@dataclass(slots=True)
class ScenarioResult:
    """One scenario.

    `failures` are those of no step: what the app did against the protocol, or a call that never
    ended. `virtual_s` is how long the calls lasted, `real_s` how long the simulation took.
    `reproduce` is a command that runs the same again, `files` are the traces that were written,
    `app_said` is what the app has printed at last, when it is a command and the scenario failed.
    """

    scenario: Scenario
    seed: int
    steps: list[StepResult] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    error: str = ""
    timeline: Timeline = field(default_factory=Timeline)
    virtual_s: float = 0.0
    real_s: float = 0.0
    reproduce: str = ""
    files: list[str] = field(default_factory=list)
    app_said: str = ""

    @property
    def status(self) -> Status:
        """Sum it up."""
        if self.error:
            return "error"
        failed = self.failures or any(one.status == "failed" for one in self.steps)
        return "failed" if failed else "passed"

    def count(self, status: StepStatus) -> int:
        """Count the steps of a status."""
        return sum(one.status == status for one in self.steps)

    def messages(self) -> list[tuple[str, str]]:
        """List what failed: where (file, line and step), and what was found."""
        scenario = self.scenario
        found = [
            (f"{one.step.place}: {one.step.label}", one.failure)
            for one in self.steps
            if one.status == "failed"
        ]
        found += [(f"{scenario.file}: after the last step", text) for text in self.failures]
        if self.error:
            found.append((f"{scenario.file}: the scenario could not go on", self.error))
        return found


def exit_status(results: Sequence[ScenarioResult]) -> int:
    """Give what the process ends with when every scenario was run."""
    return PASSED if all(result.status == "passed" for result in results) else FAILED


__all__ = [
    "FAILED",
    "PASSED",
    "UNREACHABLE",
    "WRONG",
    "ScenarioResult",
    "Status",
    "StepResult",
    "StepStatus",
    "exit_status",
]
