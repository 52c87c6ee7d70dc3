"""Read the settings once at start: environment, then TOML file, then defaults.

`load_settings` checks everything as a whole and reports every fault at once, one sentence each.
The origin of each value is kept, so that `rt-bridge config` can tell where it came from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from bridge.errors import SettingsError
from bridge.redaction import mask_number, mask_url
from bridge.settings_model import AppSettings, Conflict, MediaSettings, Settings
from bridge.settings_sources import Gathered, Layout, Place, gather, variable
from bridge.settings_types import Listen, is_loopback_host

__all__ = [
    "AppSettings",
    "Listen",
    "Loaded",
    "MediaSettings",
    "Row",
    "Settings",
    "describe",
    "layout",
    "load_settings",
    "warnings",
]

_TABLES: Final = frozenset({"apps", "media", "voices"})
_KEY_OF_FIELD: Final = {"plivo_auth_tokens": "plivo_auth_token"}
_SECRETS: Final = frozenset(
    {
        "plivo_auth_token",
        "admin_token",
        "store_key",
        "rpc_password",
        "rpc_api_keys",
        "app_password",
        "password",
        "app_transcript_secret",
        "transcript_secret",
    }
)
_NUMBERS: Final = frozenset({"blocked_caller_id", "numbers"})
_LONGEST_SHOWN: Final = 80
_MASK: Final = "********"
_SHORT_PASSWORD: Final = 16


@dataclass(frozen=True, slots=True)
class Loaded:
    """Valid settings, and for each name (`listen`, `apps.SHOP.url`) where its value came from."""

    settings: Settings
    origins: dict[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """One setting as shown to an operator: secrets hidden, numbers and URLs masked."""

    name: str
    value: str
    origin: str


def layout() -> Layout:
    """Return the names that may be given; the app shorthand has every field of an app."""
    flat: dict[str, Place] = {f"app_{name}": ("app", name) for name in AppSettings.model_fields}
    flat |= {"media_url_template": ("media", "url_template")}
    flat |= {"media_directory": ("media", "directory")}
    flat |= {
        _KEY_OF_FIELD.get(name, name): (name,)
        for name in Settings.model_fields
        if name not in _TABLES
    }
    return Layout(
        flat=flat,
        tables={
            "apps": frozenset(AppSettings.model_fields),
            "media": frozenset(MediaSettings.model_fields),
            "voices": None,
        },
        secrets=_SECRETS,
    )


def load_settings(environ: Mapping[str, str]) -> Loaded:
    """Read the settings from `environ` and the TOML file it names in BRIDGE_CONFIG.

    Raises SettingsError with one sentence for every fault.
    """
    found = gather(environ, layout())
    conflicts: list[Conflict] = []
    data = found.nested()
    bad = set(found.broken)
    settings: Settings | None = None
    try:
        settings = Settings.model_validate(data, context=conflicts)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=True)
        bad |= {place for detail in details if (place := _place(detail["loc"]))}
        for detail in details:
            found.problems.extend(_sentences(detail, found))
        conflicts = _remaining_conflicts(data, bad)
    names = {place[0] for place in bad}
    found.problems.extend(text for fields, text in conflicts if names.isdisjoint(fields))
    if found.problems or settings is None:
        raise SettingsError(found.problems)
    return Loaded(settings, _origins(settings, found))


def _place(loc: tuple[int | str, ...]) -> Place:
    return tuple(str(step) for step in loc if step != "[key]")


def _remaining_conflicts(data: dict[str, Any], bad: set[Place]) -> list[Conflict]:
    """Check what is left without the bad values, to report conflicts beside them."""
    rest = {key: value for key, value in data.items() if (key,) not in bad}
    for place in bad:
        if place[0] == "apps" and len(place) > 1 and isinstance(rest.get("apps"), dict):
            rest["apps"] = {k: v for k, v in rest["apps"].items() if k != place[1]}
        else:
            rest.pop(place[0], None)
    rest.setdefault("public_url", "https://bridge.invalid")
    conflicts: list[Conflict] = []
    Settings.model_validate(rest, context=conflicts)
    return conflicts


def _sentences(detail: ErrorDetails, found: Gathered) -> Iterator[str]:
    place = _place(detail["loc"])
    if place in found.broken or place[:1] in found.broken:
        return
    given = next((found.values[p] for p in _prefixes(place) if p in found.values), None)
    label = given.label if given is not None else _name(place, found)
    shown = ""
    secret = any(_KEY_OF_FIELD.get(step, step) in _SECRETS for step in place)
    if given is not None and not secret and not isinstance(given.raw, dict | list):
        text = mask_url(str(given.raw)) if "://" in str(given.raw) else str(given.raw)
        shown = f"is {text[:_LONGEST_SHOWN]!r}, but "
    if detail["loc"][-1:] == ("[key]",) and place[0] == "apps":
        label, shown = _hash_label(place[1], found), f"is {place[1][:_LONGEST_SHOWN]!r}, but "
    if detail["type"] == "missing":
        yield f"{label} is missing; set it to the {_meaning(place)}."
    else:
        yield f"{label} {shown}{_phrase(detail)}."


def _prefixes(place: Place) -> Iterator[Place]:
    return (place[:length] for length in range(len(place), 0, -1))


def _name(place: Place, found: Gathered) -> str:
    """Name a value nobody gave, the way it is most easily given."""
    if place[0] == "apps" and len(place) > 2 and place[1] == found.app_hash:  # noqa: PLR2004 -- apps, hash, field
        return variable(f"app_{place[2]}")
    return variable(_KEY_OF_FIELD.get(place[0], place[0])) if len(place) == 1 else ".".join(place)


def _hash_label(app_hash: str, found: Gathered) -> str:
    return found.app_hash_label if app_hash == found.app_hash else f"apps.{app_hash}"


def _meaning(place: Place) -> str:
    model: type[BaseModel] = AppSettings if place[0] == "apps" else Settings
    return (model.model_fields[place[-1]].description or "").partition(";")[0]


_PHRASES: Final = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must be a table",
    "finite_number": "must be a number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "greater_than_equal": "must be at least {ge:g}",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "less_than_equal": "must be at most {le:g}",
    "literal_error": "must be {expected}",
    "model_type": "must be a table",
    "path_type": "must be text in quotes",
    "string_pattern_mismatch": "must be letters and digits only, as in the Plivo console",
    "string_type": "must be text in quotes",
    "value_error": "{error}",
}


def _phrase(detail: ErrorDetails) -> str:
    phrase = _PHRASES.get(detail["type"])
    if phrase is not None:
        return phrase.format_map(detail.get("ctx", {}))
    message = detail["msg"]
    return f"must be corrected: {message[:1].lower()}{message[1:]}"


def _leaves(settings: Settings) -> Iterator[tuple[Place, Any]]:
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if name == "apps":
            for app_hash, app in value.items():
                yield from ((("apps", app_hash, key), item) for key, item in app)
        elif name == "media":
            yield from ((("media", key), item) for key, item in value if key != "library")
            yield from ((("media", "library", key), url) for key, url in value.library.items())
        elif name == "voices":
            yield from ((("voices", key), item) for key, item in value.items())
        else:
            yield (name,), value


def _origins(settings: Settings, found: Gathered) -> dict[str, str]:
    return {
        ".".join(place): found.values[place].origin if place in found.values else "default"
        for place, _ in _leaves(settings)
    }


def describe(loaded: Loaded) -> list[Row]:
    """List every setting with its origin; no secret, no full number, no query of a URL."""
    rows: list[Row] = []
    for place, value in _leaves(loaded.settings):
        path = ".".join(place)
        name = path if len(place) > 1 else variable(_KEY_OF_FIELD.get(path, path))
        rows.append(Row(name, _shown(place[-1], value), loaded.origins[path]))
    return rows


def _shown(key: str, value: Any) -> str:
    if value is None or value == ():
        return "(not set)"
    if isinstance(value, SecretStr):
        return _MASK
    if isinstance(value, tuple):
        return ", ".join(mask_number(one) if key in _NUMBERS else _MASK for one in value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.12g}"
    text = str(value)
    if key in _NUMBERS:
        return mask_number(text)
    return mask_url(text) if text.startswith(("http://", "https://", "redis")) else text


def _short_secrets(s: Settings) -> list[str]:
    harms = {
        "BRIDGE_RPC_PASSWORD": (s.rpc_password, "whoever guesses it can call at your expense"),
        "BRIDGE_STORE_KEY": (s.store_key, "whoever gets the store may find it by trying"),
    }
    return [
        f"{name} is short, and {harm}: use {_SHORT_PASSWORD} characters or more."
        for name, (secret, harm) in harms.items()
        if secret is not None and len(secret.get_secret_value()) < _SHORT_PASSWORD
    ]


def warnings(settings: Settings) -> list[str]:
    """Return one sentence for each setting that works but that an operator should know of."""
    s = settings
    found: list[str] = []
    local = is_loopback_host(_host(s.public_url))
    local_api = is_loopback_host(_host(s.plivo_api_url))
    if not s.verify_signatures:
        found.append(
            "BRIDGE_VERIFY_SIGNATURES is false: anybody who reaches BRIDGE_LISTEN can pose as "
            "Plivo, place calls into the apps and read their answers; never use this in production."
        )
    if s.public_url.startswith("http:") and not local:
        found.append(
            "BRIDGE_PUBLIC_URL is not https: numbers and keys of callers cross the network in "
            "clear, and so do recordings."
        )
    if local and not local_api:
        found.append(
            "BRIDGE_PUBLIC_URL is on loopback: Plivo cannot reach it, only a simulator can."
        )
    if s.plivo_api_url.startswith("http:") and not local_api:
        found.append("BRIDGE_PLIVO_API_URL is not https: the Auth Token is sent in clear.")
    if s.plivo_auth_id is not None and not _looks_like_auth_id(s.plivo_auth_id):
        found.append(
            "BRIDGE_PLIVO_AUTH_ID does not look like one: Plivo's have 20 characters and start "
            "with MA or SA."
        )
    if not s.admin_listen.is_loopback:
        found.append(
            "BRIDGE_ADMIN_LISTEN is not on loopback: anybody who reaches it can read the metrics."
        )
    found += _short_secrets(s)
    if s.test_clock is not None:
        found.append(
            f"BRIDGE_TEST_CLOCK is set: time passes only as the simulation at {s.test_clock} says; "
            "never use this in production."
        )
    found += [
        f"apps.{app_hash}.max_questions ({app.max_questions}) is less than BRIDGE_WORKERS "
        f"({s.workers}): each worker asks one question at once all the same."
        for app_hash, app in s.apps.items()
        if app.max_questions < s.workers
    ]
    if s.store == "memory:":
        found.append("BRIDGE_STORE is memory: live calls are lost when the bridge stops.")
    return found


def _looks_like_auth_id(auth_id: str) -> bool:
    return len(auth_id) == 20 and auth_id[:2] in {"MA", "SA"}  # noqa: PLR2004 -- MA or SA and 18 characters


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
