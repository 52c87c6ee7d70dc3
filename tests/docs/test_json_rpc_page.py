"""docs/json-rpc.md against the API: every sample is sent, and what comes back is compared."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from support_e2e import command, world
from support_outbound import does
from support_rpc import CALLEE, CREDENTIALS, Rpc

from bridge.json_rpc.errors import MEANINGS, Code
from bridge.json_rpc.methods import METHODS
from bridge.simulator.callees import Answers

PAGE = (Path(__file__).parents[2] / "docs" / "json-rpc.md").read_text()
SAMPLES = re.findall(r"```json (sample|error)\n(.+)\n(.+)\n```", PAGE)
#: What is made up anew each time: hashes of 8 capitals and digits, dates, addresses of tests.
VOLATILE = re.compile(r"[A-Z0-9]{8}|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|http://127\.0\.0\.1:\d+/\w+")


@pytest.fixture
async def rpc(tmp_path: Path) -> AsyncIterator[Rpc]:
    """Give an API behind which one call is live, once somebody was called."""
    async with AsyncExitStack() as stack:
        made = world(
            [command("wait", wait=30)] * 9, folder=tmp_path, plivo_rest=True, **CREDENTIALS
        )
        yield Rpc(await stack.enter_async_context(made))


def learn(shown: Any, got: Any, learned: dict[str, str]) -> None:
    """Compare two replies; what is made up anew each time is remembered instead."""
    assert type(shown) is type(got), (shown, got)
    if isinstance(shown, dict):
        assert list(shown) == list(got)
        for name in shown:
            learn(shown[name], got[name], learned)
    elif isinstance(shown, list):
        assert len(shown) == len(got)
        for one, other in zip(shown, got, strict=True):
            learn(one, other, learned)
    elif isinstance(shown, str) and VOLATILE.fullmatch(shown):
        assert VOLATILE.fullmatch(got), (shown, got)
        learned[shown] = got
    else:
        assert shown == got


async def test_samples_are_what_goes_over_the_wire(rpc: Rpc) -> None:
    """Sent in their order, the requests get the replies the page shows, field by field."""
    does(rpc.world, Answers(after=2, talks=100))
    learned: dict[str, str] = {}
    for kind, sent, shown in SAMPLES:
        request, expected = json.loads(sent), json.loads(shown)
        known = {name: new for name, new in learned.items() if len(name) == len("DEADBEEF")}
        for name, new in known.items():
            sent = sent.replace(name, new)  # noqa: PLW2901 -- as the reader would
        status, got = await rpc.post(sent.encode())
        assert 200 == status
        if kind == "error":
            assert request["id"] == got["id"]
            assert expected["error"]["code"] == got["error"]["code"]
            start = expected["error"]["message"].partition("…")[0]
            assert got["error"]["message"].startswith(start), got
        elif request["method"] == "system.get_timestamp":
            assert (request["id"], int(rpc.world.clock.now())) == (got["id"], got["result"])
        else:
            learn(expected, got, learned)
        await rpc.world.passes(5)

    assert CALLEE == rpc.world.app.requests[0]["number"]
    assert 4 <= len(learned)


def test_every_method_has_a_section_and_a_sample() -> None:
    """Each method is described under its signature, with a sample."""
    sampled = {json.loads(sent)["method"] for kind, sent, _ in SAMPLES if kind == "sample"}
    for method in {method.name: method for method in METHODS.values()}.values():
        assert f"\n### `{method.signature()}`\n" in PAGE
        assert all(f"`{alias}`" in PAGE for alias in method.aliases)
        assert method.name in sampled


def test_every_code_is_listed() -> None:
    """The table has one row per code, in the program's words, and no other."""
    rows = re.findall(r"^\| (-?\d+) \| ([A-Z_]+) \| (.+) \|$", PAGE, re.MULTILINE)

    assert [(str(int(code)), code.name, MEANINGS[code]) for code in Code] == rows
