"""What a call that an intent became says of itself."""

from __future__ import annotations

from bridge.outbound.arrivals import describe
from bridge.outbound.intents import Intent
from bridge.state import CallState


def test_intent_says_more_than_the_webhook() -> None:
    """The app reads what it asked for, however Plivo spells numbers and whenever it dialled."""
    state = CallState(
        callid=1,
        app="SHOP",
        uuid="u1",
        started_at=90.0,
        number="+0033699999999",
        cli_number="+01",
        caller_id="+01",
    )
    intent = Intent(
        hash="A1B2C3D4",
        app="SHOP",
        number="+33699999999",
        caller_id="+33187654321",
        timeout_s=30,
        created_at=60.0,
        cdr_field="42",
    )

    describe(state, intent)

    assert ("A1B2C3D4", "42", "+33699999999") == (
        state.request_hash,
        state.cdr_field,
        state.number,
    )
    assert ("+33187654321", "+33187654321", 60.0) == (
        state.cli_number,
        state.caller_id,
        state.started_at,
    )
