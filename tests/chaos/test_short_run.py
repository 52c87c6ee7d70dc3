"""The short form of `make chaos`."""

from __future__ import annotations

from pathlib import Path

import pytest
from chaos.figures import table
from chaos.verdicts import violations
from chaos.world import Plan, run
from support_valkey import needs_valkey

PLAN = Plan(
    calls=40,
    seconds=5.0,
    ramp_s=1.0,
    ends_s=2.0,
    kill_every_s=1.5,
    store_restarts=1,
    app_timeout_s=3.0,
    pace=1.0,
)


@needs_valkey
@pytest.mark.slow
async def test_promises_hold_while_everything_is_killed(tmp_path: Path) -> None:
    """Three replicas, killed one after the other, and a store that is killed keep every promise."""
    found = await run(PLAN, tmp_path)
    wrong = violations(found)

    assert [] == wrong, table(found, wrong)
    assert len(found.kills) >= 2
    assert 1 == len(found.outages)
    assert found.most_at_once >= PLAN.calls // 2
    assert sum(ask.failure != "" for ask in found.asks) > 0
