"""Dialling against a stub: what is committed when, and what happens after each kind of failure."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from pydantic_core import to_json
from structlog.testing import capture_logs
from support_dispatch import HASH, NUMBER, SHOWN, Dialling, dialling

from bridge.outbound import dispatcher
from bridge.outbound.intents import Intent, Phase
from bridge.outbound.lost import SLACK_S
from bridge.plivo.rest_errors import (
    PlivoRefused,
    PlivoRestError,
    PlivoThrottled,
    PlivoTimeout,
    PlivoUnavailable,
)
from bridge.store.protocol import Commit, RecordWrite, StoreUnavailable
from bridge.stored_apps import StoredApp
from bridge.tasks import spawn

TIMEOUT = PlivoTimeout("make call", "no answer in 4 s")
BROKEN = PlivoUnavailable("make call", "internal", 500, sent=True)
REFUSED = PlivoRefused("make call", "no credit", 400)
THROTTLED = PlivoThrottled("make call", "too many", 429)
UNREACHED = PlivoUnavailable("make call", "no connection", sent=False)


async def test_sending_is_stored_before_plivo_is_asked() -> None:
    """While Plivo is asked, the store says so, and the row that looks after it is there."""
    async with dialling() as it:
        seen: list[tuple[Phase, float | None]] = []

        async def look() -> None:
            (row,) = await it.shell.store.list_records("intent")
            watch = await it.shell.store.outbox_row(f"intent:{row.key}")
            phase = (await it.intent(row.key)).phase
            seen.append((phase, None if watch is None else watch.due))

        it.rest.while_asked = look
        begun = it.shell.clock.now()
        token = await it.place(timeout_s=20)

        assert [(Phase.SENDING, begun + 20 + SLACK_S)] == seen
        intent = await it.intent(token)
        assert (Phase.DIALLED, "request-1") == (intent.phase, intent.request_uuid)


@pytest.mark.parametrize("error", [TIMEOUT, BROKEN])
async def test_unknown_outcome_is_never_dialled_again(error: PlivoRestError) -> None:
    """When Plivo may have dialled, it is asked once, and the app hears REJECTED once."""
    async with dialling(error) as it:
        token = await it.place()
        assert Phase.SENDING is (await it.intent(token)).phase
        await it.shell.after(200)

        assert 1 == len(it.rest.calls)
        assert [("REJECTED", token)] == it.told()


@pytest.mark.parametrize("error", [THROTTLED, UNREACHED])
async def test_known_not_to_be_dialled_is_dialled_later(error: PlivoRestError) -> None:
    """What surely rang nowhere waits a little longer each time, and is asked again."""
    async with dialling(error, error, "request-2") as it:
        token = await it.place()
        assert (Phase.QUEUED, 1) == ((await it.intent(token)).phase, await it.outbound.waiting())
        await it.shell.after(1)
        assert 2 == len(it.rest.calls)
        await it.shell.after(1)
        assert 2 == len(it.rest.calls)
        await it.shell.after(1)

        assert (3, 0) == (len(it.rest.calls), await it.outbound.waiting())
        assert Phase.DIALLED is (await it.intent(token)).phase


async def test_row_of_a_call_that_was_put_back_does_nothing() -> None:
    """The row that looks after a call leaves it alone while it waits in the queue again."""
    async with dialling(THROTTLED, plivo_calls_per_second=0.1) as it:
        token = await it.place(timeout_s=5)
        for _ in range(4):
            await it.shell.after(30)

        assert Phase.QUEUED is (await it.intent(token)).phase
        assert [] == it.told()


async def test_refused_call_is_over() -> None:
    """A definite no is told at once, with the reason in the log."""
    async with dialling(REFUSED) as it:
        with capture_logs() as logs:
            token = await it.place()

        assert [("REJECTED", token)] == it.told()
        assert Phase.OVER is (await it.intent(token)).phase
        (line,) = [line for line in logs if line["event"] == "outbound.rejected"]
        assert "400 no credit" in line["why"]


async def test_app_that_is_gone_calls_nobody() -> None:
    """A call that waited longer than its app exists is not made."""
    async with dialling(plivo_calls_per_second=0.1) as it:
        await it.place()
        token = await it.place()
        del it.shell.runtime.apps[HASH]
        await it.shell.after(15)

        assert 1 == len(it.rest.calls)
        assert Phase.OVER is (await it.intent(token)).phase


@pytest.mark.parametrize(("deleted", "phase"), [(False, Phase.DIALLED), (True, Phase.OVER)])
async def test_app_that_another_process_made_calls_out(*, deleted: bool, phase: Phase) -> None:
    """An app this process has not come across yet is one all the same, until it is deleted."""
    async with dialling(plivo_calls_per_second=0.1) as it:
        await it.place()
        token = await it.place()
        del it.shell.runtime.apps[HASH]
        app = StoredApp(HASH, "Shop", "https://shop.example.com/", "", "", 0.0, 0.0, deleted)
        record = RecordWrite("app", HASH, 0, to_json(asdict(app)))
        await it.shell.store.commit(Commit(records=[record]))
        await it.shell.after(15)

        assert phase is (await it.intent(token)).phase


async def test_two_processes_dial_once() -> None:
    """A process that finds the intents of another in the store takes no call from it."""
    async with dialling(plivo_calls_per_second=0.1) as it:
        for n in range(3):
            await it.place(f"{NUMBER[:-1]}{n}")
        other = it.another()
        running = spawn(other.run(), "another process")
        await it.shell.after(45)
        other.stop()
        running.cancel()

        numbers = [asked["to_number"] for asked in it.rest.calls]
        assert sorted(set(numbers)) == sorted(numbers)
        assert 3 == len(numbers)


async def test_call_that_another_process_took_is_left_to_it() -> None:
    """When the record changes between reading and writing, nobody is dialled here."""
    async with dialling() as it:
        ledger = it.shell.session.arrivals.ledger
        read = ledger.read

        async def stale(token: str) -> Intent | None:
            found = await read(token)
            assert found is not None
            if found.phase is Phase.QUEUED:
                found.version += 1
            return found

        ledger.read = stale  # type: ignore[method-assign]
        with capture_logs() as logs:
            await it.place()

        assert [] == it.rest.calls
        assert ["outbound.taken"] == [
            line["event"] for line in logs if line["event"].startswith("outbound.t")
        ]


async def test_intent_of_another_release_keeps_nobody_waiting() -> None:
    """What cannot be read is left in the store and logged; the others are dialled."""
    async with dialling() as it:
        odd = RecordWrite("intent", "ODD", 0, b'{"phase":"musing"}', scope="queued")
        await it.shell.store.commit(Commit(records=[odd]))
        token = await it.place()
        with capture_logs() as logs:
            await it.shell.after(61)

        assert Phase.DIALLED is (await it.intent(token)).phase
        assert "outbound.unreadable" in [line["event"] for line in logs]


@pytest.mark.parametrize("error", [StoreUnavailable("full"), ZeroDivisionError()])
async def test_store_that_fails_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A failing look into the store ends nothing: the queue of this process goes on."""
    async with dialling() as it:

        async def fail(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(it.shell.store, "list_records", fail)
        await it.shell.after(61)
        token = await it.place()

        assert Phase.DIALLED is (await it.intent(token)).phase


async def test_taken_hash_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash that is in the store already is made up anew; a store that takes none is a fault."""
    made = iter(["SAME", "SAME", "OTHER", *["SAME"] * 9])
    monkeypatch.setattr("bridge.outbound.ledger.new_hash", lambda: next(made))
    async with dialling() as it:
        assert ["SAME", "OTHER"] == [await it.place(), await it.place(f"{NUMBER[:-1]}0")]
        with pytest.raises(AssertionError, match="hashes in a row"):
            await it.place(f"{NUMBER[:-1]}1")


async def test_repeated_commit_that_met_the_dialler_is_no_second_call() -> None:
    """An intent whose first commit was not answered is found again, though it is dialled by then."""
    async with dialling() as it:
        ledger = it.shell.session.arrivals.ledger
        commit = it.shell.store.commit

        async def unanswered(change: Commit) -> None:
            it.shell.store.commit = commit  # type: ignore[method-assign]
            await commit(change)
            (row,) = change.records
            taken = await it.intent(row.key)
            taken.phase = Phase.SENDING
            await ledger.commit(taken)
            # What the connection to a server does that answered nothing.
            await commit(change)

        it.shell.store.commit = unanswered  # type: ignore[method-assign]
        token = await it.place()

        assert [token] == [row.key for row in await it.shell.store.list_records("intent")]
        assert [] == it.rest.calls


async def _webhook_first(it: Dialling, kind: str) -> str:
    """Place a call whose webhook comes before Plivo's reply does."""
    tokens: list[str] = []

    async def webhook() -> None:
        (row,) = await it.shell.store.list_records("intent")
        tokens.append(row.key)
        form = it.shell.form("call-1", Direction="outbound", RequestUUID="request-9")
        if kind == "ring":
            await it.shell.session.arrivals.rang(it.shell.app, row.key, form)
        else:
            await it.shell.session.answer(it.shell.app, form, {}, row.key)

    it.rest.while_asked = webhook
    await it.place()
    return tokens[0]


async def test_ring_before_the_reply() -> None:
    """Both uuids are kept when the phone rings before Plivo has answered."""
    async with dialling() as it:
        intent = await it.intent(await _webhook_first(it, "ring"))

        assert (Phase.DIALLED, "call-1", "request-1") == (
            intent.phase,
            intent.uuid,
            intent.request_uuid,
        )


@pytest.mark.parametrize("reply", ["request-1", TIMEOUT, REFUSED])
async def test_answer_before_the_reply(reply: str | PlivoRestError) -> None:
    """A call that was answered stays one, whatever Plivo says afterwards."""
    async with dialling(reply) as it:
        token = await _webhook_first(it, "answer")
        await it.shell.after(200)

        assert Phase.ADOPTED is (await it.intent(token)).phase
        assert {("UP", token)} == set(it.told())


async def test_ring_of_an_unknown_call_changes_nothing() -> None:
    """A ring whose intent is not there, or is another app's, or is done with, is just noted."""
    async with dialling() as it:
        token = await it.place()
        arrivals, form = it.shell.session.arrivals, it.shell.form("call-1")
        await arrivals.rang(it.shell.app, "UNKNOWN", form)
        await arrivals.rang(replace(it.shell.app, hash="OTHER"), token, form)
        assert "" == (await it.intent(token)).uuid
        await arrivals.rang(it.shell.app, token, form)
        await arrivals.rang(it.shell.app, token, it.shell.form("call-2"))
        assert "call-1" == (await it.intent(token)).uuid

        done = await it.place()
        intent = await it.intent(done)
        intent.phase = Phase.OVER
        await arrivals.ledger.commit(intent)
        await arrivals.rang(it.shell.app, done, form)
        assert intent == await it.intent(done)
        assert ("", Phase.OVER) == (intent.uuid, intent.phase)


async def test_intents_that_can_be_read_again_are_dialled() -> None:
    """What another release has left or taken away hides nothing that comes after it."""
    async with dialling() as it:
        odd = RecordWrite("intent", "ODD", 0, b'{"phase":"musing"}', scope="queued")
        await it.shell.store.commit(Commit(records=[odd]))
        await it.shell.after(61)
        await it.shell.store.commit(Commit(records=[replace(odd, base=1, blob=None)]))
        ledger = it.shell.session.arrivals.ledger
        left = Intent("", HASH, NUMBER, SHOWN, 30, it.shell.clock.now())
        await ledger.add(left)
        await it.shell.after(122)

        assert 1 == len(it.rest.calls)
        assert Phase.QUEUED is not (await it.intent(left.hash)).phase


async def test_store_that_forgot_a_call_does_not_have_it_made_again() -> None:
    """Whoever dialled knows, though the store says it waits; what became of it is found out."""
    async with dialling() as it:
        token = await it.place()
        intent = await it.intent(token)
        intent.phase, intent.request_uuid, intent.sent_at = Phase.QUEUED, "", 0.0
        await it.shell.session.arrivals.ledger.commit(intent)
        with capture_logs() as logs:
            await it.shell.after(61)
        assert Phase.SENDING is (await it.intent(token)).phase
        await it.shell.after(200)

        assert 1 == len(it.rest.calls)
        assert "outbound.asked_already" in [line["event"] for line in logs]
        assert [("REJECTED", token)] == it.told()


async def test_few_calls_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of what was dialled does not grow for ever."""
    monkeypatch.setattr(dispatcher, "MOST_REMEMBERED", 2)
    async with dialling(plivo_calls_per_second=10) as it:
        tokens = [await it.place(f"{NUMBER[:-1]}{n}") for n in range(4)]
        await it.shell.after(5)
        inner = it.outbound._dispatcher
        assert inner is not None

        assert tokens[2:] == list(inner._asked)
