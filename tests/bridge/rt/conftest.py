"""Each test of a transport runs on asyncio's own event loop and on uvloop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from importlib.util import find_spec

import pytest
from support_rt import KINDS, Kind, Transport

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
if find_spec("uvloop") is not None:
    import uvloop

    LOOPS["uvloop"] = uvloop.new_event_loop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Name the event loops."""
    return LOOPS


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Choose the class of the transport under test."""
    chosen: Kind = request.param
    return chosen


@pytest.fixture
async def transport(kind: Kind) -> AsyncIterator[Transport]:
    """Open a transport for one test."""
    async with kind.open() as opened:
        yield opened
