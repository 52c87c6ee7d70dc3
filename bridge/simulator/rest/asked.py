"""One REST request as its resource sees it: who is meant, and parameters that were checked.

Parameters of a GET are in its query, of a POST in a JSON body; a DELETE may have both, because the
pages say the query and the official SDKs send a body.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar
from urllib.parse import urlsplit

from bridge.simulator.leg import Method

if TYPE_CHECKING:
    from bridge.simulator.line import Line
    from bridge.simulator.rest.api import Api

_Chosen = TypeVar("_Chosen", bound=str)
_NUMBER: Final = re.compile(r"\+?[0-9]{3,15}|sip:\S+@\S+")


class Refused(Exception):  # noqa: N818 - an answer, not an accident
    """The request is answered with an error."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


@dataclass(frozen=True, slots=True)
class Reply:
    """What a request is answered with; api_id is added. None = no body."""

    status: int
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: the ids of its path, and its parameters by name.

    Every reader of a parameter raises Refused(400) with a sentence that names it.
    """

    api: Api
    method: str
    ids: Mapping[str, str]
    given: Mapping[str, Any]
    api_id: str

    def __contains__(self, name: str) -> bool:
        return name in self.given

    def bad(self, name: str, why: str) -> NoReturn:
        """Refuse a parameter. Raises Refused."""
        raise Refused(400, f"{name} {why}")

    def text(self, name: str, default: str = "") -> str:
        """Read text; numbers count as text, null as not given."""
        value = self.given.get(name)
        if value is None:
            return default
        if isinstance(value, bool | dict | list):
            self.bad(name, "must be a string")
        return str(value)

    def required(self, name: str) -> str:
        """Read text that must be there."""
        text = self.text(name)
        if not text:
            self.bad(name, "parameter not present; it is mandatory")
        return text

    def url(self, name: str, schemes: tuple[str, ...] = ("http", "https")) -> str:
        """Read a URL, or "" when there is none."""
        url = self.text(name)
        parts = urlsplit(url)
        if url and (parts.scheme not in schemes or not parts.hostname):
            self.bad(name, f"must be a URL with {' or '.join(schemes)}, not {url!r}")
        return url

    def required_url(self, name: str, schemes: tuple[str, ...] = ("http", "https")) -> str:
        """Read a URL that must be there."""
        self.required(name)
        return self.url(name, schemes)

    def http_method(self, name: str) -> Method:
        """Read GET or POST, which is the default."""
        given = self.text(name, "POST").upper()
        return "GET" if self.one_of(name, given, ("GET", "POST")) == "GET" else "POST"

    def choice(self, name: str, choices: tuple[_Chosen, ...]) -> _Chosen:
        """Read one of these words; the first is the default."""
        return self.one_of(name, self.text(name, choices[0]), choices)

    def one_of(self, name: str, given: str, choices: tuple[_Chosen, ...]) -> _Chosen:
        """Take a word that must be one of these."""
        found = next((choice for choice in choices if choice == given), None)
        if found is None:
            words = ", ".join(filter(None, choices))
            self.bad(name, f"must be one of {words}, not {given!r}")
        return found

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        """Read a whole number."""
        given = self.text(name, str(default))
        if not re.fullmatch(r"-?[0-9]{1,18}", given) or not least <= int(given) <= most:
            self.bad(name, f"must be a whole number from {least} to {most}, not {given!r}")
        return int(given)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Read a boolean, as such or as text."""
        value = self.given.get(name)
        words = {"true": True, "false": False, "none": default, "": default}
        found = words.get(str(value).lower())
        if found is None:
            self.bad(name, f"must be true or false, not {value!r}")
        return found

    def phone(self, name: str) -> str:
        """Read a number or SIP address that must be there; without a plus."""
        return plain_number(name, self.required(name), self.bad)

    def line(self) -> Line:
        """Find the call the path names: it rings or was answered. Raises Refused(404)."""
        found = self.api.plivo.calls.get(self.ids["call_uuid"])
        if found is None or found.leg.status == "queued":
            raise Refused(404, "call not found")
        return found


def plain_number(name: str, given: str, bad: Callable[[str, str], NoReturn]) -> str:
    """Check a number or SIP address; give it without a plus."""
    if not _NUMBER.fullmatch(given):
        bad(name, f"must be a number with its country code or a SIP address, not {given!r}")
    return given.removeprefix("+")


@dataclass(frozen=True, slots=True)
class Route:
    """What is done for a method and path; `{…}` in a path is an id, `name` the last word of it.

    `own_callback` = callback_url is a parameter of the resource, and does not make the request
    asynchronous.
    """

    method: str
    path: str
    handler: Callable[[Asked], Reply]
    own_callback: bool = False

    @property
    def name(self) -> str:
        """Give the last word of the path that is no id: what faults call the request."""
        return [part for part in self.path.split("/") if part and not part.startswith("{")][-1]

    def match(self, parts: list[str]) -> dict[str, str] | None:
        """Give the ids when the path is of this route; `parts` = the path split at slashes."""
        mine = self.path.strip("/").split("/")
        if len(mine) != len(parts) or not all(parts):
            return None
        ids = {}
        for expected, part in zip(mine, parts, strict=True):
            if expected.startswith("{"):
                ids[expected.strip("{}")] = part
            elif expected != part:
                return None
        return ids


__all__ = ["Asked", "Refused", "Reply", "Route", "plain_number"]
