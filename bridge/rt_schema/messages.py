"""RT.Request and RT.Response as JSON Schema, draft 2020-12."""

from __future__ import annotations

from typing import Final, Literal

from bridge.rt_schema import patterns
from bridge.rt_schema.kinds import Schema
from bridge.rt_schema.params import Definitions, describe_command, params_schema
from mappings._rt.request import FIELDS
from mappings.registry import COMMANDS

__all__ = ["Message", "request_schema", "response_schema", "schema"]

Message = Literal["request", "response"]

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_LARGEST: Final = 2**64 - 1
_EMPTY_LIST: Final[Schema] = {"type": "array", "maxItems": 0}
_NAMES: Final = tuple(dict.fromkeys(command.name for command in COMMANDS))
_NUMBER: Final = 'in E.164 with "+", or "" when it is not known'

_CALL_STATUS: Final = {
    "UP": "the call is up",
    "HANGUP": "the call is over: the last request, whose reply is ignored",
    "INCOMING_CALL": "an inbound call before the first command",
    "NOANSWER": "an outbound call nobody answered",
    "BUSY": "an outbound call to a busy number",
    "CONGESTION": "an outbound call the carrier refused",
    "REJECTED": "an outbound call the platform refused",
}
_STATUS_WORDS: Final = "; ".join(f"{name}: {words}" for name, words in _CALL_STATUS.items())
_REQUEST: Final[dict[str, Schema]] = {
    "app": {"type": "string", "description": "Hash of the app."},
    "callid": {
        "type": "integer",
        "minimum": 0,
        "maximum": _LARGEST,
        "description": "The call; the same in all its requests.",
    },
    "request_hash": {
        "type": ["string", "null"],
        "description": "What calls.realtime returned for an outbound call; null on inbound calls.",
    },
    "cli_name": {"type": "string", "description": "Name of the caller, often empty."},
    "cli_number": {"type": "string", "description": f"The caller's number, {_NUMBER}."},
    "date_started": {
        "type": "string",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$",
        "description": "When the call began, in UTC.",
    },
    "number": {
        "type": "string",
        "description": f"The number called, or the target of an outbound call, {_NUMBER}.",
    },
    "command": {
        "type": "string",
        "description": 'The command this result belongs to; "" in the first request.',
    },
    "command_id": {
        "description": "The app's own value, unchanged; 0 when there is none.",
    },
    "command_result": {
        "type": ["string", "integer"],
        "description": "Result of the command; a text, but 0 after send_dtmf.",
    },
    "command_error": {
        "type": "string",
        "description": '"CODE: sentence" when the command failed, else "".',
    },
    "call_status": {"enum": list(_CALL_STATUS), "description": f"{_STATUS_WORDS}."},
    "cdr_field": {"type": "string", "description": "Custom field of the call."},
    "variables": {
        "type": "object",
        "description": "What the app sent as variables in its last reply.",
    },
}


def schema(message: Message, *, strict: bool = False) -> Schema:
    """Describe a message: as it is written and tolerantly read, or as the RT page documents it."""
    return (
        response_schema(strict=strict) if message == "response" else request_schema(strict=strict)
    )


def request_schema(*, strict: bool = False) -> Schema:
    """Describe what an app gets.

    `strict` supposes an app that keeps to the strict RT.Response, so that command and command_id
    are those the RT page knows.
    """
    properties = {name: dict(_REQUEST[name]) for name in FIELDS}
    if strict:
        properties["command"]["enum"] = ["", *_NAMES]
        properties["command_id"]["type"] = "integer"
    return _document(
        "request",
        "What the app gets by POST: the state of the call and the result of the last command.",
        {"type": "object", "properties": properties, "required": list(FIELDS)},
        strict=strict,
    )


def response_schema(*, strict: bool = False) -> Schema:
    """Describe what an app answers: one of the commands, told apart by `command`."""
    definitions = Definitions(strict=strict)
    branches = [
        definitions.refer(command.name, _branch(command.name, definitions))
        for command in COMMANDS
        if command is _NEWEST[command.name]
    ]
    required = ["command", "command_id", "params", "variables"] if strict else ["command"]
    body: Schema = {
        "type": "object",
        "required": required,
        "properties": {"command": {"type": "string"}},
        "oneOf": branches,
        "$defs": dict(sorted(definitions.schemas.items())),
    }
    sentence = "What the app answers: the next command. The reply to HANGUP is ignored."
    return _document("response", sentence, body, strict=strict)


_NEWEST: Final = {command.name: command for command in COMMANDS}


def _branch(name: str, definitions: Definitions) -> Schema:
    command = _NEWEST[name]
    params = params_schema(command.params, definitions)
    needs_params = "required" in params or any("anyOf" in rule for rule in params.get("allOf", ()))
    variables: Schema = {"type": "object"}
    if definitions.strict:
        tag: Schema = {"const": name}
        command_id: Schema = {"type": "integer"}
    else:
        tag = {"type": "string", "pattern": patterns.padded(name)}
        command_id = {}
        nothing = definitions.refer(
            "nothing",
            {
                "anyOf": [{"type": "null"}, _EMPTY_LIST],
                "description": "Stands for {}; PHP writes an empty object as [].",
            },
        )
        variables = {"anyOf": [variables, nothing]}
        params = params if needs_params else {"anyOf": [params, nothing]}
    return {
        "title": name,
        "description": describe_command(command),
        "type": "object",
        "properties": {
            "command": tag,
            "command_id": command_id | {"description": "Comes back with the result."},
            "params": params,
            "variables": variables | {"description": "Comes back in the next request."},
        },
        "required": ["command", "params"] if needs_params else ["command"],
    } | ({"additionalProperties": False} if definitions.strict else {})


def _document(message: Message, description: str, body: Schema, *, strict: bool) -> Schema:
    reading = ":strict" if strict else ""
    return {
        "$schema": _DIALECT,
        "$id": f"urn:plivo-rt-bridge:rt-{message}{reading}",
        "title": f"RT.{message.capitalize()}",
        "description": description,
    } | body
