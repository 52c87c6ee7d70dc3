"""A plan for people, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from bridge.provision.plan import Assign, Change, Create, Delete, Obstacle, Plan, Ref, Update

__all__ = ["change_as_json", "headline", "obstacle_as_json", "plan_as_text", "summary"]

_WIDTH: Final = 21
_NONE: Final = "(none)"


def headline(change: Change) -> str:
    """Say in one line what a change is."""
    match change:
        case Create():
            return f"create application {change.name}"
        case Update():
            return f"change application {change.name} ({change.app_id})"
        case Delete():
            return f"delete application {change.name} ({change.app_id})"
        case Assign():
            return f"assign number +{change.number}"


def plan_as_text(plan: Plan) -> str:
    """Write the changes with what is there and what comes, then what stands in their way."""
    lines: list[str] = []
    for change in plan.changes:
        lines.append(headline(change))
        for name, old, new in _fields(change):
            lines += [f"  - {name:{_WIDTH}}{old}"] * (old is not None)
            lines += [f"  + {name:{_WIDTH}}{new}"] * (new is not None)
    lines += [f"Note: {remark}" for remark in plan.remarks]
    for obstacle in plan.obstacles:
        allow = f" Allow it with {obstacle.allow}." if obstacle.allow else ""
        lines.append(f"Conflict: {obstacle.sentence}{allow}")
    return "".join(f"{line}\n" for line in lines)


def summary(changes: list[Change]) -> str:
    """Count the changes in a phrase."""
    kinds: dict[type, str] = {
        Create: "to create",
        Update: "to change",
        Delete: "to delete",
        Assign: "to assign",
    }
    counts = []
    for kind, phrase in kinds.items():
        count = sum(isinstance(change, kind) for change in changes)
        noun = "number" if kind is Assign else "application"
        if count:
            counts.append(f"{count} {noun}{'s' * (count > 1)} {phrase}")
    return ", ".join(counts)


def change_as_json(change: Change, *, done: bool) -> dict[str, Any]:
    """Give a change as JSON has it."""
    kind = type(change).__name__.lower()
    subject: dict[str, str | None] = (
        {"number": f"+{change.number}"}
        if isinstance(change, Assign)
        else {"application": change.name, "app_id": getattr(change, "app_id", None)}
    )
    fields = [{"field": name, "old": old, "new": new} for name, old, new in _fields(change)]
    return {"kind": kind, **subject, "fields": fields, "done": done}


def obstacle_as_json(obstacle: Obstacle) -> dict[str, str | None]:
    """Give an obstacle as JSON has it."""
    return {
        "subject": obstacle.subject,
        "sentence": obstacle.sentence,
        "allow": obstacle.allow or None,
    }


def _fields(change: Change) -> Iterator[tuple[str, str | None, str | None]]:
    match change:
        case Create():
            yield from ((name, None, value) for name, value in change.fields.items())
        case Update():
            for name, value in change.new.items():
                yield name, _shown(change.old[name]), _shown(value)
        case Delete():
            yield from ((name, _shown(value), None) for name, value in change.old.items())
        case Assign():
            yield "application", _ref(change.old), _ref(change.new)


def _ref(ref: Ref) -> str:
    if not ref.name:
        return _NONE
    return f"{ref.name} ({ref.app_id})" if ref.app_id not in {"", ref.name} else ref.name


def _shown(value: str) -> str:
    """Hide what may be a secret in a URL of somebody else: its login and the values of its query."""
    if not value:
        return _NONE
    try:
        parts = urlsplit(value)
    except ValueError:
        return "(not a URL)"
    query = "&".join(f"{pair.partition('=')[0]}=***" for pair in parts.query.split("&") if pair)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query))
