"""What a replica says of itself to the others, in the record that says it lives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import from_json, to_json

from mappings.registry import COMMANDS

#: The versions of commands this process knows, by name.
KNOWN: Final[dict[str, list[int]]] = {}
for _command in COMMANDS:
    KNOWN.setdefault(_command.name, []).append(_command.version)


@dataclass(frozen=True, slots=True)
class Standing:
    """One replica: whether it has calls to dial, and whether it is about to leave.

    `lacks` are the versions of commands which this process knows and that one does not.
    """

    dials: bool = False
    drains: bool = False
    lacks: frozenset[tuple[str, int]] = frozenset()


def dump_standing(standing: Standing) -> bytes:
    """Give the stored form, with the versions of commands this process knows."""
    said = {"dials": standing.dials, "drains": standing.drains, "commands": KNOWN}
    return to_json(said)


def load_standing(blob: bytes) -> Standing:
    """Read what another replica says; one of another release may say less, or more."""
    try:
        said = from_json(blob)
        dials, drains = said.get("dials") is True, said.get("drains") is True
        return Standing(dials, drains, _lacking(said["commands"]))
    except (ValueError, TypeError, LookupError, AttributeError):
        return Standing()


def _lacking(theirs: dict[str, Any]) -> frozenset[tuple[str, int]]:
    return frozenset(
        (name, version)
        for name, versions in KNOWN.items()
        for version in versions
        if version not in theirs.get(name, ())
    )


__all__ = ["KNOWN", "Standing", "dump_standing", "load_standing"]
