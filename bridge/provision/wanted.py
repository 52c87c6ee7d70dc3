"""What Plivo should know of each app: an application with our URLs, and the app's numbers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote

from bridge.addresses import RETRIES
from bridge.errors import SettingsError
from mappings._plivo.numbers import to_plivo

if TYPE_CHECKING:
    from bridge.settings import Settings

__all__ = [
    "FIELDS",
    "METHODS",
    "Wanted",
    "application_fields",
    "application_name",
    "entry_url",
    "wanted",
]

Entry = Literal["answer", "hangup", "fallback"]

#: The fields of an application that are ours, by Plivo's names; others are never sent.
FIELDS: Final = (
    "answer_url",
    "answer_method",
    "hangup_url",
    "hangup_method",
    "fallback_answer_url",
    "fallback_method",
)
METHODS: Final = frozenset(field for field in FIELDS if field.endswith("_method"))
_PREFIX: Final = "rt-bridge-"
#: The longest name that is given to an application.
_LONGEST: Final = 60
_DIGEST: Final = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """One app at Plivo: its hash, the application's name and fields, its numbers without "+"."""

    app: str
    name: str
    fields: dict[str, str]
    numbers: tuple[str, ...]


def application_name(app_hash: str) -> str:
    """Derive the name of an app's application: always the same, and no other app's.

    The letters of a hash are those Plivo takes in a name; only a very long one is cut.
    """
    name = _PREFIX + app_hash
    if len(name) <= _LONGEST:
        return name
    digest = blake2b(app_hash.encode(), digest_size=_DIGEST // 2).hexdigest()
    return f"{name[: _LONGEST - _DIGEST - 1]}-{digest}"


def entry_url(public_url: str, app_hash: str, entry: Entry) -> str:
    """Address where Plivo begins with an app, without retry fragments."""
    return f"{public_url}/plivo/{quote(app_hash)}/{entry}"


def wanted(settings: Settings, hashes: Collection[str] = ()) -> list[Wanted]:
    """List what Plivo should know of these apps, or of all.

    Raises SettingsError for a hash that is not configured, and when two apps would share an
    application.
    """
    unknown = sorted(set(hashes) - set(settings.apps))
    if unknown:
        known = ", ".join(sorted(settings.apps))
        raise SettingsError([f"There is no app {name}; configured: {known}." for name in unknown])
    found = []
    owners: dict[str, str] = {}
    problems = []
    for app_hash, app in settings.apps.items():
        name = app.plivo_application or application_name(app_hash)
        first = owners.setdefault(name, app_hash)
        if first != app_hash:
            problems.append(
                f"The apps {first} and {app_hash} both have the Plivo application {name}; "
                "change plivo_application of one."
            )
        if not hashes or app_hash in hashes:
            numbers = tuple(to_plivo(number) for number in app.numbers)
            found.append(
                Wanted(app_hash, name, application_fields(settings.public_url, app_hash), numbers)
            )
    if problems:
        raise SettingsError(problems)
    return found


def application_fields(public_url: str, app_hash: str) -> dict[str, str]:
    """Give the fields of an app's application that are ours, as they should be."""
    urls = {
        "answer": entry_url(public_url, app_hash, "answer") + RETRIES,
        "hangup": entry_url(public_url, app_hash, "hangup") + RETRIES,
        "fallback": entry_url(public_url, app_hash, "fallback") + RETRIES,
    }
    return {
        field: "POST" if field in METHODS else urls[field.partition("_")[0]] for field in FIELDS
    }
