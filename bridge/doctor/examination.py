"""All checks of a deployment, in their order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, Final

import aiohttp

from bridge.doctor.apps import check_app
from bridge.doctor.findings import CHECKS, Finding, ok, skipped, warning
from bridge.doctor.machine import check_media, check_ports, check_store
from bridge.doctor.made import with_made_apps
from bridge.doctor.patient import ASK_S, Patient, find_running
from bridge.doctor.plivo import check_clock, check_plivo
from bridge.doctor.public import check_public_url
from bridge.provision.wanted import wanted
from bridge.settings import warnings

if TYPE_CHECKING:
    from bridge.settings import Settings

__all__ = ["examine"]

_Check = Callable[[Patient], Awaitable[list[Finding]]]
#: Each with the checks it makes.
_EXAMINERS: Final[tuple[tuple[_Check, tuple[str, ...]], ...]] = (
    (check_store, ("store",)),
    (check_media, ("media",)),
    (check_ports, ("ports",)),
    (check_app, ("app",)),
    (check_clock, ("clock",)),
    (check_plivo, ("credentials", "application", "numbers")),
    (check_public_url, ("public_url",)),
)


async def examine(
    settings: Settings,
    apps: Collection[str] = (),
    skip: Collection[str] = (),
    *,
    dry_call: bool = False,
) -> list[Finding]:
    """Make every check that is not skipped, for these apps or all.

    Nothing is changed, neither here nor at Plivo; `dry_call` asks each app as for a new call.
    Raises SettingsError for an app that there is not.
    """
    found = [
        warning("settings", sentence, "See docs/settings.md.") for sentence in warnings(settings)
    ]
    if not found:
        found = [ok("settings", f"The settings are valid, with {len(settings.apps)} apps.")]
    settings, made = await with_made_apps(settings)
    # Refuses apps that there are not, and those that could not be told apart at Plivo.
    wanted(settings, apps)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=ASK_S),
    ) as session:
        running = await find_running(session, settings)
        chosen = tuple(app_hash for app_hash in settings.apps if not apps or app_hash in apps)
        patient = Patient(settings, session, chosen, running, dry_call, made)
        making = [check(patient) for check, names in _EXAMINERS if not set(names) <= set(skip)]
        for findings in await asyncio.gather(*making):
            found += [finding for finding in findings if finding.check not in skip]
    found += [skipped(check, "Not wanted.") for check in CHECKS if check in skip]
    return sorted(found, key=lambda finding: CHECKS.index(finding.check))
