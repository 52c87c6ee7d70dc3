"""The end of a call is told once, with what is known by then, whatever overtakes what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from pydantic_core import from_json
from support_e2e import command
from support_shell import HASH, Shell, shell

from bridge import hangups
from bridge.hangups import OVER_FOR_S, final_key, is_hangup
from bridge.store.protocol import Commit, OutboxRow

RECORDED = {"RecordUrl": "https://media.plivo.com/r.mp3", "RecordingID": "r1"}


@pytest.fixture
async def here() -> AsyncIterator[Shell]:
    """Start a shell whose app records every caller; nothing is delivered unless the test says so."""
    async with shell(command("record", "message", max_duration=60)) as made:
        yield made


async def final_of(here: Shell, callid: int) -> OutboxRow:
    """Read the row of a final request."""
    row = await here.store.outbox_row(final_key(callid))
    assert row is not None
    return row


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"Event": "Hangup"}, True),
        ({"CallStatus": "completed"}, True),
        ({"CallStatus": "no-answer", "Event": "StartApp"}, True),
        ({"CallStatus": "completed", "Event": "RecordStop"}, False),
        ({"CallStatus": "in-progress", "Event": "StartApp"}, False),
        ({}, False),
    ],
)
def test_what_reports_the_end(form: dict[str, str], expected: bool) -> None:
    """A hangup event, or a status that is final where no other event is named."""
    assert expected is is_hangup(form)


# --- calls nobody asked about ---------------------------------------------------------------------


async def test_call_that_was_over_before_its_answer(here: Shell) -> None:
    """An answer request that comes after the hangup can be told from that of a new call."""
    await here.hang_up("early")

    assert here.hangups.was_over(HASH, "early")
    assert not here.hangups.was_over(HASH, "another")
    assert not here.hangups.was_over("SHOP", "early")
    assert 0 == await here.store.outbox_size()


async def test_calls_the_app_knows_are_not_among_them(here: Shell) -> None:
    """A call that was answered, or an outbound one, gets its final request and is in the store."""
    await here.answer("known")
    await here.hang_up("known")
    await here.hang_up("outbound", Direction="outbound", CallStatus="busy")

    assert not here.hangups.was_over(HASH, "known")
    assert not here.hangups.was_over(HASH, "outbound")
    assert 2 == await here.store.outbox_size()


async def test_memory_of_such_calls_fades(here: Shell) -> None:
    """After some minutes no request of that call can be on its way any more."""
    await here.hang_up("early")
    here.clock.advance(OVER_FOR_S)
    assert here.hangups.was_over(HASH, "early")
    here.clock.advance(1)

    assert not here.hangups.was_over(HASH, "early")


async def test_memory_of_such_calls_is_bounded(
    here: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many calls end unheard of, the oldest ones are forgotten first."""
    monkeypatch.setattr(hangups, "MOST_OVER", 3)
    for uuid in ("a", "b", "c", "a", "d"):
        await here.hang_up(uuid)

    remembered = [uuid for uuid in "abcd" if here.hangups.was_over(HASH, uuid)]
    assert ["a", "c", "d"] == remembered


# --- the row of the final request -----------------------------------------------------------------


async def frozen(here: Shell) -> OutboxRow:
    """End a recording call, and let its body be frozen as if it was just being sent."""
    await here.answer("u1")
    here.outbox.stop()
    await here.settle()
    await here.hang_up("u1")
    row = replace(await final_of(here, 1), body=b'{"app":"DEFAULT"}')
    await here.store.commit(Commit(outbox=[row]))
    return row


async def test_late_recording_leaves_a_frozen_body(here: Shell) -> None:
    """A callback that comes while the final request is sent changes nothing of it."""
    row = await frozen(here)
    await here.hangups.recorded(here.app, 1, 1, "m1", here.form("u1", **RECORDED))

    assert row == await final_of(here, 1)


async def test_end_of_a_turn_leaves_a_frozen_body(here: Shell) -> None:
    """A turn that ends while the final request is sent changes nothing of it."""
    row = await frozen(here)
    await here.hangups.turn_ended(1)

    assert row == await final_of(here, 1)


@pytest.mark.parametrize("what", ["recording", "turn"])
@pytest.mark.parametrize("meanwhile", ["frozen", "gone"])
async def test_row_that_changes_while_it_is_read(here: Shell, what: str, meanwhile: str) -> None:
    """Between the look at the row and its change it may be sent: neither body nor row is undone."""
    await here.answer("u1")
    here.outbox.stop()
    await here.settle()
    await here.hang_up("u1")
    found = await final_of(here, 1)
    sent = replace(found, body=b"{}") if meanwhile == "frozen" else None

    async def and_it_is_sent(key: str) -> OutboxRow | None:
        assert key == found.key
        await here.store.commit(Commit(outbox_swap=[(found, sent)]))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(here.store, "outbox_row", and_it_is_sent)
        if what == "turn":
            await here.hangups.turn_ended(1)
        else:
            await here.hangups.recorded(here.app, 1, 1, "m1", here.form("u1", **RECORDED))

    assert sent == await here.store.outbox_row(found.key)


async def test_recording_makes_the_final_request_due(here: Shell) -> None:
    """The callback that was waited for sends the final request at once, with the result."""
    await here.answer("u1")
    await here.hang_up("u1")
    assert here.clock.now() + 10 == (await final_of(here, 1)).due
    await here.hangups.recorded(here.app, 1, 1, "m1", here.form("u1", **RECORDED))
    await here.settle()

    (final,) = here.rt.finals()
    assert final["command_result"].startswith("m")
    assert 0 == await here.store.outbox_size()


async def test_end_of_a_turn_makes_the_final_request_due(here: Shell) -> None:
    """What waits for the app's answer does not wait any longer than that."""
    await here.answer("u1")
    await here.hang_up("u1")
    await here.hangups.turn_ended(1)
    await here.settle()

    assert 1 == len(here.rt.finals())


async def test_end_of_a_turn_without_anything_to_send(here: Shell) -> None:
    """A turn that ends after everything was delivered puts nothing out."""
    await here.hangups.turn_ended(1)

    assert 0 == await here.store.outbox_size()


async def test_final_requests_of_an_app_share_a_lane(here: Shell) -> None:
    """The lane of the row is its app, so that an app that is down delays itself alone."""
    await here.answer("u1")
    await here.hang_up("u1")
    row = await final_of(here, 1)

    assert "app:DEFAULT" == row.lane
    assert b"" == row.body


async def test_recording_of_nothing_is_no_news(here: Shell) -> None:
    """A callback that names no recording changes neither call nor outbox."""
    await here.answer("u1")
    before = await here.store.load_call(1)
    await here.hangups.recorded(here.app, 1, 1, "m1", here.form("u1"))
    await here.hangups.recorded(here.app, 7, 1, "m1", here.form("u1", **RECORDED))

    assert before == await here.store.load_call(1)


async def test_recording_reported_while_the_call_lives(here: Shell) -> None:
    """A callback that overtakes everything is kept until the caller has hung up."""
    await here.answer("u1")
    await here.hangups.recorded(here.app, 1, 1, "m1", here.form("u1", **RECORDED))
    await here.hang_up("u1")
    await here.settle()

    history = await here.store.history(1)
    assert ["m1"] == [
        part["recorded"] for row in history for part in from_json(row.body) if "recorded" in part
    ]
    assert here.rt.finals()[0]["command_result"].startswith("m")
