"""What an app hears when the REST API is off or fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mappings._kernel.context import CallContext
from mappings._kernel.errors import CommandRefused
from mappings._kernel.events import DocumentEnded, RestFailed, RestUnknown
from mappings._kernel.rest import require_rest, rest_failure

if TYPE_CHECKING:
    from mappings._kernel.events import Event


def test_command_that_needs_rest_is_refused_without_it() -> None:
    """The sentence names the command and the setting."""
    with pytest.raises(CommandRefused) as caught:
        require_rest(CallContext(1, "m", "APP1", rest=False), "hangup_callid")

    assert (
        "REST_UNAVAILABLE: hangup_callid needs Plivo's REST API, but BRIDGE_PLIVO_REST is false"
    ) == str(caught.value)


def _passes(call: CallContext) -> bool:
    try:
        require_rest(call, "hangup_callid")
    except CommandRefused:
        return False
    return True


def test_command_that_needs_rest_passes_with_it() -> None:
    """A call whose API is on is let through, one whose API is off is not."""
    on, off = (CallContext(1, "m", "APP1", rest=rest) for rest in (True, False))

    assert [True, False] == [_passes(on), _passes(off)]


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (RestFailed("CALL_NOT_FOUND", "no such call"), "CALL_NOT_FOUND: no such call"),
        (RestUnknown("timed out"), "REST_UNKNOWN: timed out"),
        (RestUnknown(), "REST_UNKNOWN: the request was interrupted"),
        (DocumentEnded(), "REST_UNKNOWN: the call went on before Plivo had answered"),
    ],
)
def test_failure_tells_what_is_known(event: Event, error: str) -> None:
    """A refusal keeps its code; everything else is not known to have failed or succeeded."""
    assert error == str(rest_failure(event))
