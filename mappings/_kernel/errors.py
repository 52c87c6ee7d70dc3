"""Errors of the translation, split by blame.

    TranslationError
    ├── CommandRefused      the app: a bad command, bad params, or something it must handle
    ├── MappingBug          us: the mapping raised, or yielded what it must not
    └── Diverged            us: replaying the log gave another action or result than the first time

`CommandRefused` reaches the app as `command_error`; the two others end the command with
BRIDGE_ERROR or REPLAY_DIVERGED and are logged with their details.
"""

from __future__ import annotations

from typing import Final

#: Stable codes an app may meet in `command_error`, with what each means.
CODES: Final[dict[str, str]] = {
    "UNKNOWN_COMMAND": "the command does not exist",
    "INVALID_PARAMS": "a parameter is missing, of the wrong type or out of range",
    "MEDIA_NOT_FOUND": "the media id is not in the media library",
    "ROOM_FULL": "the conference room has its maximum of members",
    "CALL_NOT_FOUND": "nobody knows a call with that callid",
    "CALL_ENDED": "the call with that callid has ended",
    "CALL_OF_ANOTHER_APP": "the call with that callid is one of another app",
    "NOT_RECORDING": "the call is not being recorded",
    "RECORDING_FAILED": "Plivo did not start the recording",
    "REST_UNAVAILABLE": "the command needs Plivo's REST API, which is switched off or did not answer",
    "REST_REFUSED": "Plivo's REST API refused the request",
    "REST_UNKNOWN": "nobody knows whether Plivo carried the request out",
    "BREAK": "calls.realtime_break ended the command",
    "BRIDGE_ERROR": "a fault in the bridge ended the command; the call goes on",
    "REPLAY_DIVERGED": "the command could not be resumed by this version of the bridge",
}


class TranslationError(Exception):
    """Base of the tree; never raised itself."""


class CommandRefused(TranslationError):  # noqa: N818 - named for what happened
    """The command cannot be carried out; the app hears why and may recover."""

    def __init__(self, code: str, sentence: str) -> None:
        """Refuse with one of `CODES` and a sentence that names the parameter and what to do."""
        if code not in CODES:
            raise ValueError(code)
        self.code = code
        self.sentence = sentence
        super().__init__(f"{code}: {sentence}")


class MappingBug(TranslationError):  # noqa: N818 - named for whose fault it is
    """A mapping raised an unexpected exception or broke the engine's contract."""


class Diverged(TranslationError):  # noqa: N818 - named for what happened
    """Replay met another action or result than the log holds."""


__all__ = ["CODES", "CommandRefused", "Diverged", "MappingBug", "TranslationError"]
