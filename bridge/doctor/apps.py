"""Checks whether each RT app answers, in time and in words the bridge understands.

What is sent is a request about the call 0, which no app ever has. By default it says HANGUP, whose
answer is ignored and which starts nothing; with a dry call it says UP first, as for a new call.
"""

from __future__ import annotations

import json
from time import monotonic, time
from typing import TYPE_CHECKING, Final

from bridge.doctor.findings import Finding, failed, ok, skipped, warning
from bridge.redaction import mask_url
from bridge.rt_client import AppFailure, AppStatus, AppTransport, RtApp
from bridge.testing.contract import Contract
from bridge.testing.turns import Turn
from mappings._plivo.numbers import to_e164
from mappings._rt.reader import ReplyError, read_response
from mappings._rt.request import RtRequest, rt_date, write_request

if TYPE_CHECKING:
    from bridge.doctor.patient import Patient

__all__ = ["CALLER_NAME", "check_app"]

#: By this an app can tell the doctor from a caller.
CALLER_NAME: Final = "rt-bridge doctor"
_NO_CALL: Final = 0
#: The share of the time an app has after which it is called slow.
_SLOW: Final = 0.8


async def check_app(patient: Patient) -> list[Finding]:
    """Ask each app."""
    limit = patient.settings.max_app_reply_bytes
    async with AppTransport.open(max_reply_bytes=limit) as transport:
        return [
            skipped("app", why, app_hash)
            if (why := patient.made.get(app_hash))
            else await _Asking(patient, transport, app_hash).findings()
            for app_hash in patient.apps
        ]


class _Asking:
    """One app that is asked."""

    def __init__(self, patient: Patient, transport: AppTransport, app_hash: str) -> None:
        self._patient = patient
        self._transport = transport
        self._hash = app_hash
        self._settings = patient.settings.apps[app_hash]
        self._app = RtApp.from_settings(app_hash, self._settings)
        self._slowest_s = 0.0

    async def findings(self) -> Finding:
        request = self._request("HANGUP")
        if self._patient.dry_call:
            finding = await self._dry_call(request)
            if finding is not None:
                return finding
        try:
            reply = await self._ask(request)
        except AppFailure as failure:
            return self._failed(failure)
        return self._judge(reply)

    async def _ask(self, request: RtRequest) -> bytes:
        begun = monotonic()
        try:
            return await self._transport.ask(
                self._app, write_request(request), self._patient.settings.app_timeout_s
            )
        finally:
            self._slowest_s = max(self._slowest_s, monotonic() - begun)

    async def _dry_call(self, final: RtRequest) -> Finding | None:
        """Ask as for a new call, and prepare the request that ends it; None = all is well."""
        request = self._request("UP")
        try:
            reply = await self._ask(request)
        except AppFailure as failure:
            return self._failed(failure)
        sentence = self._protocol(request, reply)
        if sentence:
            return failed(
                "app",
                f"The app at {mask_url(self._app.url)} answered a new call wrongly: {sentence}",
                "Correct the app; rt-bridge simulate plays whole calls with it.",
                self._hash,
            )
        response = read_response(reply)
        final.command, final.command_id = response.command, response.command_id
        final.variables = response.variables
        return None

    def _protocol(self, request: RtRequest, reply: bytes) -> str:
        """Say what is wrong with a reply, if anything."""
        raw = write_request(request)
        limit = self._patient.settings
        contract = Contract(budget_s=limit.app_timeout_s, max_reply_bytes=limit.max_app_reply_bytes)
        turn = Turn(1, 0.0, _NO_CALL, self._hash, json.loads(raw), raw, 200, reply, "", "", 0.0)
        errors = [one.sentence for one in contract.feed(turn) if one.severity == "error"]
        return " ".join(errors)

    def _request(self, status: str) -> RtRequest:
        numbers = self._settings.numbers
        return RtRequest(
            app=self._hash,
            callid=_NO_CALL,
            request_hash=None,
            cli_name=CALLER_NAME,
            cli_number="",
            date_started=rt_date(time()),
            number=to_e164(numbers[0]) if numbers else "",
            call_status=status,
        )

    def _failed(self, failure: AppFailure) -> Finding:
        advice = "Start the app, or correct its URL in the settings."
        if isinstance(failure, AppStatus):
            advice = {
                401: "Correct login and password of the app in the settings.",
                403: "Let the app accept the bridge.",
                404: "Correct the URL of the app in the settings.",
                405: "Let the app take POST at this URL.",
            }.get(failure.status, "See the log of the app.")
            if not self._patient.dry_call:
                advice += " If it only refuses calls it does not know, try --dry-call."
        return failed("app", failure.sentence, advice, self._hash)

    def _judge(self, reply: bytes) -> Finding:
        where, budget_s = mask_url(self._app.url), self._patient.settings.app_timeout_s
        took = f"answered within {self._slowest_s:.1f} s"
        if self._slowest_s > _SLOW * budget_s:
            return warning(
                "app",
                f"The app at {where} {took}, and has {budget_s:g} s.",
                "Make it faster: calls fail when it takes longer.",
                self._hash,
            )
        if self._patient.dry_call:
            return ok("app", f"The app at {where} {took}, with a valid command.", self._hash)
        try:
            if reply.strip():
                read_response(reply)
        except ReplyError as error:
            return warning(
                "app",
                f"The app at {where} {took}; its answer to HANGUP is ignored, and would not be "
                f"understood elsewhere: {error.sentence}",
                "See whether it answers calls otherwise: try --dry-call.",
                self._hash,
            )
        return ok("app", f"The app at {where} {took}.", self._hash)
