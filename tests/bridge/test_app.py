"""Assembly: a bridge starts whatever its store holds."""

from __future__ import annotations

import pytest
from support_e2e import settings_for

from bridge.app import Bridge
from bridge.store.protocol import CallWrite, Commit


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
