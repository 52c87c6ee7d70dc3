"""apps.assign_did and apps.unassign_did: which numbers an app answers.

A number answers as an app when it has that app's application at Plivo, which is made when there is
none. Plivo knows numbers by themselves, so the id of a DID is its number in E.164.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from pydantic_core import from_json, to_json

from bridge.json_rpc.api import told_by_plivo
from bridge.json_rpc.errors import Code, RpcError
from bridge.json_rpc.methods.apps import DID_RECORD as KIND
from bridge.json_rpc.methods.method import Method
from bridge.plivo.rest_errors import PlivoRestError
from bridge.provision.wanted import application_fields, application_name
from bridge.store.protocol import Commit, RecordWrite, StoreError
from mappings._plivo.numbers import normalize_e164

if TYPE_CHECKING:
    from bridge.json_rpc.api import Api
    from bridge.json_rpc.args import Args
    from bridge.plivo.rest_account import AccountRest
    from bridge.runtime import App
    from bridge.store.protocol import RecordRow

log = structlog.get_logger()


async def assign(api: Api, args: Args) -> bool:
    """Let a number be answered by an app, whatever it was before."""
    app = await api.app(args.text("app"))
    number = _number(args)
    args.end()
    if _owner(api, number) not in {None, app.hash}:
        raise _pinned(api, number)
    rest = api.account_rest()
    async with api.numbers.alone():
        await _assign(api, rest, app, number)
    log.info("did.assigned", app=app.hash, number=number)
    return True


async def _assign(api: Api, rest: AccountRest, app: App, number: str) -> None:
    row = await api.runtime.store.load_record(KIND, number)
    with told_by_plivo():
        before = await rest.number(number)
        if before is None:
            raise RpcError(Code.DID_NOT_FOUND, f"the Plivo account does not rent {number}")
        app_id, made = await _application(api, rest, app)
    try:
        with told_by_plivo():
            await rest.assign_number(number, app_id)
        await _store(api, number, app.hash, app_id, row)
    except (RpcError, StoreError):
        await _undo(rest, number, before.app_id, app_id if made else "")
        raise


async def unassign(api: Api, args: Args) -> bool:
    """Let a number be answered by no app any more."""
    app_hash = args.text("app") if args.rest() > 1 else ""
    number = _number(args)
    args.end()
    rest = api.account_rest()
    async with api.numbers.alone():
        row = await _unassign(api, rest, app_hash, number)
    log.info("did.unassigned", app=row.scope, number=number)
    return True


async def _unassign(api: Api, rest: AccountRest, app_hash: str, number: str) -> RecordRow:
    row = await api.runtime.store.load_record(KIND, number)
    owner = _owner(api, number)
    if owner is not None and app_hash in {"", owner} and (row is None or row.scope == owner):
        raise _pinned(api, number)
    if row is None or (app_hash and row.scope != app_hash):
        whose = f"to {app_hash}" if app_hash else "to an app"
        raise RpcError(Code.DID_NOT_ASSIGNED, f"{number} was not assigned {whose}")
    with told_by_plivo():
        now = await rest.number(number)
        mine = now is not None and now.app_id == from_json(row.blob)["app_id"]
        # What somebody gave to something else meanwhile is theirs.
        if mine:
            await rest.assign_number(number, "")
    gone = RecordWrite(KIND, number, row.version, None)
    try:
        await api.runtime.store.commit(Commit(records=[gone]))
    except StoreError:
        if mine and now is not None:
            await _undo(rest, number, now.app_id, "")
        raise
    return row


def _owner(api: Api, number: str) -> str | None:
    """Find the app whose number it is by the settings, which nothing overrides."""
    apps = api.runtime.settings.apps.items()
    return next((app_hash for app_hash, app in apps if number in app.numbers), None)


def _pinned(api: Api, number: str) -> RpcError:
    sentence = f"the settings give {number} to the app {_owner(api, number)}: change it there"
    return RpcError(Code.DID_PINNED, sentence)


def _number(args: Args) -> str:
    given = args.text("number")
    try:
        # A sign is none of the dashes people write between digits.
        return normalize_e164("" if given.startswith("-") else given)
    except ValueError as error:
        raise args.bad("number", str(error), Code.INVALID_NUMBER) from None


async def _application(api: Api, rest: AccountRest, app: App) -> tuple[str, bool]:
    """Find the app's application at Plivo, or make it; gives its id, and whether it was made."""
    name = app.settings.plivo_application or application_name(app.hash)
    fields = application_fields(api.runtime.settings.public_url, app.hash)
    for one in await rest.applications():
        if one.name == name:
            stale = {key: value for key, value in fields.items() if getattr(one, key) != value}
            if stale:
                await rest.update_application(one.app_id, stale)
            return one.app_id, False
    return await rest.create_application(name, fields), True


async def _store(api: Api, number: str, app_hash: str, app_id: str, row: RecordRow | None) -> None:
    write = RecordWrite(
        KIND,
        number,
        0 if row is None else row.version,
        to_json({"app_id": app_id}),
        sort=api.runtime.clock.now(),
        scope=app_hash,
    )
    await api.runtime.store.commit(Commit(records=[write]))


async def _undo(rest: AccountRest, number: str, app_id: str, made: str) -> None:
    """Give a number back what it had, and take away the application that was made for it."""
    try:
        await rest.assign_number(number, app_id)
        if made:
            await rest.delete_application(made)
    except PlivoRestError as error:
        log.error("did.not_restored", number=number, application=app_id or "none", why=str(error))


METHODS: Final = (
    Method("apps.assign_did", "app hash, number", assign),
    Method("apps.unassign_did", "app hash, number", unassign, ("apps.remove_did",)),
)

__all__ = ["METHODS"]
