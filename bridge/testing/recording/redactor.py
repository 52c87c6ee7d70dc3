"""What of a turn is masked, by where it stands and by what it looks like.

| level | masked |
|---|---|
| none | nothing |
| numbers | telephone numbers in fields, texts and variables; the caller's name; secrets by name; logins in URLs |
| all | as numbers, and keys pressed (two or more), PINs, tones, what the caller said, and seven or more digits in any text |

A single key stays: it is a choice of a menu, and says nothing without the menu. Texts an app has
spoken stay, except that values masked elsewhere are masked there too ("You are 42.").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final

from bridge.redaction import mask_url
from bridge.testing.recording.format import Header, RecordedTurn, Recording
from bridge.testing.recording.masks import HIDDEN, LEVELS, Level, Masks

__all__ = ["Redactor", "is_named_number", "number_spans", "redact_recording"]

_USERINFO: Final = re.compile(r"(?<=://)[^/\s@?#'\"]+@")
# A lone separator at most between two digits; dates and times have other shapes.
_NUMBER: Final = (
    r"(?:\+|%2[Bb])[1-9](?:[ .()/-]{0,2}[0-9]){6,14}(?![0-9])"
    r"|(?<![\w.+-])0[0-9](?:[ .-]?[0-9]){7,14}(?![\w])"
    r"|(?<![\w.+-])\(?[2-9][0-9]{2}\)?[ .-][0-9]{3}[ .-][0-9]{4}(?![\w])"
    r"|(?<![\w.+-])[1-9][0-9]{9,14}(?![\w-]|\.[0-9])"
)
_MANY_DIGITS: Final = r"(?<![\w.+-])[0-9](?: ?[0-9]){6,24}(?![\w-]|\.[0-9])"
_SPELT: Final = r"(?<![\w])[0-9](?:[ .,-]{1,2}[0-9](?![0-9]))+(?![\w])"
_RUN: Final = r"(?<![A-Za-z_0-9])[0-9]{2,}(?![A-Za-z_0-9])"
_FOUND: Final = {
    "numbers": re.compile(f"(?P<sure>{_NUMBER})|(?P<perhaps>{_SPELT}|{_RUN})"),
    "all": re.compile(f"(?P<sure>{_NUMBER}|{_MANY_DIGITS})|(?P<perhaps>{_SPELT}|{_RUN})"),
}
_SECRET_WORDS: Final = frozenset(
    {"auth", "authorization", "cookie", "passwd", "password", "secret", "token"}
)
_DIGIT_WORDS: Final = frozenset({"digit", "digits", "dtmf", "keys", "pin"})
_NUMBER_WORDS: Final = frozenset({"ani", "callerid", "cli", "did", "mobile", "msisdn", "phone"})
_WORD: Final = re.compile("[a-z]+")
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ONLY_DIGITS: Final = re.compile(r"[0-9]{1,9}")
_NUMBER_FIELDS: Final = frozenset({"cli", "cli_number", "number"})
_TONE_PARAMS: Final = frozenset({"digit", "digits"})
_SHORTEST_NAME: Final = 3


def number_spans(text: str, level: Level) -> list[tuple[int, int]]:
    """Say where a text holds what this level masks wherever it stands."""
    if level == "none":
        return []
    return [match.span() for match in _FOUND[level].finditer(text) if match["sure"]]


def is_named_number(name: str) -> bool:
    """Tell whether the value of a param or variable of this name is masked for its name."""
    words = _words(name)
    return name in _NUMBER_FIELDS | _TONE_PARAMS or bool(words & (_DIGIT_WORDS | _NUMBER_WORDS))


class Redactor:
    """Masks the turns of one recording; `key` and `keep` are those of Masks."""

    def __init__(
        self, level: Level = "all", *, key: bytes | None = None, keep: Iterable[str] = ()
    ) -> None:
        self.level = level
        self.kept = tuple(keep)
        self._masks = Masks(key, self.kept)
        self._names: dict[str, str] = {}

    def turns(self, turns: Sequence[RecordedTurn]) -> list[RecordedTurn]:
        """Mask turns; what any of them shows to be secret is masked in all of them."""
        if self.level == "none":
            return list(turns)
        for turn in turns:
            self._learn(turn)
        return [self._turn(turn) for turn in turns]

    def _learn(self, turn: RecordedTurn) -> None:
        for field in ("cli_number", "number"):
            self._number(turn.request.get(field))
        name = turn.request.get("cli_name")
        if isinstance(name, str) and name.strip():
            self._names[name] = self._masks.name(name)
        self._result(turn.request)
        for entry in (*turn.caller, *turn.after):
            for field in ("number", "caller_id"):
                self._number(entry.get(field))
        self._params((turn.reply or {}).get("params"))
        if self.level == "all":
            self._heard_and_done(turn)

    def _turn(self, turn: RecordedTurn) -> RecordedTurn:
        reply = turn.reply
        if reply is not None:
            reply = self._members(reply, {"params": self._params, "variables": self._variables})
        done = self._heard_and_done(turn)
        masked = {
            "request": self._request(turn.request),
            "reply": reply,
            "body": None if turn.body is None else self._text(turn.body),
            "failure": self._text(turn.failure),
            "caller": done[: len(turn.caller)],
            "after": done[len(turn.caller) :],
        }
        return turn.model_copy(update=masked)

    def _request(self, request: dict[str, Any]) -> dict[str, Any]:
        unchanged: Callable[[Any], Any] = _same
        rules = {
            "app": unchanged,
            "callid": unchanged,
            "request_hash": unchanged,
            "date_started": unchanged,
            "cli_name": self._name,
            "cli_number": self._number,
            "number": self._number,
            "command_result": lambda _: self._result(request),
            "variables": self._variables,
        }
        return self._members(request, rules)

    def _members(
        self, members: dict[str, Any], rules: dict[str, Callable[[Any], Any]]
    ) -> dict[str, Any]:
        return {
            name: rules.get(name, partial(self._any, name))(value)
            for name, value in members.items()
        }

    def _name(self, value: Any) -> Any:
        return self._names.get(value, value) if isinstance(value, str) else value

    def _number(self, value: Any) -> Any:
        match value:
            case str():
                return self._masks.number(value)
            case bool():
                return value
            case int():
                return int(self._masks.number(str(value)))
            case _:
                return self._any("", value)

    def _keys(self, value: Any, least: int = 2) -> Any:
        """Mask keys if there are at least so many; the level decides whether keys are masked."""
        text = str(value)
        if self.level != "all" or isinstance(value, bool | float | list | dict | None):
            return self._any("", value)
        if sum(character.isdigit() for character in text) < least:
            return value
        masked = self._masks.digits(text)
        return masked if isinstance(value, str) else int(masked)

    def _result(self, request: dict[str, Any]) -> Any:
        value = request.get("command_result")
        return self._keys(value) if request.get("command") == "read" else self._param("", value)

    def _params(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._param(name, item) for name, item in value.items()}
        return [self._params(item) for item in value] if isinstance(value, list) else value

    def _param(self, name: str, value: Any) -> Any:
        if name in _NUMBER_FIELDS:
            return self._number(value)
        if name == "pin_code":
            return self._keys(value, least=1)
        if name in _TONE_PARAMS:
            return self._keys(value)
        match value:
            # Digits alone are a setting or an id; audio is no text, and looks like anything.
            case str() if name == "audio_data" or _ONLY_DIGITS.fullmatch(value):
                return value
            case str():
                return self._text(value)
            case dict() | list():
                return self._params(value)
            case _:
                return value

    def _variables(self, value: Any) -> Any:
        return self._any("variables", value)

    def _any(self, name: str, value: Any) -> Any:
        """Mask by the name a value bears, and inside texts."""
        words = _words(name)
        match value:
            case str() if words & _SECRET_WORDS:
                return HIDDEN if value else value
            case str() | int() if words & _DIGIT_WORDS and not isinstance(value, bool):
                return self._keys(value, least=1) if self.level == "all" else self._any("", value)
            case str() | int() if words & _NUMBER_WORDS and not isinstance(value, bool):
                return self._number(self._renamed(value) if isinstance(value, str) else value)
            case str():
                return self._text(value)
            case bool() | float() | None:
                return value
            case int():
                # As text it would be masked, so it is masked as a number.
                return (
                    int(text) if (text := self._text(str(value))).lstrip("-").isdigit() else value
                )
            case list():
                return [self._any(name, item) for item in value]
            case dict():
                return {self._text(key): self._any(key, item) for key, item in value.items()}
            case _:
                return value

    def _text(self, text: str) -> str:
        text = self._renamed(text)
        if self.level != "none":
            text = _FOUND[self.level].sub(self._found, text)
        return _USERINFO.sub("", text) if "@" in text else text

    def _renamed(self, text: str) -> str:
        for name, mask in self._names.items():
            if len(name) >= _SHORTEST_NAME:
                text = text.replace(name, mask)
        return text

    def _found(self, match: re.Match[str]) -> str:
        text = match.group()
        if match["sure"]:
            return self._masks.number(text)
        compact = "".join(filter(str.isdigit, text))
        return self._masks.digits(text) if self._masks.known(compact) else text

    def _heard_and_done(self, turn: RecordedTurn) -> tuple[dict[str, Any], ...]:
        entries = [dict(entry) for entry in (*turn.caller, *turn.after)]
        for leg in {entry.get("leg", 0) for entry in entries}:
            self._mask_pressed([entry for entry in entries if entry.get("leg", 0) == leg])
        return tuple(self._entry(entry) for entry in entries)

    def _mask_pressed(self, entries: list[dict[str, Any]]) -> None:
        """Mask what one party pressed, key by key or at once, as the input it was."""
        if self.level != "all":
            return
        digits = [key for entry in entries for key in str(entry.get("keys", "")) if key.isdigit()]
        known = self._masks.known("".join(digits))
        if len(digits) < 2 and known is None:  # noqa: PLR2004 -- a single key is a choice
            return
        for group in _inputs(entries):
            keys = "".join(str(entry["keys"]) for entry in group)
            masked = "".join(
                self._masks.digits(part) for part in re.split("([^0-9]+)", keys) if part
            )
            for entry in group:
                length = len(str(entry["keys"]))
                entry["keys"], masked = masked[:length], masked[length:]

    def _entry(self, entry: dict[str, Any]) -> dict[str, Any]:
        for field in ("number", "caller_id"):
            if field in entry:
                entry[field] = self._number(entry[field])
        if "url" in entry:
            entry["url"] = mask_url(str(entry["url"]))
        if "tones" in entry:
            entry["tones"] = self._keys(entry["tones"])
        if "room" in entry:
            entry["room"] = self._text(str(entry["room"]))
        if "text" in entry:
            said = entry["kind"] == "does" and self.level == "all"
            entry["text"] = "[speech]" if said else self._text(str(entry["text"]))
        return entry


def redact_recording(recording: Recording, redactor: Redactor) -> Recording:
    """Mask a recording that was made with a weaker level; the stronger of both is kept."""
    if recording.header.redact != "none" and redactor.level == "none":
        return recording
    level = max(recording.header.redact, redactor.level, key=LEVELS.index)
    header = Header(redact=level, bridge=recording.header.bridge, kept=redactor.kept)
    return Recording(header, tuple(redactor.turns(recording.turns)))


def _inputs(entries: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Group presses into inputs: `#`, `*` or something heard in between ends one."""
    group: list[dict[str, Any]] = []
    for entry in entries:
        if "keys" in entry:
            group.append(entry)
        ended = (
            str(entry["keys"])[-1:] in {"#", "*"} if "keys" in entry else entry["kind"] == "hears"
        )
        if ended and group:
            yield group
            group = []
    if group:
        yield group


def _words(name: str) -> set[str]:
    return set(_WORD.findall(_HUMP.sub("_", name).lower()))


def _same(value: Any) -> Any:
    return value
