"""Fixtures of the end-to-end tests: real HTTP on loopback, the bridge in this process."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog
from support_e2e import Make, Reply, World, world
from support_valkey import needs_valkey


@pytest.fixture(autouse=True)
def _plain_tracebacks() -> Iterator[None]:
    """Show faults that tests bring about without the frames' variables, which take a second each."""
    shown = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[structlog.processors.add_log_level, shown],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    )
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


@pytest.fixture(params=["memory:", "sqlite", pytest.param("redis", marks=needs_valkey)])
def store(request: pytest.FixtureRequest) -> str:
    """Give each kind of store in turn."""
    chosen: str = request.param
    return chosen


@pytest.fixture
def make_rest_world(make_world: Make) -> Make:
    """Give a function that starts a world whose bridge uses the REST API."""
    return partial(make_world, plivo_rest=True)
