"""What the methods work with."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.json_rpc.errors import Code, RpcError
from bridge.plivo.rest_errors import PlivoRefused, PlivoRestError
from bridge.stored_apps import AppError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.breaks import Breaks
    from bridge.duties import Duty
    from bridge.hangups import Hangups
    from bridge.outbound.service import Outbound
    from bridge.plivo.rest import PlivoRest
    from bridge.plivo.rest_account import AccountRest
    from bridge.runtime import App, Runtime
    from bridge.stored_apps import StoredApps


@dataclass(frozen=True, slots=True)
class Api:
    """The parts of the bridge that methods reach."""

    runtime: Runtime
    apps: StoredApps
    outbound: Outbound
    account: AccountRest | None
    breaks: Breaks
    hangups: Hangups
    #: To change whose a number is: Plivo has no transactions, so one does so at a time.
    numbers: Duty

    async def app(self, app_hash: str) -> App:
        """Find an app that takes calls. Raises RpcError."""
        app = await self.apps.current(app_hash)
        if app is None:
            raise RpcError(Code.APP_NOT_FOUND, f"there is no app {app_hash}")
        return app

    def rest(self) -> PlivoRest:
        """Give Plivo's REST API. Raises RpcError where it is switched off."""
        if self.runtime.rest is None:
            raise RpcError(Code.REST_UNAVAILABLE, "BRIDGE_PLIVO_REST is false")
        return self.runtime.rest

    def account_rest(self) -> AccountRest:
        """Give Plivo's REST API for applications and numbers. Raises RpcError."""
        if self.account is None:
            raise RpcError(Code.REST_UNAVAILABLE, "BRIDGE_PLIVO_REST is false")
        return self.account


@contextmanager
def told_by_plivo() -> Iterator[None]:
    """Turn what Plivo's REST API says into errors of this API."""
    try:
        yield
    except PlivoRestError as error:
        raise RpcError(_code_of(error), str(error)) from None
    except ValueError as error:
        # The client refuses ids that could mean anything but one single thing.
        raise RpcError(Code.INVALID_PARAMS, str(error)) from None


def _code_of(error: PlivoRestError) -> Code:
    if error.maybe_done:
        return Code.REST_UNKNOWN
    return Code.REST_REFUSED if isinstance(error, PlivoRefused) else Code.REST_UNAVAILABLE


@contextmanager
def told_by_apps() -> Iterator[None]:
    """Turn what is wrong with an app into errors of this API."""
    try:
        yield
    except AppError as error:
        raise RpcError(Code[error.code], str(error)) from None


__all__ = ["Api", "told_by_apps", "told_by_plivo"]
