"""Where the bridge of a rig runs."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support_kit import Script, app_of, play, read, simulated

from bridge.simulator.clock import RealTime
from bridge.testing.hosts import BridgeStartError, toml
from bridge.testing.rig import rig

PLAIN = st.one_of(st.text(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.lists(st.text()))
# TOML forbids lone surrogates; settings never hold any.
TABLES = st.recursive(
    st.dictionaries(st.text(min_size=1), PLAIN, max_size=4),
    lambda inner: st.dictionaries(st.text(min_size=1), st.one_of(PLAIN, inner), max_size=4),
    max_leaves=12,
)


@settings(deadline=None, max_examples=100)
@given(TABLES)
def test_settings_as_toml(values: dict[str, Any]) -> None:
    """Whatever settings hold is read back from the file as it was."""
    assert values == tomllib.loads(toml(values))


@pytest.mark.slow
async def test_a_process_of_its_own(tmp_path: Path) -> None:
    """The same call through `rt-bridge serve`, which is killed and started again in the middle."""
    app = app_of(Script(read("How old?"), play("You are 42.")))
    store = {"store": f"sqlite:///{tmp_path}/bridge.db"}
    async with rig(app, seed=1, own_process=True, settings=store) as it:
        call = await it.phone().dial()
        await call.expect_prompt("How old?")
        await it.restart_bridge()
        await call.press("42#")
        await call.expect_prompt("You are 42.")
        await call.expect_ended(by="app")

        assert await it.finish()
        with pytest.raises(RuntimeError, match="runs in a process of its own"):
            _ = it.bridge

    assert ["UP", "UP", "UP", "HANGUP"] == [turn.request["call_status"] for turn in it.turns]
    assert {1} == {entry.call for entry in it.timeline.of("app")}


@pytest.mark.slow
async def test_a_process_that_does_not_start(tmp_path: Path) -> None:
    """What it said is the error."""
    with pytest.raises(BridgeStartError, match=r"The bridge did not start\. It said:"):
        async with rig(
            app_of(Script()),
            own_process=True,
            settings={"store": f"sqlite:///{tmp_path}/no/such.db"},
        ):
            pass


async def test_only_a_process_can_be_killed() -> None:
    """A bridge in this process cannot, and one of its own has no real time."""
    async with simulated() as it:
        with pytest.raises(RuntimeError, match="in a process of its own can be killed"):
            await it.restart_bridge()
    with pytest.raises(TypeError, match="shares virtual time only"):
        async with rig(app_of(Script()), own_process=True, clock=RealTime()):
            pass
