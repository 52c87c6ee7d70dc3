"""A bridge that dies around the transfer of a break carries it out after its restart, once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from support_failing_rest import failing_rest
from support_kit import Json, Script, app_of, command, play, read, tts
from support_rpc import CREDENTIALS, PATH, basic

from bridge.breaks import AGAIN_AFTER_S
from bridge.testing.call import Call
from bridge.testing.rig import Rig, rig

pytestmark = pytest.mark.slow

COMMANDS = {
    "read": read("Age?", timeout_ms=30_000),
    "record": command("record", media_id=tts("Speak"), max_duration=60),
    "simple_conference": command("simple_conference", id="1"),
    "dialout": command("dialout", targets=[{"number": "+33699999999"}]),
}


async def _ask_for_a_break(it: Rig) -> Any:
    """Ask the bridge, as a legacy client does; None when it dies before it answers."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "calls.realtime_break", "params": [1]}
    url = it.host.address + PATH
    try:
        async with it.plivo.session.post(url, json=body, headers=basic()) as response:
            return (await response.json())["result"]
    except OSError:
        return None
    except Exception as error:
        if type(error).__module__.startswith("aiohttp"):
            return None
        raise


async def _begun(name: str, call: Call) -> None:
    match name:
        case "read":
            await call.expect_listening()
        case "record":
            await call.expect_recording()
        case "dialout":
            await call.answer()
            await call.expect_leg(1, "connected")
        case _:
            await call.expect_room(members=1)
    await call.wait(2)


@pytest.mark.parametrize("when", ["before the transfer", "after the transfer"])
@pytest.mark.parametrize("name", COMMANDS)
async def test_kill(tmp_path: Path, name: str, when: str) -> None:
    """The app hears BREAK once, and goes on with its next command."""
    script = Script(COMMANDS[name], play("Broken off"))
    async with failing_rest() as proxy:
        settings: Json = {
            "store": f"sqlite:///{tmp_path}/bridge.db",
            "plivo_api_url": proxy.url,
            **CREDENTIALS,
        }
        async with rig(app_of(script), seed=5, own_process=True, settings=settings) as it:
            proxy.target = it.plivo.api_url
            call = await it.phone().dial()
            await _begun(name, call)
            if when == "before the transfer":
                proxy.failing = {"POST /Call/": [0]}
                asked = asyncio.gather(_ask_for_a_break(it))
                while not proxy.count("POST", "/Call/"):  # noqa: ASYNC110 -- nothing tells of it
                    await asyncio.sleep(0.005)
                await it.restart_bridge()
                assert [None] == list(await asked)
            else:
                killed: list[str] = []

                async def before(request: str) -> None:
                    if request == "transfer" and not killed:
                        killed.append(request)
                        await it.restart_bridge()

                it.plivo.before_request = before
                await _ask_for_a_break(it)
            await call.expect_prompt("Broken off", within=2 * AGAIN_AFTER_S)

            assert await it.finish()
            assert [] == it.timeline.texts("problem")
            told = [
                (r["command"], r["command_error"].partition(":")[0])
                for r in script.requests
                if r["command"] and r["call_status"] == "UP"
            ]
            assert [(COMMANDS[name]["command"], "BREAK"), ("play", "")] == told
            assert 1 == len(it.timeline.of("rest"))
