"""RT apps made while running, through JSON-RPC: records in the store, merged into `runtime.apps`.

They work at once in every process on the store: an app nobody knows is looked up when its first
webhook comes, and one that may have been changed at the beginning of each call. What concerns the
calls an app has already is known everywhere within a second: a record in the store is changed along
with any app, and every replica looks at it. An app of the
settings is never replaced by one of the store. A deleted app takes no new calls; it stays known
until the calls it had are over and told.
"""

from __future__ import annotations

import asyncio
import secrets
import string
from dataclasses import asdict, dataclass, fields, replace
from math import inf
from typing import TYPE_CHECKING, Any, Final

import structlog
from pydantic import ValidationError
from pydantic_core import from_json, to_json

from bridge.errors import BridgeError
from bridge.rt_client import RtApp
from bridge.runtime import App
from bridge.sealing import SealBroken, derived_key, opened, seal
from bridge.settings_model import AppSettings
from bridge.store.protocol import Commit, Conflict, RecordWrite, StoreError

if TYPE_CHECKING:
    from bridge.runtime import Runtime
    from bridge.store.protocol import RecordRow

log = structlog.get_logger()

KIND: Final = "app"
#: What the key is for that seals their passwords.
PURPOSE: Final = "app passwords"
#: Every app has series of its own in the metrics.
MOST_APPS: Final = 1000
#: The record that every change of an app changes as well, where several processes share the store.
CHANGED: Final = ("apps", "changed")
#: How often it is looked at, in s of real time.
LOOK_S: Final = 0.5
#: How often all apps are read, whatever it says: a former release does not write it.
REFRESH_S: Final = 30.0
#: As long as those of the official SDKs' examples, and of their letters.
_HASH_LENGTH: Final = 8
_LETTERS: Final = string.ascii_uppercase + string.digits
_PAGE: Final = 100


class AppError(BridgeError):
    """An app cannot be made, changed or deleted; `code` is stable, the message a sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class StoredApp:
    """One app as it is stored; `password` is sealed, "" = none. Times are wall time in s."""

    hash: str
    name: str
    url: str
    login: str
    password: str
    created_at: float
    updated_at: float
    deleted: bool = False
    version: int = 0


_STORED: Final = tuple(f.name for f in fields(StoredApp) if f.name != "version")


class StoredApps:
    """The apps of the store."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        key = runtime.settings.store_key
        secret = runtime.secret if key is None else key.get_secret_value().encode()
        self._key = derived_key(secret, PURPOSE)
        #: The versions that are in `runtime.apps`.
        self._merged: dict[str, int] = {}
        #: What was known of changes when all apps were read, and when that was.
        self._changes_seen = 0
        self._loaded_at = -inf

    def is_pinned(self, app_hash: str) -> bool:
        """Tell whether an app is in the settings, where alone it can be changed."""
        return app_hash in self._runtime.settings.apps

    async def run(self) -> None:
        """Look for changes of other processes, for ever."""
        while True:
            if self._runtime.store.shared:
                await asyncio.sleep(LOOK_S)
            else:
                await self._runtime.clock.sleep(REFRESH_S)
            try:
                await self._refresh()
            except StoreError as error:
                log.error("apps.store", why=str(error))
            except Exception:
                log.exception("apps.fault")

    async def load(self) -> None:
        """Merge every app of the store, deleted ones included: their calls must come to an end."""
        for app in await self._all():
            self._merge(app)

    async def _refresh(self) -> None:
        """Read all apps, unless it is known that there is nothing new."""
        now = self._runtime.clock.now()
        # Before the apps, so that a change made meanwhile is seen the next time.
        changes = await self._changes()
        if changes != self._changes_seen or now - self._loaded_at >= REFRESH_S:
            await self.load()
            self._changes_seen, self._loaded_at = changes, now

    async def _changes(self) -> int:
        """Give the version of the record that every change changes."""
        if not self._runtime.store.shared:
            return 0
        row = await self._runtime.store.load_record(*CHANGED)
        return 0 if row is None else row.version

    async def current(self, app_hash: str) -> App | None:
        """Give an app as it is now, to begin a call with it; None = there is none, or no more."""
        if self.is_pinned(app_hash):
            return self._runtime.apps[app_hash]
        stored = await self._read(app_hash)
        if stored is None:
            return None
        self._merge(stored)
        return None if stored.deleted else self._runtime.apps.get(app_hash)

    async def get(self, app_hash: str) -> StoredApp:
        """Give an app of the store. Raises AppError."""
        if self.is_pinned(app_hash):
            raise AppError("APP_PINNED", f"the app {app_hash} is in the settings: change it there")
        stored = await self._read(app_hash)
        if stored is None or stored.deleted:
            raise AppError("APP_NOT_FOUND", f"there is no app {app_hash}")
        return stored

    async def listed(self) -> list[StoredApp]:
        """List the apps of the store that are neither deleted nor hidden by one of the settings."""
        return [
            app for app in await self._all() if not app.deleted and not self.is_pinned(app.hash)
        ]

    async def create(self, name: str, url: str, login: str, password: str) -> StoredApp:
        """Make an app under a hash of its own. Raises AppError."""
        if len(await self.listed()) >= MOST_APPS:
            raise AppError("APP_LIMIT", f"there are {MOST_APPS} apps already: delete some")
        now = self._runtime.clock.now()
        while True:
            app_hash = "".join(secrets.choice(_LETTERS) for _ in range(_HASH_LENGTH))
            if self.is_pinned(app_hash):
                continue
            made = StoredApp(app_hash, name, url, login, "", now, now)
            try:
                return await self._write(self._sealed(made, password))
            except Conflict:
                continue

    async def edit(
        self,
        app_hash: str,
        *,
        name: str | None = None,
        url: str | None = None,
        login: str | None = None,
        password: str | None = None,
    ) -> StoredApp:
        """Change what is given of an app; without a login there is no password. Raises AppError."""
        while True:
            stored = await self.get(app_hash)
            edited = replace(
                stored,
                name=stored.name if name is None else name,
                url=stored.url if url is None else url,
                login=stored.login if login is None else login,
                updated_at=self._runtime.clock.now(),
            )
            if password is not None or not edited.login:
                edited = self._sealed(edited, password or "")
            try:
                return await self._write(edited)
            except Conflict:
                continue

    async def delete(self, app_hash: str) -> None:
        """Let an app take no more calls. Raises AppError."""
        while True:
            stored = await self.get(app_hash)
            now = self._runtime.clock.now()
            try:
                await self._write(replace(stored, deleted=True, updated_at=now))
            except Conflict:
                continue
            return

    async def _read(self, app_hash: str) -> StoredApp | None:
        row = await self._runtime.store.load_record(KIND, app_hash)
        return None if row is None else loaded(row)

    async def _all(self) -> list[StoredApp]:
        found: list[StoredApp] = []
        after: tuple[float, str] | None = None
        store = self._runtime.store
        while rows := await store.list_records(KIND, after=after, limit=_PAGE):
            found += map(loaded, rows)
            after = rows[-1].sort, rows[-1].key
        return found

    async def _write(self, app: StoredApp) -> StoredApp:
        self._checked(app)
        values = asdict(app)
        del values["version"]
        kept_s = self._runtime.settings.call_retention_s
        write = RecordWrite(
            KIND,
            app.hash,
            app.version,
            to_json(values),
            sort=app.created_at,
            expires_at=app.updated_at + kept_s if app.deleted else None,
        )
        records = [write]
        if self._runtime.store.shared:
            records.append(RecordWrite(*CHANGED, await self._changes(), b""))
        await self._runtime.store.commit(Commit(records=records))
        written = replace(app, version=app.version + 1)
        self._merge(written)
        return written

    def _sealed(self, app: StoredApp, password: str) -> StoredApp:
        return replace(app, password=seal(self._key, password, app.hash) if password else "")

    def _checked(self, app: StoredApp) -> App:
        """Make the app that answers calls. Raises AppError."""
        values: dict[str, Any] = {"url": app.url}
        if app.login:
            values |= {"login": app.login, "password": self._opened(app)}
        elif app.password:
            raise AppError("INVALID_PARAMS", "a password needs a login")
        try:
            settings = AppSettings.model_validate(values)
        except ValidationError as error:
            faults = [
                f"{'.'.join(map(str, one['loc']))} {one['msg'].removeprefix('Value error, ')}"
                for one in error.errors(include_url=False, include_input=False)
            ]
            raise AppError("INVALID_PARAMS", "; ".join(faults)) from None
        return App(app.hash, settings, RtApp.from_settings(app.hash, settings), stored=True)

    def _opened(self, app: StoredApp) -> str:
        try:
            return opened(self._key, app.password, app.hash) if app.password else ""
        except SealBroken as broken:
            sentence = (
                f"its password cannot be read ({broken}): give it again, or the old store_key"
            )
            raise AppError("PASSWORD_LOST", sentence) from None

    def _merge(self, app: StoredApp) -> None:
        if self.is_pinned(app.hash) or self._merged.get(app.hash, 0) >= app.version:
            # What was read before a change may come after it.
            return
        try:
            self._runtime.apps[app.hash] = self._checked(app)
        except AppError as error:
            log.error("app.unusable", app=app.hash, why=str(error))
            return
        self._merged[app.hash] = app.version
        self._runtime.metrics.know_app(app.hash)


def loaded(row: RecordRow) -> StoredApp:
    """Read the stored form; fields of a newer release are ignored."""
    stored = from_json(row.blob)
    known = {name: stored[name] for name in _STORED if name in stored}
    return StoredApp(**known, version=row.version)


__all__ = [
    "KIND",
    "MOST_APPS",
    "PURPOSE",
    "REFRESH_S",
    "AppError",
    "StoredApp",
    "StoredApps",
    "loaded",
]
