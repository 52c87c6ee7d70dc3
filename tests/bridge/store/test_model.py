"""All stores give the same answers to the same questions, whatever the order of things."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support_store import ADAPTERS, call, file, line, record, recording, room, task

from bridge.store import open_store
from bridge.store.protocol import Commit, OutboxRow, Store, StoreError

_CALLIDS = range(1, 6)
_ROOMS = ("r", "s")
_NAMES = ("a", "b", "é")


class _Case:
    """A seeded source of commits and questions; it learns nothing from the answers."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.versions = dict.fromkeys(_CALLIDS, 0)
        self.rooms = dict.fromkeys(_ROOMS, 0)
        self.records = dict.fromkeys(_NAMES, 0)
        self.rows: dict[str, OutboxRow] = {}
        self.now = 100.0

    def commit(self) -> Commit:
        """Change a few things; now and then on the wrong version."""
        chance = self.chance
        self.now += chance.choice((0.0, 1.0, 7.5))
        change = Commit()
        if chance.random() < 0.8:
            callid = chance.choice(_CALLIDS)
            base = max(0, self.versions[callid] + chance.choice((0, 0, 0, 0, 0, 1, -1)))
            change.call = call(
                callid,
                base,
                uuid=chance.choice(("", f"u{callid}", f"u{callid}", chance.choice(_NAMES))),
                app=chance.choice(("A", "A", "B")),
                blob=chance.randbytes(9),
                at=self.now,
                ended=chance.choice((None, None, None, self.now)),
            )
            change.history = [line(callid, base + 1, step=chance.choice((None, base, 1)))]
            if chance.random() < 0.5:
                change.history = [line(callid, base + 1, step=2, document=chance.randbytes(5))]
        if chance.random() < 0.3:
            key = chance.choice(_ROOMS)
            base = max(0, self.rooms[key] + chance.choice((0, 0, 0, 1, -1)))
            change.room = room(key, base, chance.choice((b"x", chance.randbytes(3), None)))
        for _ in range(chance.choice((0, 0, 1, 3))):
            key, due = chance.choice(_NAMES), self.now + chance.choice((-5.0, 0.0, 5.0))
            lane = chance.choice(("", "A", "B"))
            change.outbox.append(task(key, due, attempts=chance.randint(0, 9), lane=lane))
        if chance.random() < 0.2:
            held = self.rows.get(chance.choice(_NAMES), task("a"))
            successor = replace(held, due=self.now) if chance.random() < 0.5 else None
            change.outbox_swap = [(held, successor)]
        self.rows.update((row.key, row) for row in change.outbox)
        expiry = self.now + chance.choice((1.0, 10.0, 20.0, 40.0))
        if chance.random() < 0.3:
            change.media = [file(chance.choice(_NAMES), expiry, chance.randbytes(4))]
        if chance.random() < 0.3:
            app = chance.choice(("A", "B"))
            change.recordings = [recording(chance.choice(_NAMES), expiry, app=app)]
        for key in chance.sample(_NAMES, chance.choice((0, 0, 1, 2))):
            base = max(0, self.records[key] + chance.choice((0, 0, 0, 0, 1, -1)))
            change.records.append(
                record(
                    key,
                    base,
                    blob=chance.choice((b"x", chance.randbytes(3), None)),
                    sort=chance.choice((1.0, 1.0, self.now)),
                    scope=chance.choice(("", "A")),
                    expires_at=chance.choice((None, expiry)),
                )
            )
        return change

    def learn(self, change: Commit) -> None:
        """Remember what was accepted, so that most commits fit."""
        if change.call is not None:
            self.versions[change.call.callid] = change.call.base + 1
        if change.room is not None:
            deleted = change.room.blob is None
            self.rooms[change.room.key] = 0 if deleted else change.room.base + 1
        for write in change.records:
            self.records[write.key] = 0 if write.blob is None else write.base + 1


async def _answers(store: Store, now: float) -> list[Any]:
    """Ask everything there is to ask."""
    found: list[Any] = [
        await store.live_calls(),
        await store.count_live(),
        await store.stale_calls(now - 5.0, 3),
        await store.due(now, 3),
        await store.due(now, 3, {"", "B"}),
        await store.next_due(),
        await store.next_due(now),
        await store.outbox_size(),
    ]
    for callid in _CALLIDS:
        found += [await store.load_call(callid), await store.history(callid)]
        found += [await store.document(callid, step) for step in (0, 1, 2)]
    for name in (*_NAMES, "u1", "u2", ""):
        found += [await store.find_call(app, name) for app in ("A", "B")]
        found += [await store.outbox_row(name), await store.media(name, now)]
        found += [await store.recording(app, name, now) for app in ("A", "B")]
        found += [await store.recording_named(name, now)]
        found += [await store.load_record("cdr", name)]
    for first in (False, True):
        found += [await store.list_records("cdr", newest_first=first, limit=2)]
        found += [await store.list_records("cdr", newest_first=first, after=(1.0, "b"))]
        found += [await store.list_records("cdr", newest_first=first, scope="A")]
    found += [await store.count_records("cdr", "A")]
    return found + [await store.load_room(key) for key in _ROOMS]


async def _outcome(store: Store, change: Commit) -> str:
    try:
        await store.commit(change)
    except StoreError as error:
        return type(error).__name__
    return ""


async def _together(stores: list[Store], case: _Case, count: int) -> None:
    """Make some commits at once in every store, and compare the outcomes."""
    changes = [case.commit() for _ in range(count)]
    first, *others = [
        await asyncio.gather(*(_outcome(store, change) for change in changes)) for store in stores
    ]
    assert [first] * len(others) == others
    for change, outcome in zip(changes, first, strict=True):
        if not outcome:
            case.learn(change)


@pytest.mark.parametrize("seed", range(8))
async def test_stores_agree(tmp_path: Path, seed: int) -> None:
    """Random commits, alone and in groups, purges and restarts leave all stores alike."""
    case = _Case(seed)
    stores = [open_store(url(tmp_path), durability="normal") for url in ADAPTERS.values()]
    for store in stores:
        await store.open()
        assert list(_CALLIDS) == [await store.allocate_callid() for _ in _CALLIDS]

    for _ in range(80):
        action = case.chance.random()
        if action < 0.05:
            ended = case.now - 30.0
            purged = [await store.purge(case.now, ended) for store in stores]
            assert [purged[0]] * len(stores) == purged
            case.versions = {
                callid: (state.version if (state := await stores[0].load_call(callid)) else 0)
                for callid in _CALLIDS
            }
            case.records = {
                name: (row.version if (row := await stores[0].load_record("cdr", name)) else 0)
                for name in _NAMES
            }
        elif action < 0.1:
            for store in stores:
                await store.close()
                await store.open()
        elif action < 0.2:
            given = [await store.allocate_callid() for store in stores]
            assert [given[0]] * len(stores) == given
        else:
            await _together(stores, case, case.chance.choice((1, 1, 2, 6)))
        answers = [await _answers(store, case.now) for store in stores]
        assert [answers[0]] * len(stores) == answers

    assert max(case.versions.values()) > 3
    for store in stores:
        await store.close()
