"""Apps that were made through JSON-RPC: read from the store, beside the bridge that may be running."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from bridge.json_rpc.methods.apps import DID_RECORD
from bridge.sealing import SealBroken, derived_key, opened
from bridge.settings_model import AppSettings
from bridge.store.protocol import StoreUnavailable
from bridge.store.reading import reading
from bridge.stored_apps import KIND, MOST_APPS, PURPOSE, loaded

if TYPE_CHECKING:
    from bridge.settings import Settings
    from bridge.store.reading import Records
    from bridge.stored_apps import StoredApp

__all__ = ["with_made_apps"]

_MOST_NUMBERS: Final = 1000
_SEALED: Final = "Its password is sealed in the store, and only the bridge can open it."


async def with_made_apps(settings: Settings) -> tuple[Settings, dict[str, str]]:
    """Give the settings with the apps of the store added, and these with why each cannot be asked.

    "" = it can. What cannot be read has no apps: the check of the store says more.
    """
    apps: dict[str, AppSettings] = {}
    made: dict[str, str] = {}
    try:
        async with reading(settings.store) as records:
            for app in map(loaded, await records.list_records(KIND, limit=2 * MOST_APPS)):
                if not app.deleted and app.hash not in settings.apps:
                    values, made[app.hash] = _values(settings, app)
                    values["numbers"] = await _numbers(records, app.hash)
                    apps[app.hash] = AppSettings.model_validate(values)
    except (StoreUnavailable, ValidationError):
        return settings, {}
    return settings.model_copy(update={"apps": {**settings.apps, **apps}}), made


async def _numbers(records: Records, app_hash: str) -> list[str]:
    rows = await records.list_records(DID_RECORD, scope=app_hash, limit=_MOST_NUMBERS)
    return [row.key for row in rows]


def _values(settings: Settings, app: StoredApp) -> tuple[dict[str, Any], str]:
    """Give the values that an app of the settings would have, and why it cannot be asked."""
    values: dict[str, Any] = {"url": app.url}
    if not app.login:
        return values, ""
    if settings.store_key is None:
        return values, _SEALED
    key = derived_key(settings.store_key.get_secret_value().encode(), PURPOSE)
    try:
        password = opened(key, app.password, app.hash) if app.password else ""
    except SealBroken as broken:
        return values, f"Its password cannot be read: {broken}."
    return {**values, "login": app.login, "password": password}, ""
