"""`rt-bridge provision`: read, plan, show, ask, change; see docs/provision.md."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import aiohttp
import click
from pydantic_core import to_json

from bridge.errors import SettingsError
from bridge.plivo.rest_account import AccountRest
from bridge.plivo.rest_errors import PlivoRestError
from bridge.provision.account import read_account
from bridge.provision.carry_out import CarryOut, NotDone
from bridge.provision.plan import Allowed, Change, Plan, plan_apply
from bridge.provision.saved import Saved, SavedError, SavedFile
from bridge.provision.show import (
    change_as_json,
    headline,
    obstacle_as_json,
    plan_as_text,
    summary,
)
from bridge.provision.undo import plan_undo
from bridge.provision.wanted import wanted
from bridge.quiet import without_retry_lines
from bridge.settings import load_settings
from bridge.settings_types import is_loopback_host
from mappings._plivo.numbers import normalize_e164, to_plivo

if TYPE_CHECKING:
    from bridge.settings import Settings

__all__ = ["Status", "provision_main", "remarks"]

_STATE: Final = "rt-bridge-provision.json"
_TIMEOUT_S: Final = 10.0


class Status(IntEnum):
    """Exit statuses."""

    DONE = 0
    DIFFERENT = 1
    USAGE = 2
    PLIVO = 3
    CONFLICT = 4


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    action: str
    yes: bool
    hashes: tuple[str, ...]
    taken: tuple[str, ...]
    force: bool
    state: Path | None
    output: str


@dataclass(slots=True)
class Report:
    """What is printed: lines as they come, or one JSON object at the end."""

    action: str
    output: str
    account: str = ""
    state: str = ""
    plan: Plan = field(default_factory=Plan)
    made: list[Change] = field(default_factory=list)
    error: str = ""

    def say(self, text: str) -> None:
        """Print a line for people."""
        if self.output == "text":
            click.echo(text)

    def done(self, change: Change) -> None:
        """Note a change that was made."""
        self.made.append(change)
        self.say(f"done: {headline(change)}")

    def end(self, status: Status, error: str = "") -> Status:
        """Print the rest, and what went wrong."""
        self.error = error
        if self.output == "json":
            click.echo(to_json(self._whole(status), indent=2))
        elif error:
            click.echo(error, err=True)
        return status

    def _whole(self, status: Status) -> dict[str, Any]:
        return {
            "action": self.action,
            "account": self.account,
            "state": self.state,
            "changes": [
                change_as_json(change, done=change in self.made) for change in self.plan.changes
            ],
            "conflicts": [obstacle_as_json(obstacle) for obstacle in self.plan.obstacles],
            "remarks": self.plan.remarks,
            "status": status.name.lower(),
            "error": self.error or None,
        }


def provision_main(action: str, **options: Any) -> int:
    """Do what the command line says; gives the exit status."""
    chosen = Options(action, **options)
    report = Report(action, chosen.output)
    try:
        settings = load_settings(os.environ).settings
        with without_retry_lines():
            return asyncio.run(_Provision(settings, chosen, report).run())
    except SettingsError as error:
        return report.end(Status.USAGE, "\n".join(error.problems))
    except SavedError as error:
        return report.end(Status.USAGE, str(error))
    except NotDone as error:
        return report.end(Status.PLIVO, str(error))
    except PlivoRestError as error:
        return report.end(Status.PLIVO, _sentence(error, report))


class _Provision:
    """One run of the command."""

    def __init__(self, settings: Settings, options: Options, report: Report) -> None:
        self._settings = settings
        self._options = options
        self._report = report
        if settings.plivo_auth_id is None or not settings.plivo_auth_tokens:
            raise SettingsError(
                [
                    "Set BRIDGE_PLIVO_AUTH_ID and BRIDGE_PLIVO_AUTH_TOKEN; provision asks Plivo's API."
                ]
            )
        self._auth_id = settings.plivo_auth_id
        self._token = settings.plivo_auth_tokens[0].get_secret_value()
        self._wanted = wanted(settings, options.hashes)
        self._all = [one.name for one in wanted(settings)]
        self._allowed = Allowed(_taken(options.taken), options.force)
        unused = self._allowed.numbers.difference(*[one.numbers for one in self._wanted])
        if unused and options.action != "undo":
            listed = ", ".join(f"+{number}" for number in sorted(unused))
            raise SettingsError([f"--take names {listed}, which no app here has as its number."])
        self._file = SavedFile(options.state or _default_state(settings))
        report.account = self._auth_id
        report.state = str(self._file.path)

    async def run(self) -> Status:
        """Do it. Raises SavedError, NotDone and PlivoRestError."""
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=4),
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as session:
            rest = AccountRest(
                session, self._settings.plivo_api_url, self._auth_id, self._token, _TIMEOUT_S
            )
            if self._options.action == "plan":
                return await self._show(rest)
            with self._file.claimed():
                return await self._change(rest)

    async def _show(self, rest: AccountRest) -> Status:
        report = self._report
        report.plan = await self._planned(rest, self._saved())
        self._print_plan()
        different = report.plan.changes or report.plan.obstacles
        return report.end(Status.DIFFERENT if different else Status.DONE)

    async def _change(self, rest: AccountRest) -> Status:
        report, options = self._report, self._options
        saved = self._saved()
        report.plan = plan = await self._planned(rest, saved)
        self._print_plan()
        if plan.obstacles:
            return report.end(Status.CONFLICT, "Nothing was changed.")
        if plan.changes and not options.yes:
            if options.output == "json" or not sys.stdin.isatty():
                sentence = "Nothing was changed: give --yes where nobody can be asked."
                return report.end(Status.USAGE, sentence)
            if not click.confirm("Carry this out?"):
                return report.end(Status.DIFFERENT, "Nothing was changed.")
            # People take their time: what they agreed to may not be what would happen by now.
            now = await self._planned(rest, saved)
            if (now.changes, now.obstacles) != (plan.changes, plan.obstacles):
                sentence = (
                    "Somebody changed the account meanwhile. Nothing was changed: look again."
                )
                return report.end(Status.CONFLICT, sentence)
        work = CarryOut(rest, self._file, saved, report.done)
        if options.action == "undo":
            await work.undo(plan.changes)
            work.forget(self._names())
        else:
            await work.apply(plan.changes)
        if not plan.changes:
            return report.end(Status.DONE)
        return await self._check(rest, saved)

    async def _check(self, rest: AccountRest, saved: Saved) -> Status:
        """Look whether Plivo shows what it accepted."""
        if self._options.action == "undo":
            return self._report.end(Status.DONE)
        left = (await self._planned(rest, saved)).changes
        if not left:
            return self._report.end(Status.DONE)
        listed = ", ".join(headline(change) for change in left)
        sentence = (
            f"Plivo accepted every change and shows something else, so this is left: {listed}."
        )
        return self._report.end(Status.PLIVO, sentence)

    def _saved(self) -> Saved:
        return self._file.read(self._settings.plivo_api_url, self._auth_id)

    def _names(self) -> set[str]:
        """Name the applications that --app chooses; nothing = all."""
        return {one.name for one in self._wanted} if self._options.hashes else set()

    async def _planned(self, rest: AccountRest, saved: Saved) -> Plan:
        if self._options.action == "undo":
            account = await read_account(rest, None)
            return plan_undo(saved, account, self._allowed, self._names())
        numbers = [number for one in self._wanted for number in one.numbers]
        account = await read_account(rest, numbers)
        return plan_apply(self._wanted, account, saved, self._allowed, self._all)

    def _print_plan(self) -> None:
        report, plan = self._report, self._report.plan
        plan.remarks += remarks(self._settings)
        report.say(f"Plivo account {report.account}; state file {report.state}")
        report.say(plan_as_text(plan).rstrip("\n") or "Nothing to do.")
        if plan.changes:
            report.say(f"Plan: {summary(plan.changes)}.")


def remarks(settings: Settings) -> list[str]:
    """Say what an operator should know before Plivo is told of these settings."""
    if _on_loopback(settings.public_url) and not _on_loopback(settings.plivo_api_url):
        return ["BRIDGE_PUBLIC_URL is on loopback, where Plivo cannot reach it."]
    return []


def _on_loopback(url: str) -> bool:
    return is_loopback_host(urlsplit(url).hostname or "")


def _taken(numbers: Collection[str]) -> frozenset[str]:
    try:
        return frozenset(to_plivo(normalize_e164(number)) for number in numbers)
    except ValueError:
        raise SettingsError(
            ["--take needs a number in E.164 form, for example --take +33123456789."]
        ) from None


def _default_state(settings: Settings) -> Path:
    store = settings.store_path
    return (store.parent if store is not None else Path()) / _STATE


def _sentence(error: PlivoRestError, report: Report) -> str:
    """Say what happened, what was changed until then, and what to do."""
    made = len(report.made)
    told = "Nothing was changed."
    if report.action != "plan":
        count = f"{made} of {len(report.plan.changes)} changes were made" if made else told[:-1]
        unsure = ", the next one perhaps" if error.maybe_done else ""
        if report.plan.changes:
            told = f"{count}{unsure}; repeat the command, or give --undo."
    hint = {
        401: " Check BRIDGE_PLIVO_AUTH_ID and BRIDGE_PLIVO_AUTH_TOKEN.",
        403: " Check BRIDGE_PLIVO_AUTH_ID.",
    }.get(error.status or 0, "")
    return f"Plivo: {error}.{hint} {told}"
