"""Does an app keep to the Real-Time protocol? Checks of its replies, turn by turn.

The checks use the reader and the params models of the bridge, so that a test and the bridge never
disagree. Codes are stable; sentences may change.

| code | severity | meaning |
|---|---|---|
| NO_REPLY | error | no connection to the app, or it broke before the reply was complete |
| OVER_BUDGET | error | the reply took longer than the app has (5 s) |
| SLOW_REPLY | warning | the reply took more than 80 % of that |
| NOT_200 | error | the reply has another status than 200 |
| HANGUP_NOT_200 | error | the reply to the final request has another status than 200 |
| ANSWERED_HANGUP | warning | the reply to the final request holds a command, which is ignored |
| TOO_LARGE | error | the reply is larger than the bridge reads |
| NOT_JSON | error | the body is no JSON, or other text surrounds it |
| NOT_AN_OBJECT | error | the body is JSON, but no object |
| PARAMS_NOT_OBJECT | error | params is neither an object nor left out, null or [] |
| VARIABLES_NOT_OBJECT | error | variables is neither an object nor left out, null or [] |
| UNKNOWN_FIELD | warning | a field beside the four of RT.Response that looks like a misspelt one |
| UNKNOWN_COMMAND | error | there is no such command, or none at all |
| UNKNOWN_PARAMETER | warning | the command has no such parameter; it is ignored |
| MISSING_PARAMETER | error | a parameter without a default is left out, null or "" |
| INVALID_PARAMETER | error | a parameter has the wrong type or is out of range |
| REPEATED_BAD_COMMAND | error | the same command failed 5 times in a row: the bridge ends such a call |

No violations: any Content-Type, a command_id that changes, variables that vanish between turns,
any body at all in answer to the final request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from bridge.testing.contract_params import Finding, check_params, close_to, shown
from bridge.testing.turns import parsed
from mappings._kernel.errors import CommandRefused
from mappings._rt.reader import ReplyError, excerpt, read_response
from mappings.registry import COMMANDS, newest

if TYPE_CHECKING:
    from bridge.testing.turns import Turn

__all__ = ["CODES", "Contract", "Severity", "Violation", "violations"]

Severity = Literal["error", "warning"]

#: Every code with its severity.
CODES: Final[dict[str, Severity]] = {
    "NO_REPLY": "error",
    "OVER_BUDGET": "error",
    "SLOW_REPLY": "warning",
    "NOT_200": "error",
    "HANGUP_NOT_200": "error",
    "ANSWERED_HANGUP": "warning",
    "TOO_LARGE": "error",
    "NOT_JSON": "error",
    "NOT_AN_OBJECT": "error",
    "PARAMS_NOT_OBJECT": "error",
    "VARIABLES_NOT_OBJECT": "error",
    "UNKNOWN_FIELD": "warning",
    "UNKNOWN_COMMAND": "error",
    "UNKNOWN_PARAMETER": "warning",
    "MISSING_PARAMETER": "error",
    "INVALID_PARAMETER": "error",
    "REPEATED_BAD_COMMAND": "error",
}

#: What an app has, in s (RT page).
BUDGET_S: Final = 5.0
#: The default of the setting max_app_reply_bytes.
MAX_REPLY_BYTES: Final = 1_048_576
#: As many errors in a row make the bridge end a call.
LOOP: Final = 5

_SLOW: Final = 0.8
# The bridge's clock starts a little before that of whoever listens between it and the app.
_GAVE_UP: Final = 0.95
_OK: Final = 200
_FIELDS: Final = ("command", "command_id", "params", "variables")
_NAMES: Final = tuple(dict.fromkeys(command.name for command in COMMANDS))
_LIVE: Final = frozenset({"UP", "INCOMING_CALL"})
_REFUSED: Final = frozenset({"UNKNOWN_COMMAND", "MISSING_PARAMETER", "INVALID_PARAMETER"})
_PHP: Final = re.compile(
    r"\b(Fatal error|Parse error|Warning|Notice|Deprecated)(?:</b>)?:"
    r"[\s\S]{0,2000}? on line (?:<b>)?[0-9]"
)
_HINTS: Final = (
    (range(300, 400), "redirects are not followed, so give the bridge the final URL"),
    (range(401, 402), "does the app ask for a login the bridge does not have?"),
    (range(403, 404), "the app refuses the bridge"),
    (range(404, 406), "does the URL lead to the app, and does it take POST?"),
    (range(500, 600), "the app's own log says why"),
)


@dataclass(frozen=True, slots=True)
class Violation:
    """One way in which a reply breaks the protocol.

    `turn` and `call` are those of the Turn, `path` is the place in the reply as a JSON path ("$" =
    all of it), `expected` says what belongs there ("" where the sentence does).
    """

    code: str
    turn: int
    call: int
    path: str
    sentence: str
    severity: Severity
    expected: str = ""

    def __str__(self) -> str:
        """One line for people."""
        expected = f" Expected: {self.expected}." if self.expected else ""
        where = "" if self.path == "$" else f" at {self.path}"
        return (
            f"{self.severity} {self.code} in turn {self.turn} of call {self.call}{where}: "
            f"{self.sentence}{expected}"
        )


@dataclass(slots=True)
class _Streak:
    """How often a call's command failed in a row; `pending` = how the last one went is not known.

    `command` is None before the first reply and after one that holds none.
    """

    command: str | None = None
    failures: int = 0
    pending: bool = False


class Contract:
    """Checks turns as they come; the cost of one does not grow with the length of a call.

    `found` has all violations that are not allowed, `allowed` those that are.
    """

    def __init__(
        self,
        *,
        allow: Iterable[str] = (),
        budget_s: float = BUDGET_S,
        max_reply_bytes: int = MAX_REPLY_BYTES,
    ) -> None:
        """Allow some codes from the start; see `allow`."""
        self._all: list[Violation] = []
        self._allowed: set[str] = set()
        self._budget_ms = budget_s * 1000
        self._max_reply_bytes = max_reply_bytes
        self._streaks: dict[int, _Streak] = {}
        self.allow(*allow)

    def allow(self, *codes: str) -> None:
        """Expect violations of these codes, those already found included.

        Raises ValueError for a code that does not exist.
        """
        for code in codes:
            if code not in CODES:
                hint = close_to(code, list(CODES))
                raise ValueError(
                    f"{code!r} is no code of a violation.{hint} Codes are {', '.join(CODES)}."
                )
        self._allowed.update(codes)

    @property
    def found(self) -> list[Violation]:
        """The violations nobody allowed, oldest first."""
        return [violation for violation in self._all if violation.code not in self._allowed]

    @property
    def errors(self) -> list[Violation]:
        """Those of `found` that are errors."""
        return [violation for violation in self.found if violation.severity == "error"]

    @property
    def allowed(self) -> list[Violation]:
        """The violations that were allowed, oldest first."""
        return [violation for violation in self._all if violation.code in self._allowed]

    @property
    def never_occurred(self) -> tuple[str, ...]:
        """The allowed codes that no turn violated, sorted."""
        return tuple(sorted(self._allowed - {violation.code for violation in self._all}))

    def feed(self, turn: Turn) -> list[Violation]:
        """Check one turn and return its violations that are not allowed."""
        final = turn.request.get("call_status") not in _LIVE
        findings = list(self._transport(turn, final=final))
        answered = turn.status == _OK and not turn.failure
        if answered and final:
            findings += _after_the_end(turn)
        elif answered:
            findings += self._content(turn)
        findings += self._loop(turn, findings)
        if final:
            self._streaks.pop(turn.call, None)
        new = [
            Violation(
                finding.code,
                turn.number,
                turn.call,
                finding.path,
                finding.sentence,
                CODES[finding.code],
                finding.expected,
            )
            for finding in findings
        ]
        self._all += new
        return [violation for violation in new if violation.code not in self._allowed]

    def _transport(self, turn: Turn, *, final: bool) -> Iterator[Finding]:
        budget_s, took_s = self._budget_ms / 1000, turn.ms / 1000
        within = f"a complete reply within {budget_s:g} s"
        if turn.status is None or turn.failure:
            if turn.ms >= self._budget_ms * _GAVE_UP:
                sentence = f"The app had not replied after {took_s:.1f} s."
                yield Finding("OVER_BUDGET", "$", sentence, within)
            else:
                why = turn.failure.rstrip(".") or "the connection ended without a reply"
                yield Finding("NO_REPLY", "$", f"The app did not reply: {why}.", within)
            return
        if turn.ms > self._budget_ms:
            sentence = f"The reply took {took_s:.1f} s; the bridge had given up on it."
            yield Finding("OVER_BUDGET", "$", sentence, within)
        elif turn.ms > self._budget_ms * _SLOW:
            sentence = f"The reply took {took_s:.1f} s of {budget_s:g} s."
            yield Finding("SLOW_REPLY", "$", sentence, within)
        if turn.status != _OK:
            hint = next((f": {words}" for codes, words in _HINTS if turn.status in codes), "")
            request = "the final request" if final else "the request"
            sentence = f"The app answered {request} with status {turn.status}{hint.rstrip('.')}"
            end = "" if sentence.endswith("?") else "."
            code = "HANGUP_NOT_200" if final else "NOT_200"
            yield Finding(code, "$", sentence + end + _beginning(turn.body), "status 200")

    def _content(self, turn: Turn) -> Iterator[Finding]:
        if len(turn.body) > self._max_reply_bytes:
            sentence = f"The reply has {len(turn.body)} bytes."
            yield Finding("TOO_LARGE", "$", sentence, f"at most {self._max_reply_bytes} bytes")
            return
        try:
            response = read_response(turn.body)
        except ReplyError as error:
            yield from _unreadable(turn, error)
            return
        yield from _misspelt_fields(turn.reply or {})
        try:
            command = newest(response.command)
        except CommandRefused:
            name = response.command
            sentence = (
                f"There is no command {shown(name)}.{close_to(name, _NAMES)}"
                if name
                else "The reply has no command."
            )
            yield Finding("UNKNOWN_COMMAND", "$.command", sentence, f"one of {', '.join(_NAMES)}")
            return
        yield from check_params(command, response.params)

    def _loop(self, turn: Turn, findings: list[Finding]) -> Iterator[Finding]:
        """Count how often a command failed in a row, whether in the reply or in the call."""
        streak = self._streaks.setdefault(turn.call, _Streak())
        before = streak.failures
        if streak.pending:
            failed = bool(turn.request.get("command_error"))
            streak.failures = streak.failures + 1 if failed else 0
        if before < LOOP == streak.failures:
            yield _repeated(streak.command)
        command = _command_of(turn)
        if command is None or command != streak.command:
            streak.command, streak.failures = command, 0
        refused = not _REFUSED.isdisjoint(finding.code for finding in findings)
        before = streak.failures
        streak.failures += refused
        streak.pending = command is not None and not refused
        if before < LOOP == streak.failures:
            yield _repeated(streak.command)


def violations(
    turns: Iterable[Turn],
    *,
    allow: Iterable[str] = (),
    budget_s: float = BUDGET_S,
    max_reply_bytes: int = MAX_REPLY_BYTES,
) -> list[Violation]:
    """Check all turns of a simulation and list the violations that are not allowed."""
    contract = Contract(allow=allow, budget_s=budget_s, max_reply_bytes=max_reply_bytes)
    return [violation for turn in turns for violation in contract.feed(turn)]


def _command_of(turn: Turn) -> str | None:
    """Give the command of a reply, "" when it has none; None when there is no usable reply."""
    if turn.status != _OK or turn.failure or turn.reply is None:
        return None
    command = turn.reply.get("command")
    return command.strip() if isinstance(command, str) else ""


def _after_the_end(turn: Turn) -> Iterator[Finding]:
    command = _command_of(turn)
    if command:
        sentence = f"The call is over, so the command {shown(command)} is ignored."
        yield Finding("ANSWERED_HANGUP", "$.command", sentence, "status 200, best with no body")


def _unreadable(turn: Turn, error: ReplyError) -> Iterator[Finding]:
    """Tell apart the ways in which a body is no RT.Response."""
    try:
        reply: Any = parsed(turn.body)
    except ValueError:
        sentence = f"{error.sentence}{_noise(turn.body)}{_beginning(turn.body)}"
        yield Finding("NOT_JSON", "$", sentence, "a JSON object and nothing else")
        return
    if not isinstance(reply, dict):
        sentence = f"{error.sentence}{_beginning(turn.body)}"
        yield Finding("NOT_AN_OBJECT", "$", sentence, 'an object with "command" and "params"')
        return
    wrong = [
        name
        for name in ("params", "variables")
        if not isinstance(reply.get(name), dict) and reply.get(name) not in (None, [])
    ]
    for name in wrong:
        sentence = f"{name} is {shown(reply[name])}."
        yield Finding(f"{name.upper()}_NOT_OBJECT", f"$.{name}", sentence, "an object, such as {}")
    if not wrong:
        yield Finding("INVALID_PARAMETER", "$.params", error.sentence, "less nesting")


def _misspelt_fields(reply: dict[str, Any]) -> Iterator[Finding]:
    for name in reply:
        missing = [field for field in _FIELDS if field not in reply]
        hint = close_to(name, missing) if name not in _FIELDS else ""
        if hint:
            sentence = f"RT.Response has no field {shown(name)}; it is ignored.{hint}"
            yield Finding("UNKNOWN_FIELD", f"$.{name}", sentence, f"one of {', '.join(_FIELDS)}")


def _repeated(command: str | None) -> Finding:
    sentence = f"The app sent {shown(command)} {LOOP} times in a row although it fails each time."
    return Finding("REPEATED_BAD_COMMAND", "$.command", sentence, "another command after an error")


def _noise(body: bytes) -> str:
    """Name what prints into replies, when it is known."""
    text = body[:20_000].decode("utf-8", "replace")
    php = _PHP.search(text)
    if php is not None:
        return (
            f" PHP prints a {php[1]} into the reply: switch display_errors off and log_errors on."
        )
    if "Traceback (most recent call last)" in text:
        return " It holds a Python traceback."
    if re.match(r"\s*<(?:!doctype|html)\b", text, re.IGNORECASE):
        return " It is an HTML page, perhaps an error page of the web server or framework."
    return ""


def _beginning(body: bytes) -> str:
    begins = excerpt(body)
    return f" It begins: {begins}" if begins else ""
