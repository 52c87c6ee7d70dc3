"""Assembly: a bridge starts whatever its store holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from support_e2e import settings_for

from bridge import app
from bridge.app import Bridge
from bridge.store.protocol import CallWrite, Commit, OutboxRow, StoreUnavailable


@pytest.mark.parametrize("blob", [b"not JSON", b"[]", b'{"v":1}', b'{"v":99,"callid":"x"}'])
async def test_an_unreadable_call_does_not_keep_the_bridge_from_starting(blob: bytes) -> None:
    """One call whose stored state cannot be read is left alone; everything else is served."""
    bridge = Bridge(
        settings_for(
            "memory:", "http://127.0.0.1:9", {"apps": {"A": {"url": "http://127.0.0.1:9/"}}}
        )
    )
    await bridge.store.open()
    await bridge.store.commit(Commit(call=CallWrite(1, "A", "uuid", 0, blob, 1.0)))
    await bridge.start()
    try:
        counted = dict(bridge.runtime.open_commands)
    finally:
        await bridge.stop()

    assert {} == counted


# --- the way out ---------------------------------------------------------------------------------


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    """Start a bridge that nobody calls."""
    apps = {"A": {"url": "http://127.0.0.1:9/"}}
    made = Bridge(settings_for("memory:", "http://127.0.0.1:9", {"apps": apps}))
    await made.start()
    yield made
    await made.stop()


async def test_bridge_is_needed_while_a_call_is_live_or_a_message_due(bridge: Bridge) -> None:
    """Nobody needs an idle bridge; a live call needs it, and so does what has to go out now."""
    now = bridge.runtime.clock.now()
    assert not await bridge._needed()
    await bridge.store.commit(Commit(call=CallWrite(1, "A", "uuid", 0, b"[]", now)))
    assert await bridge._needed()
    await bridge.store.commit(Commit(call=CallWrite(1, "A", "uuid", 1, b"[]", now, now)))
    assert not await bridge._needed()
    later = OutboxRow("final:1", "final", 1, now + 1000)
    await bridge.store.commit(Commit(outbox=[later]))
    assert not await bridge._needed()
    # One that nothing handles stays due.
    await bridge.store.commit(Commit(outbox=[OutboxRow("x", "unknown", 1, now)]))

    assert await bridge._needed()


async def test_store_out_of_reach_lets_the_countdown_go_on(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who cannot tell whether calls are live goes on answering, and says that it does not know."""

    async def fail() -> int:
        raise StoreUnavailable("The server is away.")

    monkeypatch.setattr(bridge.store, "count_live", fail)

    assert await bridge._needed()
    assert None is (await bridge.draining.told())["calls"]


async def test_whoever_cannot_say_goodbye_leaves_without(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that does not answer keeps no bridge from ending."""
    monkeypatch.setattr(app, "LEAVE_S", 0.01)
    monkeypatch.setattr(bridge.session.replicas, "leave", asyncio.Event().wait)
    async with asyncio.timeout(20):
        await bridge.stop()
