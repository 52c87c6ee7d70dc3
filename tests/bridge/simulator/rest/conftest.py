"""Fixtures of the tests of the simulated REST API."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from support_plivo import XmlApp
from support_rest import Rest, official_client


@pytest.fixture
async def rest(app: XmlApp) -> AsyncIterator[Rest]:
    """Run a platform for one test, with clients of its API."""
    async with app.plivo() as plivo:
        with official_client(plivo.api_url) as client:
            yield Rest(plivo, app, client)
