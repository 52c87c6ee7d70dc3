"""apps.*: REALTIME10 apps, made and changed while the bridge runs.

| method | result |
|---|---|
| apps.create | the new App |
| apps.get | the App |
| apps.get_list | every App, those of the settings first; numbers only when asked for |
| apps.edit | the changed App |
| apps.delete | true |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bridge.json_rpc.api import told_by_apps
from bridge.json_rpc.errors import Code, RpcError
from bridge.json_rpc.methods.method import Method
from mappings._rt.request import rt_date

if TYPE_CHECKING:
    from bridge.json_rpc.api import Api
    from bridge.json_rpc.args import Args
    from bridge.stored_apps import StoredApp

Json = dict[str, Any]

#: Kind of the records of numbers that were assigned to an app.
DID_RECORD: Final = "did"
PACKAGE: Final = "REALTIME10"
FORMAT: Final = "JSON"
LONGEST_NAME: Final = 256
#: Of a URL, login or password; the App is shown with every list of apps.
LONGEST_VALUE: Final = 2048
_FIELDS: Final = ("url", "login", "password")
_MOST_DIDS: Final = 1000


async def create(api: Api, args: Args) -> Json:
    """Make an app; it works at once."""
    package = args.text("package")
    name = args.text("name", longest=LONGEST_NAME)
    given = _object(args)
    args.end()
    if package != PACKAGE:
        raise RpcError(Code.INVALID_PARAMS, f"package must be {PACKAGE}, the only one there is")
    if not given.get("url"):
        raise RpcError(Code.INVALID_PARAMS, "object.url is missing: where does the app answer?")
    with told_by_apps():
        made = await api.apps.create(
            name, given["url"], given.get("login", ""), given.get("password", "")
        )
    return _shown(made, [])


async def get(api: Api, args: Args) -> Json:
    """Show an app."""
    app_hash = args.text("app")
    args.end()
    numbers = await assigned(api, app_hash)
    if api.apps.is_pinned(app_hash):
        return _pinned(api, app_hash, numbers)
    with told_by_apps():
        return _shown(await api.apps.get(app_hash), numbers)


async def get_list(api: Api, args: Args) -> list[Json]:
    """Show every app."""
    with_numbers = args.flag("with numbers")
    args.end()
    found: list[Json] = []
    for app_hash in sorted(api.runtime.settings.apps):
        numbers = await assigned(api, app_hash) if with_numbers else []
        found += [_pinned(api, app_hash, numbers)]
    for app in await api.apps.listed():
        numbers = await assigned(api, app.hash) if with_numbers else []
        found += [_shown(app, numbers)]
    return found


async def edit(api: Api, args: Args) -> Json:
    """Change what is given of an app; null leaves it as it is, "" takes login or password away."""
    app_hash = args.text("app")
    name = args.optional_text("name", longest=LONGEST_NAME)
    given = _object(args)
    args.end()
    with told_by_apps():
        edited = await api.apps.edit(
            app_hash,
            name=name or None,
            url=given.get("url") or None,
            login=given.get("login"),
            password=given.get("password"),
        )
    return _shown(edited, await assigned(api, app_hash))


async def delete(api: Api, args: Args) -> bool:
    """Let an app take no more calls; those it has go on to their end."""
    app_hash = args.text("app")
    args.end()
    with told_by_apps():
        await api.apps.get(app_hash)
        if numbers := await assigned(api, app_hash):
            raise RpcError(
                Code.APP_IN_USE,
                f"{', '.join(numbers)} would be answered by nobody: unassign them from {app_hash}",
            )
        await api.apps.delete(app_hash)
    return True


def _object(args: Args) -> dict[str, str]:
    """Read the REALTIME10 object: what is given of it, and neither null nor unknown."""
    given = args.mapping("object")
    known: dict[str, str] = {}
    for name in _FIELDS:
        value = given.get(name)
        if value is not None and not isinstance(value, str):
            raise args.bad(f"object.{name}", "must be a string")
        if value is not None and len(value) > LONGEST_VALUE:
            raise args.bad(f"object.{name}", f"must have at most {LONGEST_VALUE} characters")
        if value is not None:
            known[name] = value.strip() if name == "url" else value
    data_format = given.get("data_format") or FORMAT
    if data_format != FORMAT:
        raise args.bad("object.data_format", f"must be {FORMAT}, the only one there is")
    return known


async def assigned(api: Api, app_hash: str) -> list[str]:
    """List the numbers that were assigned to an app through this API."""
    rows = await api.runtime.store.list_records(DID_RECORD, scope=app_hash, limit=_MOST_DIDS)
    return [row.key for row in rows]


def _shown(app: StoredApp, numbers: list[str]) -> Json:
    return {
        **_app(app.hash, app.name, app.url, app.login or None, numbers),
        "date_creation": rt_date(app.created_at),
        "date_update": rt_date(app.updated_at),
    }


def _pinned(api: Api, app_hash: str, numbers: list[str]) -> Json:
    settings = api.runtime.settings.apps[app_hash]
    everything = list(dict.fromkeys([*settings.numbers, *numbers]))
    app = _app(app_hash, app_hash, settings.url, settings.login, everything)
    return {**app, "date_creation": None, "date_update": None}


def _app(app_hash: str, name: str, url: str, login: str | None, numbers: list[str]) -> Json:
    """Write what every App has; its password is never shown."""
    return {
        "hash": app_hash,
        "name": name,
        "package": {"name": PACKAGE, "type": "VOICE", "has_did": True},
        "p": {"url": url, "login": login, "password": None, "data_format": FORMAT},
        "did": [
            {"hash": number, "intl_number": number, "local_number": number, "app": app_hash}
            for number in numbers
        ],
    }


METHODS: Final = (
    Method("apps.create", '"REALTIME10", name, {url, login, password, data_format}', create),
    Method("apps.get", "app hash", get),
    Method("apps.get_list", "with numbers (true or false)", get_list),
    Method("apps.edit", "app hash, name or null, {url, login, password}", edit),
    Method("apps.delete", "app hash", delete),
)

__all__ = ["DID_RECORD", "METHODS", "assigned"]
