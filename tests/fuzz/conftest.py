"""At the end of `make fuzz`: how many inputs there were, and how much memory they left in use."""

from __future__ import annotations

import os
import re
from collections import Counter

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests recorded, when somebody asked for long runs."""
    if "RT_BRIDGE_FUZZ" not in os.environ:
        return
    inputs: Counter[str] = Counter()
    grown: dict[str, int] = {}
    for report in terminalreporter.stats.get("passed", []):
        properties = dict(report.user_properties)
        if "inputs" in properties:
            name = re.sub(r"\[\d+-(\w+)]$", r" \1", report.nodeid.partition("::")[2])
            inputs[name] += properties["inputs"]
            grown[name] = max(grown.get(name, 0), properties.get("grown", 0))
    if inputs:
        terminalreporter.section("hostile inputs")
    for name, count in sorted(inputs.items()):
        left = f"  at most {grown[name]:,} bytes left in use" if grown[name] else ""
        terminalreporter.line(f"{count:>10,}  {name}{left}")
    if inputs:
        terminalreporter.line(f"{sum(inputs.values()):>10,}  in all")
