"""At the end of `make fuzz`: how many inputs there were, and how much memory they left in use."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from typing import Final

import pytest

#: The parts of a name that number a batch.
BATCH: Final = re.compile(r"\[\d+-|\[\d+]|\[")
BEGUN: Final = time.monotonic()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests recorded, when somebody asked for long runs."""
    if "RT_BRIDGE_FUZZ" not in os.environ:
        return
    inputs: Counter[str] = Counter()
    left: dict[str, Counter[str]] = {}
    for report in terminalreporter.stats.get("passed", []):
        figures = dict(report.user_properties)
        if "inputs" in figures:
            name = BATCH.sub(" ", report.nodeid.partition("::")[2]).removesuffix("]").strip()
            inputs[name] += figures["inputs"]
            left[name] = left.get(name, Counter()) | Counter(
                {unit: figures.get(unit, 0) for unit in ("grown", "blocks")}
            )
    if inputs:
        terminalreporter.section("hostile inputs")
    for name, count in sorted(inputs.items()):
        most = f"; at most {left[name]['grown']:,} bytes left in use" if left[name] else ""
        terminalreporter.line(f"{count:>10,}  {name.removeprefix('test_')}{most}")
    if inputs:
        minutes = (time.monotonic() - BEGUN) / 60
        terminalreporter.line(f"{sum(inputs.values()):>10,}  in all, in {minutes:.1f} minutes")
