"""Where setting values come from: the environment, one TOML file, and files that hold secrets.

This module knows names and places, never what a value means; `bridge.settings` checks values.
Every fault becomes a sentence and reading goes on, so that one start reports all of them.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = [
    "CONFIG_VARIABLE",
    "PREFIX",
    "Gathered",
    "Layout",
    "Place",
    "Value",
    "gather",
    "variable",
]

PREFIX = "BRIDGE_"
CONFIG_VARIABLE = "BRIDGE_CONFIG"
_FILE_SUFFIX = "_file"
_SECRET_FILE_LIMIT = 65_536
_APP_HASH = "BRIDGE_APP_HASH"
_DEFAULT_APP_HASH = "DEFAULT"

# Kubernetes sets these for every Service whose name starts with "bridge": nobody wrote them.
_SERVICE_LINK = re.compile(
    r"BRIDGE_(?:[A-Z0-9_]+_)?"
    r"(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_[A-Z]+)?)"
)
_SERVICE_LINK_URL = re.compile(r"(?:tcp|udp|sctp)://")

Place = tuple[str, ...]
"""Place of one value: ("listen",), ("apps", "SHOP", "url"), ("media", "library", "12")."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The names that exist.

    `flat` maps a key (the variable without BRIDGE_, lower case) to its place; the app shorthand
    has the place ("app", field). `tables` maps a TOML table to its fields, None when its keys are
    free; `secrets` holds the keys, and the fields of apps, that may be given as a file.
    """

    flat: Mapping[str, Place]
    tables: Mapping[str, frozenset[str] | None]
    secrets: frozenset[str]


@dataclass(frozen=True, slots=True)
class Value:
    """A value as given, what the person called it, and where it was found."""

    raw: Any
    label: str
    origin: str


@dataclass(slots=True)
class Gathered:
    """Everything found. `broken` are places whose value exists but could not be read."""

    values: dict[Place, Value] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    broken: set[Place] = field(default_factory=set)
    app_hash: str = _DEFAULT_APP_HASH
    app_hash_label: str = _APP_HASH

    def put(self, place: Place, value: Value) -> None:
        """Add a value, replacing one of a weaker source."""
        self.broken.discard(place)
        self.values[place] = value

    def fail(self, place: Place, problem: str) -> None:
        """Record that the value of a place could not be read."""
        self.problems.append(problem)
        self.values.pop(place, None)
        self.broken.add(place)

    def nested(self) -> dict[str, Any]:
        """Build the nested dictionary the model is made from."""
        root: dict[str, Any] = {}
        for place, value in self.values.items():
            table = root
            for step in place[:-1]:
                table = table.setdefault(step, {})
            table[place[-1]] = value.raw
        return root


def gather(environ: Mapping[str, str], layout: Layout) -> Gathered:
    """Read every source: the TOML file named by BRIDGE_CONFIG first, then the environment."""
    found = Gathered()
    document: dict[str, Any] = {}
    config = environ.get(CONFIG_VARIABLE, "")
    if config:
        document = _read_toml(config, found)
    # The hash is needed first: every other value of the app shorthand belongs to it.
    in_file, in_environment = document.pop("app_hash", None), environ.get(_APP_HASH)
    if in_environment:
        found.app_hash = in_environment.strip()
    elif isinstance(in_file, str):
        found.app_hash, found.app_hash_label = in_file, f"{_APP_HASH} (app_hash in {config})"
    elif in_file is not None:
        found.problems.append(f"app_hash in {config} must be text in quotes.")
    _Document(config, layout, found).add(document)
    _add_environment(environ, layout, found)
    return found


def _suggest(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence about a name that does not exist."""
    # The prefix is common to all variables and would make every name look alike.
    bare = {one.removeprefix(PREFIX): one for one in known}
    close = difflib.get_close_matches(name.removeprefix(PREFIX), list(bare), n=1)
    return f"did you mean {bare[close[0]]}?" if close else "remove it, or see docs/settings.md."


def _read_toml(name: str, found: Gathered) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        found.problems.append(
            f"{CONFIG_VARIABLE} names {name}, which cannot be read ({error.strerror}); "
            "give the path of a readable TOML file."
        )
    except UnicodeDecodeError:
        found.problems.append(
            f"{CONFIG_VARIABLE} names {name}, which is not UTF-8 text; save it so."
        )
    except tomllib.TOMLDecodeError as error:
        found.problems.append(
            f"{CONFIG_VARIABLE} names {name}, which is not valid TOML ({error}); correct it there."
        )
    return {}


def _add_environment(environ: Mapping[str, str], layout: Layout, found: Gathered) -> None:
    known = {variable(key) for key in layout.flat}
    known |= {variable(key + _FILE_SUFFIX) for key in layout.flat if key in layout.secrets}
    # Compose files and unit files often pass an empty variable on: it means "not set".
    given = {
        name: value
        for name, value in environ.items()
        if name.startswith(PREFIX) and value and name not in {CONFIG_VARIABLE, _APP_HASH}
    }
    for name in sorted(given):
        key = name.removeprefix(PREFIX).lower()
        if name in known:
            continue
        if key in layout.tables:
            found.problems.append(
                f"{name} cannot be given in the environment; write the table [{key}] in the TOML "
                f"file named by {CONFIG_VARIABLE}."
            )
        elif not _is_service_link(name, given[name]):
            end = _suggest(name, known | {CONFIG_VARIABLE, _APP_HASH})
            found.problems.append(f"{name} is not a setting; {end}")
    for key, place in layout.flat.items():
        name = variable(key)
        where = _resolve(place, found)
        direct, file = given.get(name), None
        if key in layout.secrets:
            file = given.get(name + "_FILE")
        if direct is not None and file is not None:
            found.fail(where, f"{name} and {name}_FILE are both set; keep one of them.")
        elif file is not None:
            _put_file(found, where, file, f"{name}_FILE")
        elif direct is not None:
            text = direct if key in layout.secrets else direct.strip()
            found.put(where, Value(text, name, f"environment {name}"))


def _is_service_link(name: str, value: str) -> bool:
    if _SERVICE_LINK.fullmatch(name):
        return True
    return name.endswith("_PORT") and _SERVICE_LINK_URL.match(value) is not None


@dataclass(frozen=True, slots=True)
class _Document:
    """A parsed TOML file on its way into `found`."""

    name: str
    layout: Layout
    found: Gathered

    def add(self, content: Mapping[str, Any]) -> None:
        tables = self.layout.tables
        for key, raw in content.items():
            if key in tables and isinstance(raw, dict):
                self._add_table(key, raw)
            elif key in tables:
                self.found.fail((key,), f"{key} in {self.name} must be a table; write [{key}].")
        self._add_flat({key: raw for key, raw in content.items() if key not in tables})

    def _add_flat(self, content: Mapping[str, Any]) -> None:
        taken = set(self.found.values) | self.found.broken
        for key, raw, is_file in self._entries(content, self.layout.flat, ""):
            place = _resolve(self.layout.flat[key], self.found)
            name = key + _FILE_SUFFIX if is_file else key
            if place in taken:
                both = f"{name} and {'.'.join(place)} in {self.name}"
                self.found.fail(place, f"{both} set the same value; keep one of them.")
            else:
                self._put(place, raw, f"{variable(name)} ({name} in {self.name})", is_file=is_file)

    def _add_table(self, table: str, content: Mapping[str, Any]) -> None:
        fields = self.layout.tables[table]
        if table != "apps":
            self._add_fields((table,), content, fields)
            return
        for app_hash, app in content.items():
            if isinstance(app, dict):
                self._add_fields((table, app_hash), app, fields)
            else:
                name = f"apps.{app_hash}"
                problem = f"{name} in {self.name} must be a table; write [{name}]."
                self.found.fail((table, app_hash), problem)

    def _add_fields(
        self, base: Place, content: Mapping[str, Any], fields: frozenset[str] | None
    ) -> None:
        prefix = ".".join(base) + "."
        names = frozenset(content) if fields is None else fields
        for key, raw, is_file in self._entries(content, names, prefix):
            name = prefix + key + (_FILE_SUFFIX if is_file else "")
            inner = raw if isinstance(raw, dict) else {}
            for last, value in inner.items():
                self._put((*base, key, last), value, f"{name}.{last} in {self.name}")
            if raw != {} and not inner:
                self._put((*base, key), raw, f"{name} in {self.name}", is_file=is_file)

    def _put(self, place: Place, raw: Any, label: str, *, is_file: bool = False) -> None:
        if is_file:
            _put_file(self.found, place, raw, label)
        else:
            self.found.put(place, Value(raw, label, f"{self.name} {'.'.join(place)}"))

    def _entries(
        self, content: Mapping[str, Any], names: Iterable[str], prefix: str
    ) -> Iterator[tuple[str, Any, bool]]:
        """Yield (key, value, value names a file); report names that do not exist."""
        known = set(names)
        files = {key + _FILE_SUFFIX: key for key in known & self.layout.secrets}
        for key, raw in content.items():
            if key in known:
                yield key, raw, False
            elif key in files and files[key] in content:
                both = f"{prefix}{files[key]} and {prefix}{key} in {self.name}"
                self.found.problems.append(f"{both} are both set; keep one of them.")
            elif key in files:
                yield files[key], raw, True
            else:
                end = _suggest(key, known | set(files))
                self.found.problems.append(f"{prefix}{key} in {self.name} is not a setting; {end}")


def _put_file(found: Gathered, place: Place, name: Any, label: str) -> None:
    if not isinstance(name, str):
        found.fail(place, f"{label} must be the path of a file, in quotes.")
        return
    # Somebody may have put the secret itself here, so only what looks like a path is repeated.
    shown = name if name.startswith(("/", "./", "../")) else "a file"
    try:
        with Path(name).open("rb") as file:
            content = file.read(_SECRET_FILE_LIMIT + 1)
        text = content.decode("utf-8").rstrip("\r\n")
    except OSError as error:
        found.fail(
            place,
            f"{label} names {shown}, which cannot be read ({error.strerror}); "
            "give the path of a readable file that holds the secret.",
        )
    except (UnicodeDecodeError, ValueError):
        found.fail(place, f"{label} names {shown}, which is not a UTF-8 text file; correct it.")
    else:
        if not text or len(content) > _SECRET_FILE_LIMIT:
            found.fail(
                place,
                f"{label} names {shown}, which is empty or larger than 64 KiB; "
                "write the secret alone into it.",
            )
        else:
            found.put(place, Value(text, label, f"file {name} ({label})"))


def _resolve(place: Place, found: Gathered) -> Place:
    return ("apps", found.app_hash, *place[1:]) if place[0] == "app" else place


def variable(key: str) -> str:
    """Return the environment variable of a key: `listen` is BRIDGE_LISTEN."""
    return PREFIX + key.upper()
