"""hangup: end this call. No parameters and no result: the app's next request says HANGUP."""

from __future__ import annotations

from typing import Any

import pytest
from playbook import CallEnded, Document, Playbook, Result

from mappings._kernel.events import DocumentEnded, HungUp


@pytest.mark.parametrize("params", [{}, {"reason": "busy"}])
@pytest.mark.parametrize("answered", [True, False])
def test_call_is_hung_up(params: dict[str, Any], answered: bool) -> None:
    """Hangup is the whole document, answered or not, and the command ends with the call."""
    assert (
        Playbook("hangup", params, answered=answered)
        >> Document("<Response><Hangup/></Response>")
        << HungUp()
        >> CallEnded()
    )


def test_call_that_goes_on_regardless() -> None:
    """Should Plivo come back all the same, the app is asked again."""
    assert (
        Playbook("hangup")
        >> Document("<Response><Hangup/></Response>")
        << DocumentEnded()
        >> Result("")
    )
