"""Fixtures of the simulator's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from support_plivo import XmlApp, xml_app


@pytest.fixture
async def app() -> AsyncIterator[XmlApp]:
    """Run a server of scripted Plivo XML for one test."""
    async with xml_app() as served:
        yield served
