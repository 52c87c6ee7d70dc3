from __future__ import annotations

import pytest
from support_scenario import FakeRig


@pytest.fixture
def rig() -> FakeRig:
    """Give a rig on which everything succeeds."""
    return FakeRig()
