"""What a replica says of itself to the others, in the record that says it lives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic_core import from_json, to_json

from mappings.registry import COMMANDS

#: The versions of commands this process knows, by name.
KNOWN: Final[dict[str, list[int]]] = {}
for _command in COMMANDS:
    KNOWN.setdefault(_command.name, []).append(_command.version)


@dataclass(frozen=True, slots=True)
class Standing:
    """One replica: whether it is about to leave, and whom it misses.

    `lacks` are the versions of commands which this process knows and that one does not. `missed`
    are replicas whose record did not change: its version, and between how many looks.
    """

    drains: bool = False
    lacks: frozenset[tuple[str, int]] = frozenset()
    missed: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def dump_standing(standing: Standing) -> bytes:
    """Give the stored form, with the versions of commands this process knows."""
    return to_json({"drains": standing.drains, "commands": KNOWN, "missed": dict(standing.missed)})


def load_standing(blob: bytes) -> Standing:
    """Read what another replica says; one of another release may say less, or more."""
    try:
        said = from_json(blob)
        return Standing(
            said.get("drains") is True, _lacking(said["commands"]), _missed(said.get("missed", {}))
        )
    except (ValueError, TypeError, LookupError, AttributeError):
        return Standing()


def _lacking(theirs: dict[str, Any]) -> frozenset[tuple[str, int]]:
    return frozenset(
        (name, version)
        for name, versions in KNOWN.items()
        for version in versions
        if version not in theirs.get(name, ())
    )


def _missed(theirs: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {name: (int(version), int(looks)) for name, (version, looks) in theirs.items()}


__all__ = ["KNOWN", "Standing", "dump_standing", "load_standing"]
