"""A call that was found, as a scenario file that repeats it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bridge.testing.explore.caller import PHONES, Step
from bridge.testing.explore.watch import ENDLESS, LOOP, Finding
from bridge.testing.rig import CALLED


def scenario_text(
    finding: Finding,
    steps: Sequence[Step],
    *,
    seed: int,
    profile: str,
    faults: Sequence[str] = (),
    allow: Sequence[str] = (),
) -> str:
    """Write the file. It fails as long as the app does what was found."""
    head: dict[str, Any] = {
        "name": finding.code,
        "description": " ".join(finding.sentence.split()),
        "to": CALLED,
        "phones": {phone: PHONES[phone] for phone in sorted({one.phone for one in steps})},
        "seed": seed,
        "profile": profile,
    }
    head |= {"faults": list(faults)} if faults else {}
    head |= {"allow": list(allow)} if allow else {}
    lines = ["# Found by rt-bridge explore."]
    lines += [f"{name}: {_flow(value)}" for name, value in head.items()]
    lines.append("steps:")
    lines += [line for step in steps for line in _step(step)]
    if finding.code in {LOOP, ENDLESS} and steps:
        # Left alone, the call has to come to an end by itself.
        lines += ["  - expect ended:", f"    phone: {steps[-1].phone}", "    within: 5m"]
    return "\n".join(lines) + "\n"


def _step(step: Step) -> list[str]:
    options = _flow(step.options) if step.options else ""
    return [f"  - {step.verb}: {options}".rstrip(), f"    phone: {step.phone}"]


def _flow(value: Any) -> str:
    """Write a value on one line; strings are quoted, for `0123` and `no` are strings here."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_flow(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return json.dumps(value, ensure_ascii=False)


__all__ = ["scenario_text"]
