"""JSON-RPC 2.0 over HTTP, as the official CALLR SDKs speak it.

Everything that is posted is answered with status 200: an SDK reads no body of any other status. An
error has no key `result`, because an SDK that finds one, be it null, looks no further.
"""

from __future__ import annotations

from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiohttp import ClientPayloadError, web
from pydantic_core import from_json, to_json

from bridge.json_rpc.args import Args
from bridge.json_rpc.auth import Attempts, Credentials
from bridge.json_rpc.errors import Code, RpcError
from bridge.json_rpc.methods import METHODS
from bridge.state import UnreadableState
from bridge.store.protocol import StoreError
from bridge.telemetry import log_line

if TYPE_CHECKING:
    from bridge.json_rpc.api import Api

log = structlog.get_logger()

PATH: Final = "/json-rpc/v1.1/"
CONTENT_TYPE: Final = "application/json-rpc; charset=utf-8"
#: Sent by SDKs that act for another user of the account; there are no users here.
LOGIN_AS: Final = "CALLR-Login-As"
_LONGEST_SHOWN: Final = 64
_VERSION: Final = "2.0"


class Endpoint:
    """The handler of the route; without credentials there is none."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._credentials = Credentials(api.runtime.settings)
        self._attempts = Attempts(api.runtime.clock.now)

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """List the routes, also below the path of the public URL, with and without a last slash."""
        if not self._credentials:
            return []
        paths = {base + path for base in {"", prefix} for path in (PATH, PATH.rstrip("/"))}
        return [web.post(path, self._serve) for path in sorted(paths)]

    async def _serve(self, http: web.Request) -> web.Response:
        begun = perf_counter()
        line: dict[str, Any] = {"method": "", "outcome": "result"}
        reply: dict[str, Any] = {"jsonrpc": _VERSION, "id": None}
        try:
            self._admit(http)
            request = await _read(http)
            reply["id"] = _id(request)
            reply["result"] = await self._answer(request, line)
        except RpcError as error:
            line["outcome"] = error.code.name
            reply["error"] = {"code": int(error.code), "message": str(error)}
        except (StoreError, UnreadableState) as error:
            line["outcome"] = Code.STORE_UNAVAILABLE.name
            sentence = f"{Code.STORE_UNAVAILABLE.name}: {error}"
            reply["error"] = {"code": int(Code.STORE_UNAVAILABLE), "message": sentence}
        except Exception:
            line["outcome"] = Code.INTERNAL_ERROR.name
            log.exception("json_rpc.fault", method=line["method"])
            sentence = f"{Code.INTERNAL_ERROR.name}: a fault in the bridge; its log has more"
            reply["error"] = {"code": int(Code.INTERNAL_ERROR), "message": sentence}
        if login_as := http.headers.get(LOGIN_AS):
            line["login_as"] = login_as[:_LONGEST_SHOWN]
        line["ms"] = round((perf_counter() - begun) * 1000, 1)
        self._api.runtime.metrics.webhook("", "json-rpc", line["outcome"])
        log_line("json_rpc.answered", line)
        body = to_json(reply)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})

    def _admit(self, http: web.Request) -> None:
        """Check the credentials. Raises RpcError."""
        address = http.remote or ""
        if not self._attempts.may_try(address):
            raise RpcError(Code.RATE_LIMITED, "too many wrong logins: ask again in a second")
        if self._credentials.admit(http.headers.get("Authorization", "")):
            return
        left = self._attempts.failed(address)
        # Neither login nor password: somebody may have mixed them up.
        log.warning("json_rpc.unauthorized", address=address, tries_left=left)
        raise RpcError(Code.UNAUTHORIZED, "give login and password as HTTP Basic, or an Api-Key")

    async def _answer(self, request: dict[str, Any], line: dict[str, Any]) -> Any:
        name, params = request.get("method"), request.get("params")
        if request.get("jsonrpc") != _VERSION or not isinstance(name, str) or not name:
            raise RpcError(Code.INVALID_REQUEST, 'jsonrpc must be "2.0" and method a name')
        if "id" not in request:
            raise RpcError(Code.NOT_SUPPORTED, "notifications are not supported: give an id")
        if isinstance(params, dict):
            raise RpcError(Code.NOT_SUPPORTED, "params must be an array: they have no names here")
        if params is not None and not isinstance(params, list):
            raise RpcError(Code.INVALID_REQUEST, "params must be an array")
        method = METHODS.get(name)
        if method is None:
            there_are = ", ".join(sorted(METHODS))
            shown = name[:_LONGEST_SHOWN]
            raise RpcError(
                Code.METHOD_NOT_FOUND, f"there is no method {shown!r}; there are {there_are}"
            )
        line["method"] = name
        return await method.run(self._api, Args(method.signature(name), params or []))


async def _read(http: web.Request) -> dict[str, Any]:
    try:
        body = await http.read()
    except web.HTTPRequestEntityTooLarge:
        raise RpcError(Code.TOO_LARGE, "the body is too large") from None
    except (ClientPayloadError, web.RequestPayloadError, ConnectionError, ValueError):
        raise RpcError(Code.PARSE_ERROR, "the body could not be read") from None
    try:
        request = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise RpcError(Code.PARSE_ERROR, f"the body is not JSON ({error})") from None
    if isinstance(request, list):
        raise RpcError(Code.NOT_SUPPORTED, "batches are not supported: send one request at a time")
    if not isinstance(request, dict):
        raise RpcError(Code.INVALID_REQUEST, "a request is an object")
    return request


def _id(request: dict[str, Any]) -> str | int | float | None:
    found = request.get("id")
    # A number too large for JSON's readers could not be said back.
    if isinstance(found, bool | list | dict) or found in {inf, -inf}:
        raise RpcError(Code.INVALID_REQUEST, "id must be a number, a string or null")
    return found


__all__ = ["CONTENT_TYPE", "PATH", "Endpoint"]
