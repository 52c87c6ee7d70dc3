"""Errors of the JSON-RPC API: a number and a word that are stable, and a sentence.

The official SDKs surface `code` and `message` and nothing else, so the message is "WORD: sentence".
Numbers below -32000 are those of JSON-RPC 2.0, section 5.1, and of servers in general; the others
are ours. No public source says which ones CALLR used.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from bridge.errors import BridgeError


class Code(IntEnum):
    """Every error there is; the name is the word in the message."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    UNAUTHORIZED = -32001
    RATE_LIMITED = -32002
    TOO_LARGE = -32003
    NOT_SUPPORTED = -32004
    APP_NOT_FOUND = 1001
    APP_PINNED = 1002
    APP_LIMIT = 1003
    PASSWORD_LOST = 1004
    APP_IN_USE = 1005
    INVALID_NUMBER = 1101
    INVALID_CLI = 1102
    CLI_MISSING = 1103
    CALL_NOT_FOUND = 1201
    NOT_ANSWERED = 1202
    TRANSFER_LIMIT = 1203
    DID_NOT_FOUND = 1301
    DID_NOT_ASSIGNED = 1302
    DID_PINNED = 1303
    REST_UNAVAILABLE = 1401
    REST_REFUSED = 1402
    REST_UNKNOWN = 1403
    QUEUE_FULL = 1501
    DRAINING = 1502
    STORE_UNAVAILABLE = 1503


MEANINGS: Final[dict[Code, str]] = {
    Code.PARSE_ERROR: "the body is not JSON",
    Code.INVALID_REQUEST: "the JSON is no JSON-RPC 2.0 request",
    Code.METHOD_NOT_FOUND: "there is no such method; the message lists those there are",
    Code.INVALID_PARAMS: "a parameter is missing, of the wrong type or out of range",
    Code.INTERNAL_ERROR: "a fault in the bridge; its log has more",
    Code.UNAUTHORIZED: "login and password, or the API key, are missing or wrong",
    Code.RATE_LIMITED: "too many wrong logins came from this address; ask again in a moment",
    Code.TOO_LARGE: "the body is larger than `max_webhook_bytes`",
    Code.NOT_SUPPORTED: "batches, notifications and named parameters are not supported",
    Code.APP_NOT_FOUND: "no app has this hash",
    Code.APP_PINNED: "the app is in the settings of the bridge and can be changed there only",
    Code.APP_LIMIT: "there are as many apps as the bridge keeps",
    Code.PASSWORD_LOST: "the key of the app's password has changed; give the password again",
    Code.APP_IN_USE: "numbers are assigned to the app; unassign them first",
    Code.INVALID_NUMBER: "this is no international phone number",
    Code.INVALID_CLI: "this is neither BLOCKED nor an international phone number",
    Code.CLI_MISSING: "BLOCKED, and the app has no number that can be shown instead",
    Code.CALL_NOT_FOUND: "no call has this callid",
    Code.NOT_ANSWERED: "the call still rings; nothing runs that could be ended",
    Code.TRANSFER_LIMIT: "the call was transferred as often as Plivo allows",
    Code.DID_NOT_FOUND: "the Plivo account does not rent this number",
    Code.DID_NOT_ASSIGNED: "the number does not belong to this app",
    Code.DID_PINNED: "the settings of the bridge give the number to an app; change it there",
    Code.REST_UNAVAILABLE: "Plivo's REST API is switched off, or did not answer",
    Code.REST_REFUSED: "Plivo refused",
    Code.REST_UNKNOWN: "nobody knows whether Plivo carried it out; look before you repeat it",
    Code.QUEUE_FULL: "too many calls wait to be dialled",
    Code.DRAINING: "the bridge is being stopped; ask again in a moment",
    Code.STORE_UNAVAILABLE: "the store of the bridge cannot be read or written",
}
"""What each means, in the words of docs/json-rpc.md."""


class RpcError(BridgeError):
    """What a request is answered with instead of a result."""

    def __init__(self, code: Code, sentence: str) -> None:
        super().__init__(f"{code.name}: {sentence}")
        self.code = code


__all__ = ["MEANINGS", "Code", "RpcError"]
