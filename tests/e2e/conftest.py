"""Fixtures of the end-to-end tests: real HTTP on loopback, the bridge in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import structlog
from support_e2e import Make, Reply, World, listening, world
from support_fake_rest import FakeRest


@pytest.fixture(autouse=True)
def _plain_tracebacks() -> Iterator[None]:
    """Show faults that tests bring about without the frames' variables, which take a second each."""
    shown = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, shown])
    yield
    structlog.reset_defaults()


@pytest.fixture
async def make_world(tmp_path: Path) -> AsyncIterator[Make]:
    """Give a function that starts a world whose app has these replies; all are stopped at the end."""
    async with AsyncExitStack() as stack:

        async def make(*replies: Reply, **options: Any) -> World:
            made = world(replies, folder=tmp_path, **options)
            return await stack.enter_async_context(made)

        yield make


@pytest.fixture(params=["memory:", "sqlite"])
def store(request: pytest.FixtureRequest) -> str:
    """Give each kind of store in turn."""
    chosen: str = request.param
    return chosen


@pytest.fixture
def rest() -> Iterator[FakeRest]:
    """Give the REST API of the account; requests it does not answer are let go at the end."""
    fake = FakeRest()
    yield fake
    fake.over.set()


@pytest.fixture
async def make_rest_world(make_world: Make, rest: FakeRest) -> AsyncIterator[Make]:
    """Give a function that starts a world whose bridge uses the REST API."""
    async with listening(rest.app()) as url:

        async def make(*replies: Reply, **options: Any) -> World:
            made = await make_world(*replies, plivo_rest=True, plivo_api_url=url, **options)
            rest.exchange = made.exchange
            return made

        yield make
        rest.over.set()
