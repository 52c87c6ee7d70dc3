"""Play a call that was found again, as its scenario file would, and try what of it may be left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bridge.simulator.clock import StuckError
from bridge.testing.explore.caller import PHONES, Step
from bridge.testing.explore.watch import Finding, Limits, Watch
from bridge.testing.rig import Rig
from bridge.testing.scenario.files import read_scenario
from bridge.testing.scenario.results import ScenarioResult
from bridge.testing.scenario.rigging import standing
from bridge.testing.scenario.runner import play


async def repeat(text: str, app_url: str, code: str, limits: Limits) -> tuple[Finding, Rig] | None:
    """Play a scenario on a rig of its own; give what is found when it is the same, else None.

    Raises AppStartError.
    """
    scenario = read_scenario(text, "found.yaml")
    result = ScenarioResult(scenario, scenario.seed or 0)
    async with standing(scenario, app_url, result.seed, "") as stand:
        watch = Watch(stand.rig, limits, faulty=bool(scenario.faults))
        try:
            await play(stand, result)
        except StuckError as error:
            watch.fail(str(error))
        finding = watch.finding
    return (finding, stand.rig) if finding is not None and finding.code == code else None


def shorter(steps: Sequence[Step]) -> Iterator[tuple[Step, ...]]:
    """Give what may do as well: the first phones, the last call alone, then all but one step."""
    if not steps:
        return
    used = dict.fromkeys(step.phone for step in steps)
    names = dict(zip(used, PHONES, strict=False))
    if list(names) != list(names.values()):
        yield tuple(replace(step, phone=names[step.phone]) for step in steps)
    phone = steps[-1].phone
    last = max(
        (n for n, step in enumerate(steps) if step.phone == phone and step.verb == "dial"),
        default=0,
    )
    alone = tuple(step for step in steps[last:] if step.phone == phone)
    if len(alone) < len(steps):
        yield alone
    for left_out, step in enumerate(steps):
        after = next((one.verb for one in steps[left_out + 1 :] if one.phone == step.phone), "dial")
        if step.verb == "dial" and after != "dial":
            # The phone would dial all the same, unsaid.
            continue
        kept = (*steps[:left_out], *steps[left_out + 1 :])
        if kept:
            yield kept


__all__ = ["repeat", "shorter"]
