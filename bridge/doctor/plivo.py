"""Checks of Plivo's side: clock, credentials, applications, numbers."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import time
from typing import TYPE_CHECKING, Final

import aiohttp

from bridge.doctor.findings import Finding, failed, ok, skipped, warning
from bridge.doctor.patient import ASK_S, reason
from bridge.plivo.rest_account import AccountRest
from bridge.plivo.rest_errors import PlivoRestError
from bridge.provision.account import fields_of
from bridge.provision.wanted import METHODS, wanted

if TYPE_CHECKING:
    from bridge.doctor.patient import Patient
    from bridge.plivo.rest_account import Application
    from bridge.provision.wanted import Wanted

__all__ = ["check_clock", "check_plivo"]

#: A Date header has whole s, and its request took a while.
_NOTICED_S: Final = 5.0
_TOO_MUCH_S: Final = 60.0
_PROVISION: Final = "Run rt-bridge provision --plan, then --apply."
_ASSIGN: Final = "Assign a number of the app once more with apps.assign_did, which corrects it."
_UNAUTHORIZED: Final = frozenset({401, 403})


async def check_clock(patient: Patient) -> list[Finding]:
    """Compare this clock with that of Plivo's API; no credentials are needed for that."""
    url = patient.settings.plivo_api_url
    begun = time()
    try:
        async with patient.session.get(f"{url}/v1/Account/", allow_redirects=False) as response:
            told = response.headers.get("Date", "")
            theirs = parsedate_to_datetime(told).astimezone(UTC).timestamp()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return [skipped("clock", f"{url} does not tell the time: {reason(error)}.")]
    except (ValueError, TypeError):
        return [skipped("clock", f"{url} does not tell the time.")]
    skew_s = (begun + time()) / 2 - theirs
    ahead = "ahead of" if skew_s > 0 else "behind"
    sentence = f"This clock is {abs(skew_s):.0f} s {ahead} Plivo's."
    advice = "Let this machine get its time from a time server (NTP)."
    if abs(skew_s) > _TOO_MUCH_S:
        return [failed("clock", sentence, advice)]
    if abs(skew_s) > _NOTICED_S:
        return [warning("clock", sentence, advice)]
    now = datetime.now(UTC).isoformat(" ", "seconds")
    return [ok("clock", f"This clock and Plivo's agree: it is {now}.")]


async def check_plivo(patient: Patient) -> list[Finding]:
    """Check credentials, and with them applications and numbers."""
    settings = patient.settings
    if settings.plivo_auth_id is None or not settings.plivo_auth_tokens:
        sentence = "No Plivo credentials are configured."
        return [skipped(check, sentence) for check in ("credentials", "application", "numbers")]
    rest = AccountRest(
        patient.session,
        settings.plivo_api_url,
        settings.plivo_auth_id,
        settings.plivo_auth_tokens[0].get_secret_value(),
        ASK_S,
    )
    try:
        applications = await rest.applications()
    except PlivoRestError as error:
        advice = "See whether this machine reaches BRIDGE_PLIVO_API_URL."
        if error.status in _UNAUTHORIZED:
            advice = "Copy BRIDGE_PLIVO_AUTH_ID and BRIDGE_PLIVO_AUTH_TOKEN from the Plivo console."
        return [
            failed("credentials", f"Plivo: {error}.", advice),
            *(skipped(check, "Plivo was not asked.") for check in ("application", "numbers")),
        ]
    sentence = f"Plivo accepts the credentials of {settings.plivo_auth_id}."
    found = [ok("credentials", sentence)]
    numbers: list[Finding] = []
    for one in wanted(settings, patient.apps):
        mine = _mine(one, applications)
        is_made = one.app in patient.made
        if is_made and not one.numbers:
            sentence = "It gets its application with its first number (apps.assign_did)."
            found.append(skipped("application", sentence, one.app))
        else:
            found.append(_judge_application(one, mine, _ASSIGN if is_made else _PROVISION))
        numbers += await _check_numbers(rest, one, mine, _ASSIGN if is_made else _PROVISION)
    return found + numbers


def _mine(one: Wanted, applications: list[Application]) -> Application | None:
    """Find the application of an app: by its name, or by the answer URL somebody typed."""
    by_name = [application for application in applications if application.name == one.name]
    ours = _bare(one.fields["answer_url"])
    by_url = [application for application in applications if _bare(application.answer_url) == ours]
    both = [application for application in by_name if application in by_url]
    return next(iter([*both, *by_url, *by_name]), None)


def _bare(url: str) -> str:
    return url.partition("#")[0]


def _judge_application(one: Wanted, mine: Application | None, advice: str) -> Finding:
    if mine is None:
        sentence = f"Plivo has no application {one.name}, and none with our answer URL."
        return failed("application", sentence, advice, one.app)
    shown = fields_of(mine)
    wrong = [
        name
        for name, value in one.fields.items()
        if name not in METHODS and _bare(shown[name]) != _bare(value)
    ]
    called = f"The application {mine.name} ({mine.app_id})"
    # Without a hangup URL Plivo reports hangups to the answer URL, which understands them.
    if wrong == ["hangup_url"] and shown["hangup_url"] == shown["answer_url"]:
        sentence = f"{called} has no hangup URL of its own."
        return warning("application", sentence, advice, one.app)
    if wrong == ["fallback_answer_url"] and not shown["fallback_answer_url"]:
        sentence = f"{called} has no fallback URL: a call fails when the answer URL does."
        return warning("application", sentence, advice, one.app)
    if wrong:
        sentence = f"{called} has another {' and '.join(wrong)} than ours."
        return failed("application", sentence, advice, one.app)
    plain = [name for name, value in one.fields.items() if shown[name] != value]
    if [name for name in plain if name not in METHODS]:
        sentence = f"{called} has our URLs, without our retry fragments."
        return warning("application", sentence, advice, one.app)
    return ok("application", f"{called} has our URLs.", one.app)


async def _check_numbers(
    rest: AccountRest, one: Wanted, mine: Application | None, advice: str
) -> list[Finding]:
    if not one.numbers:
        return [skipped("numbers", "No numbers are configured for this app.", one.app)]
    missing, elsewhere = [], []
    try:
        for number in one.numbers:
            shown = await rest.number(number)
            if shown is None:
                missing.append(f"+{number}")
            elif mine is None or shown.app_id != mine.app_id:
                elsewhere.append(f"+{number}")
    except PlivoRestError as error:
        return [failed("numbers", f"Plivo: {error}.", "Repeat this command.", one.app)]
    found = []
    if missing:
        sentence = f"The account does not rent {', '.join(missing)}."
        correct = "Rent them, or correct the numbers in the settings."
        found.append(failed("numbers", sentence, correct, one.app))
    if elsewhere:
        sentence = f"Calls of {', '.join(elsewhere)} do not come to this app."
        found.append(failed("numbers", sentence, advice, one.app))
    if not found:
        count = len(one.numbers)
        sentence = "1 number belongs" if count == 1 else f"{count} numbers belong"
        found.append(ok("numbers", f"{sentence} to this app.", one.app))
    return found
