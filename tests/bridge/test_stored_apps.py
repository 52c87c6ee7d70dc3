"""Apps made while running: stored, merged, changed and deleted."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs
from support_shell import HASH, Shell, shell

from bridge.runtime import Runtime
from bridge.store.protocol import Commit, StoreUnavailable
from bridge.stored_apps import KIND, REFRESH_S, AppError, StoredApps
from bridge.tasks import spawn

REPLY = {"command": "hangup"}
URL = "https://new.example.com/rt"


def _another(it: Shell, **settings: object) -> StoredApps:
    """Give the apps of another process on the same store."""
    runtime = it.runtime
    other = Runtime(
        settings=runtime.settings.model_copy(update=settings),
        store=runtime.store,
        secret=runtime.secret,
        clock=runtime.clock,
        transport=runtime.transport,
        rest=None,
        metrics=runtime.metrics,
        library=runtime.library,
        apps={HASH: runtime.apps[HASH]},
    )
    return StoredApps(other)


async def test_new_app_works_at_once() -> None:
    """A made app is among those of the runtime, with its login, and its series are its own."""
    async with shell(REPLY) as it:
        made = await StoredApps(it.runtime).create("Shop", URL, "me", "sesame")
        app = it.runtime.apps[made.hash]
        it.runtime.metrics.observe_app(made.hash, 0.1)

        assert (made.hash, URL, True) == (app.hash, app.rt.url, app.stored)
        assert "Basic bWU6c2VzYW1l" == app.rt.authorization
        assert f'app="{made.hash}"'.encode() in it.runtime.metrics.render()


async def test_password_is_not_in_the_store() -> None:
    """Neither the password nor what is sent of it can be read in the record."""
    async with shell(REPLY) as it:
        await StoredApps(it.runtime).create("Shop", URL, "me", "sesame")
        (row,) = await it.store.list_records(KIND)

        assert b"sesame" not in row.blob
        assert b"c2VzYW1l" not in row.blob


async def test_other_process_finds_a_new_app_and_its_changes() -> None:
    """Another process on the store has a new app, an edit and a deletion at the next call."""
    async with shell(REPLY) as it:
        mine, theirs = StoredApps(it.runtime), _another(it)
        made = await mine.create("Shop", URL, "", "")
        found = await theirs.current(made.hash)
        assert found is not None
        assert URL == found.rt.url

        await mine.edit(made.hash, url="https://edited.example.com/")
        edited = await theirs.current(made.hash)
        assert edited is not None
        assert "https://edited.example.com/" == edited.rt.url

        await mine.delete(made.hash)
        assert await theirs.current(made.hash) is None


async def test_apps_survive_a_restart() -> None:
    """Loading makes every app of the store work again, those of the settings untouched."""
    async with shell(REPLY) as it:
        made = await StoredApps(it.runtime).create("Shop", URL, "me", "sesame")
        again = _another(it)
        await again.load()
        apps = again._runtime.apps

        assert {HASH, made.hash} == set(apps)
        assert "Basic bWU6c2VzYW1l" == apps[made.hash].rt.authorization
        assert not apps[HASH].stored


async def test_app_of_the_settings_is_not_replaced() -> None:
    """A hash that the settings pin later belongs to them; the record is hidden, not lost."""
    async with shell(REPLY) as it:
        apps = StoredApps(it.runtime)
        made = await apps.create("Shop", URL, "", "")
        pinned = it.runtime.settings.apps[HASH]
        later = _another(it, apps={HASH: pinned, made.hash: pinned})
        later._runtime.apps[made.hash] = it.runtime.apps[HASH]
        await later.load()

        assert it.runtime.apps[HASH] == await later.current(made.hash)
        assert [] == await later.listed()
        with pytest.raises(AppError, match="change it there") as caught:
            await later.edit(made.hash, name="Mine")
        assert "APP_PINNED" == caught.value.code


async def test_deleted_app_stays_known_to_its_calls() -> None:
    """No call begins with a deleted app; those it has find it until it is purged."""
    async with shell(REPLY) as it:
        apps = StoredApps(it.runtime)
        made = await apps.create("Shop", URL, "", "")
        await apps.delete(made.hash)

        assert await apps.current(made.hash) is None
        assert made.hash in it.runtime.apps
        assert [] == await apps.listed()
        with pytest.raises(AppError, match=f"there is no app {made.hash}"):
            await apps.delete(made.hash)
        kept_until = it.clock.now() + it.runtime.settings.call_retention_s
        await it.store.purge(kept_until - 1, 0.0)
        assert [made.hash] == [row.key for row in await it.store.list_records(KIND)]
        await it.store.purge(kept_until, 0.0)
        assert [] == await it.store.list_records(KIND)


async def test_edit_changes_what_is_given() -> None:
    """Everything else stays, the password included; an empty login takes it away."""
    async with shell(REPLY) as it:
        apps = StoredApps(it.runtime)
        made = await apps.create("Shop", URL, "me", "sesame")
        it.clock.advance(10)
        renamed = await apps.edit(made.hash, name="Better shop")
        assert ("Better shop", URL, "me") == (renamed.name, renamed.url, renamed.login)
        assert (made.created_at, made.updated_at + 10) == (renamed.created_at, renamed.updated_at)
        assert "Basic bWU6c2VzYW1l" == it.runtime.apps[made.hash].rt.authorization

        await apps.edit(made.hash, password="other")
        assert "Basic bWU6b3RoZXI=" == it.runtime.apps[made.hash].rt.authorization
        await apps.edit(made.hash, login="")
        assert it.runtime.apps[made.hash].rt.authorization is None


@pytest.mark.parametrize(
    ("url", "login", "password", "sentence"),
    [
        ("ftp://x", "", "", "url must be an absolute URL"),
        ("https://me:pw@x/", "", "", "without a login or password in it"),
        (URL, "a:b", "x", "login must be a login without a colon"),
        (URL, "", "x", "a password needs a login"),
    ],
)
async def test_bad_app_is_refused(url: str, login: str, password: str, sentence: str) -> None:
    """What the settings would refuse is refused here, and the store stays as it was."""
    async with shell(REPLY) as it:
        with pytest.raises(AppError, match=sentence) as caught:
            await StoredApps(it.runtime).create("Shop", url, login, password)

        assert "INVALID_PARAMS" == caught.value.code
        assert [] == await it.store.list_records(KIND)
        assert {HASH} == set(it.runtime.apps)


async def test_lost_key_is_said() -> None:
    """With another store_key an app with a password does not work until it gets one again."""
    async with shell(REPLY, store_key="k" * 32) as it:
        made = await StoredApps(it.runtime).create("Shop", URL, "me", "sesame")
        other = _another(it, store_key=None)
        assert await other.current(made.hash) is None
        with pytest.raises(AppError, match="give it again") as caught:
            await other.edit(made.hash, name="Shop 2")
        assert "PASSWORD_LOST" == caught.value.code

        await other.edit(made.hash, password="new")
        found = await other.current(made.hash)
        assert found is not None
        assert "Basic bWU6bmV3" == found.rt.authorization


async def test_number_of_apps_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Apps beyond the limit are refused: each has series of its own in the metrics."""
    monkeypatch.setattr("bridge.stored_apps.MOST_APPS", 2)
    async with shell(REPLY) as it:
        apps = StoredApps(it.runtime)
        for name in ("a", "b"):
            await apps.create(name, URL, "", "")
        with pytest.raises(AppError, match="2 apps already"):
            await apps.create("c", URL, "", "")


async def test_changes_of_other_processes_are_looked_for() -> None:
    """Twice a minute the apps of the store are read, however often that fails."""
    async with shell(REPLY) as it:
        theirs, mine = _another(it), StoredApps(it.runtime)
        listed = it.store.list_records
        running = spawn(mine.run(), "stored apps")
        made = await theirs.create("Shop", URL, "", "")
        errors = [StoreUnavailable("full"), ZeroDivisionError()]

        async def fails(*given: Any, **named: Any) -> Any:
            if errors:
                raise errors.pop(0)
            return await listed(*given, **named)

        it.store.list_records = fails  # type: ignore[method-assign]
        with capture_logs() as logs:
            await it.after(2 * int(REFRESH_S) + 5)
        assert made.hash not in it.runtime.apps
        assert ["apps.store", "apps.fault"] == [line["event"] for line in logs]

        await it.after(int(REFRESH_S))
        running.cancel()
        assert URL == it.runtime.apps[made.hash].rt.url


async def test_edits_and_deletions_at_once_are_all_done() -> None:
    """Changes of two processes at the same moment follow one another; none is lost."""
    async with shell(REPLY) as it:
        mine, theirs = StoredApps(it.runtime), _another(it)
        made = await mine.create("Shop", URL, "", "")
        commit = it.store.commit

        async def overtaken(change: Commit) -> None:
            it.store.commit = commit  # type: ignore[method-assign]
            await theirs.edit(made.hash, url="https://theirs.example.com/")
            await commit(change)

        it.store.commit = overtaken  # type: ignore[method-assign]
        edited = await mine.edit(made.hash, name="Mine")
        assert ("Mine", "https://theirs.example.com/") == (edited.name, edited.url)

        it.store.commit = overtaken  # type: ignore[method-assign]
        await mine.delete(made.hash)
        assert [] == await theirs.listed()


async def test_taken_hashes_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash of the settings, or of another app, is made up anew."""
    letters = iter("A" * 8 + "A" * 8 + "B" * 8 + "B" * 8 + "C" * 8)
    monkeypatch.setattr("bridge.stored_apps.secrets.choice", lambda _: next(letters))
    async with shell(REPLY) as it:
        pinned = it.runtime.settings.apps[HASH]
        apps = _another(it, apps={"A" * 8: pinned})

        assert ["B" * 8, "C" * 8] == [(await apps.create("x", URL, "", "")).hash for _ in "12"]
