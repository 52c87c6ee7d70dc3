"""Fixtures of the tests of the doctor."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import stamina
from support_doctor import Clinic, clinic


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide settings of the machine that runs the tests."""
    for name in ("CONFIG", "PUBLIC_URL", "APP_URL", "ADMIN_LISTEN"):
        monkeypatch.delenv(f"BRIDGE_{name}", raising=False)


@pytest.fixture(autouse=True)
def _no_pauses() -> Iterator[None]:
    """Let requests be repeated as often as ever, without a pause."""
    with stamina.set_testing(True, attempts=3):
        yield


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Clinic]:
    """Start a deployment without its bridge for one test."""
    async with clinic(tmp_path) as started:
        yield started
