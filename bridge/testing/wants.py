"""What can be expected of a call: which timeline entries are about it, and which of them fit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from bridge.simulator.timeline import Entry, Kind

Wanted = str | re.Pattern[str]

#: HangupSource as a test says it.
SOURCES: Final = {
    "caller": "Caller",
    "callee": "Callee",
    "app": "Answer XML",
    "api": "API Request",
    "plivo": "Plivo",
    "carrier": "Carrier",
    "error": "Error",
}
#: What a dialled party can be.
State = Literal[
    "ringing",
    "answered",
    "connected",
    "busy",
    "no-answer",
    "rejected",
    "failed",
    "cancelled",
    "ended",
]
STATES: Final[tuple[str, ...]] = get_args(State)
#: w and W wait half a second and a second (Plivo XML reference, DTMF).
_NO_PAUSES: Final = str.maketrans("", "", "wW")


@dataclass(frozen=True, slots=True)
class Want:
    """One expectation.

    `name` is the kind of expectation (each has its own place in the timeline), `sentence` says
    what is wanted. `about` gives the comparable text of an entry, or None when it is about
    something else; `fits` decides. `late` = it may still come after the call is over.
    """

    name: str
    sentence: str
    wanted: str
    kinds: tuple[Kind, ...]
    about: Callable[[Entry], str | None]
    fits: Callable[[Entry], bool]
    late: bool = False


def prompt(text: Wanted) -> Want:
    """Want a text to be spoken: part of it, or a pattern found in it."""
    return _heard("prompt", "a prompt with", text, "Speak", "text")


def played(url: Wanted) -> Want:
    """Want a file to be played."""
    return _heard("played", "a file to be played with", url, "Play", "url")


def tones(digits: Wanted) -> Want:
    """Want tones to be sent to the caller; pauses between them are not heard."""
    wanted = _without_pauses(digits) if isinstance(digits, str) else digits
    return _heard("tones", "the tones", wanted, "DTMF", "tones", audible=_without_pauses)


def _without_pauses(tones: str) -> str:
    return tones.translate(_NO_PAUSES)


def _heard(
    name: str,
    words: str,
    wanted: Wanted,
    element: str,
    key: str,
    *,
    audible: Callable[[str], str] = str,
) -> Want:
    def about(entry: Entry) -> str | None:
        if entry.data.get("element") != element:
            return None
        return audible(str(entry.data.get(key)))

    def fits(entry: Entry) -> bool:
        text = about(entry)
        return text is not None and _contains(text, wanted)

    return Want(name, f"{words} {shown(wanted)}", _plain(wanted), ("hears",), about, fits)


def listening() -> Want:
    """Want the call to wait for keys or speech."""
    return _accepts("listening", "the call to wait for keys or speech", {"keys", "speech"})


def recording() -> Want:
    """Want a recording to begin, of what the caller says or of the whole call."""

    def fits(entry: Entry) -> bool:
        if entry.kind == "records":
            return float(entry.data.get("seconds", 0)) < 0
        return "recording" in entry.data.get("accepts", ())

    return Want(
        "recording",
        "a recording to begin",
        "",
        ("listens", "records"),
        lambda entry: entry.text,
        fits,
    )


def _accepts(name: str, sentence: str, accepted: set[str]) -> Want:
    def fits(entry: Entry) -> bool:
        return bool(accepted & set(entry.data.get("accepts", ())))

    return Want(name, sentence, "", ("listens",), lambda entry: entry.text, fits)


def dialled(number: str, caller_id: str | None) -> Want:
    """Want a number to be dialled, showing this number to the party."""
    plain = number.removeprefix("+")
    showing = f" showing {caller_id}" if caller_id is not None else ""

    def about(entry: Entry) -> str:
        shows = f" showing {entry.data.get('caller_id')}" if caller_id is not None else ""
        return f"{entry.data.get('number')}{shows}"

    def fits(entry: Entry) -> bool:
        shows = str(entry.data.get("caller_id", "")).removeprefix("+")
        right = caller_id is None or shows == caller_id.removeprefix("+")
        return str(entry.data.get("number", "")).removeprefix("+") == plain and right

    return Want(
        "dialled", f"{number} to be dialled{showing}", f"{plain}{showing}", ("dials",), about, fits
    )


def leg(number: int, state: str) -> Want:
    """Want a dialled party to be in a state. Raises ValueError for a state that there is not."""
    if state not in STATES:
        raise ValueError(f"A party is {', '.join(STATES)}; it is never {state}.")

    def about(entry: Entry) -> str | None:
        return str(entry.data.get("state")) if entry.data.get("leg") == number else None

    return Want(
        f"leg {number}",
        f"party {number} to be {state}",
        state,
        ("leg",),
        about,
        lambda entry: about(entry) == state,
    )


def room(members: int | None) -> Want:
    """Want the caller to enter a conference, which then has so many members."""
    many = "" if members is None else f" as one of {members}"

    def about(entry: Entry) -> str | None:
        return str(entry.data.get("members")) if entry.data.get("action") == "enter" else None

    def fits(entry: Entry) -> bool:
        count = about(entry)
        return count is not None and (members is None or count == str(members))

    return Want(
        "room", f"the caller to enter a conference{many}", str(members), ("room",), about, fits
    )


def command(name: str, params: Mapping[str, Any]) -> Want:
    """Want the app to send a command with at least these params; "3" and 3 are the same."""

    def about(entry: Entry) -> str | None:
        reply = entry.data.get("reply")
        if not reply or not reply.get("command"):
            return None
        sent = reply.get("params") or {}
        chosen = {key: sent.get(key) for key in params} if reply["command"] == name else sent
        return f"{reply['command']}\n{_lines(chosen)}"

    def fits(entry: Entry) -> bool:
        reply = entry.data.get("reply") or {}
        return reply.get("command") == name and includes(reply.get("params") or {}, params)

    wanted = f"{name}\n{_lines(params)}"
    return Want("command", f"the command {name}", wanted, ("app",), about, fits, late=True)


def result(value: Any) -> Want:
    """Want the app to be told this result of a command."""

    def about(entry: Entry) -> str | None:
        request = entry.data.get("request", {})
        return str(request.get("command_result")) if request.get("command") else None

    return Want(
        "result",
        f"the result {value!r}",
        str(value),
        ("app",),
        about,
        lambda entry: about(entry) == str(value),
        late=True,
    )


def error(code: str) -> Want:
    """Want the app to be told a command error with this code."""

    def about(entry: Entry) -> str | None:
        return entry.data.get("request", {}).get("command_error") or None

    def fits(entry: Entry) -> bool:
        text = about(entry)
        return text is not None and (text == code or text.startswith(f"{code}:"))

    return Want("error", f"the command error {code}", code, ("app",), about, fits, late=True)


def variables(values: Mapping[str, Any]) -> Want:
    """Want the app to set at least these variables."""

    def about(entry: Entry) -> str | None:
        reply = entry.data.get("reply")
        return None if reply is None else _lines(reply.get("variables") or {})

    def fits(entry: Entry) -> bool:
        reply = entry.data.get("reply")
        return reply is not None and includes(reply.get("variables") or {}, values, exact=True)

    return Want(
        "variables",
        f"the variables {_one_line(values)}",
        _lines(values),
        ("app",),
        about,
        fits,
        late=True,
    )


def rest(method: str, path_part: str) -> Want:
    """Want a request to Plivo's REST API."""

    def about(entry: Entry) -> str:
        return f"{entry.data.get('method')} {entry.data.get('path')}"

    def fits(entry: Entry) -> bool:
        return entry.data.get("method") == method.upper() and path_part in str(
            entry.data.get("path")
        )

    return Want(
        "rest",
        f"the REST request {method} …{path_part}…",
        f"{method} {path_part}",
        ("rest",),
        about,
        fits,
        late=True,
    )


def ended(by: str | None, code: int | str | None) -> Want:
    """Want the call to end, by somebody, with a hangup cause code. Raises ValueError."""
    if by is not None and by not in SOURCES:
        raise ValueError(f"A call is ended by one of {', '.join(SOURCES)}, not by {by}.")

    def about(entry: Entry) -> str | None:
        if entry.leg:
            return None
        return f"by {entry.data.get('source')}, code {entry.data.get('code')}"

    def fits(entry: Entry) -> bool:
        right_code = code is None or str(entry.data.get("code")) == str(code)
        right_source = by is None or entry.data.get("source") == SOURCES[by]
        return entry.leg == 0 and right_code and right_source

    how = (f" by {by}" if by else "") + (f" with code {code}" if code is not None else "")
    return Want("ended", f"the call to be ended{how}", how.strip(), ("ends",), about, fits)


def includes(found: Any, wanted: Any, *, exact: bool = False) -> bool:
    """Say whether `found` has everything of `wanted`; unless exact, scalars compare as text."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return all(
            key in found and includes(found[key], value, exact=exact)
            for key, value in wanted.items()
        )
    if isinstance(wanted, re.Pattern):
        return wanted.search(str(found)) is not None
    if isinstance(wanted, list | tuple) and isinstance(found, list | tuple):
        return len(found) == len(wanted) and all(
            includes(one, other, exact=exact) for one, other in zip(found, wanted, strict=True)
        )
    return bool(found == wanted) or (not exact and str(found) == str(wanted))


def shown(wanted: Wanted) -> str:
    """Show a text or a pattern in a sentence."""
    return f"/{wanted.pattern}/" if isinstance(wanted, re.Pattern) else f"“{wanted}”"


def _plain(wanted: Wanted) -> str:
    return wanted.pattern if isinstance(wanted, re.Pattern) else wanted


def _contains(text: str, wanted: Wanted) -> bool:
    if isinstance(wanted, re.Pattern):
        return wanted.search(text) is not None
    # White space in a prompt is not heard.
    return " ".join(wanted.split()) in " ".join(text.split())


def _lines(values: Any) -> str:
    if not isinstance(values, Mapping):
        return str(values)
    return "\n".join(f"{key}: {_scalar(value)}" for key, value in sorted(values.items()))


def _one_line(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={_scalar(value)}" for key, value in values.items())


def _scalar(value: Any) -> str:
    if isinstance(value, re.Pattern):
        return f"/{value.pattern}/"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


__all__ = [
    "SOURCES",
    "STATES",
    "State",
    "Want",
    "Wanted",
    "command",
    "dialled",
    "ended",
    "error",
    "includes",
    "leg",
    "listening",
    "played",
    "prompt",
    "recording",
    "rest",
    "result",
    "room",
    "shown",
    "tones",
    "variables",
]
