"""The log of one open command: facts, their stored form and its version.

A log is `CommandStarted`, then what the mapping did and heard, in the order it was consumed.
Facts are never rewritten; when their stored form changes, `FORMAT` grows and an upcaster for the
step is added to `UPCASTERS`, so that a log written by an older release can still be replayed.
"""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, assert_never, get_args

from mappings._kernel import events
from mappings._kernel.actions import Reply
from mappings._kernel.values import value_class
from mappings._plivo.verbs import (
    Conference,
    Dial,
    GetDigits,
    GetInput,
    HostedAudio,
    Play,
    Sounds,
    Speak,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mappings._kernel.actions import Action
    from mappings._kernel.events import Event
    from mappings._plivo.verbs import Verb

FORMAT: Final = 1

#: Actions with more text than this are not kept, in characters.
LONGEST_REMEMBERED: Final = 1000
MOST_REMEMBERED: Final = 1024

#: `UPCASTERS[n]` turns a stored log of format n (the start, then the facts) into format n + 1.
UPCASTERS: Final[dict[int, Callable[[list[Any]], list[Any]]]] = {}


@value_class
class CommandStarted:
    """A command was accepted: what the app sent and every outside input it may depend on.

    `command_id` is the app's own JSON text; `inputs` is what `mappings._kernel.context` restores.
    """

    name: str
    version: int
    command_id: str
    params: Mapping[str, Any]
    inputs: Mapping[str, Any]


@value_class
class ActionYielded:
    """The mapping yielded this kind of action; `digest` covers the verb tree, not its rendering."""

    kind: str
    digest: str


@value_class
class EventReceived:
    """The pending action was answered."""

    event: Event


@value_class
class CommandFinished:
    """The mapping returned `result`, or the command failed with `error` ("" = it did not)."""

    result: str | int
    error: str = ""


Fact = ActionYielded | EventReceived | CommandFinished

_EVENTS: Final[dict[str, type]] = {kind.__name__: kind for kind in get_args(events.Event)}
_FIELDS: Final[dict[type, tuple[str, ...]]] = {
    kind: tuple(field.name for field in fields(kind)) for kind in _EVENTS.values()
}


#: Per type of action or verb: its fields that count, with their defaults.
_COMPARED: Final[dict[type, dict[str, Any]]] = {}


def yielded(action: Action) -> ActionYielded:
    """State the fact that this action was yielded."""
    fact = _remembered.get(action)
    if fact is None:
        fact = _fact(action)
        if not isinstance(action, Reply) or sum(map(_weight, action.verbs)) <= LONGEST_REMEMBERED:
            if len(_remembered) >= MOST_REMEMBERED:
                _remembered.clear()
            _remembered[action] = fact
    return fact


def _weight(verb: Verb | Sounds) -> int:
    """Estimate the characters that remembering a verb would keep in memory."""
    match verb:
        case Speak():
            return len(verb.text)
        case Play(url=HostedAudio(content=content)):
            return len(content)
        case GetDigits() | GetInput():
            return sum(map(_weight, verb.prompts))
        case Sounds():
            return sum(map(_weight, verb.verbs))
        case Dial():
            return sum(map(_weight, _sounds(verb.confirm_sound, verb.dial_music)))
        case Conference():
            sounds = _sounds(verb.enter_sound, verb.exit_sound, verb.wait_sound)
            return sum(map(_weight, sounds))
        case _:
            return 0


def _sounds(*sounds: object) -> list[Sounds]:
    return [one for one in sounds if isinstance(one, Sounds)]


def _fact(action: Action) -> ActionYielded:
    text = repr(_canonical(action)).encode("utf-8", "surrogatepass")
    return ActionYielded(type(action).__name__, blake2b(text, digest_size=6).hexdigest())


#: An action is met at least twice, when it is yielded and when it is replayed.
_remembered: Final[dict[Action, ActionYielded]] = {}


def _canonical(value: Any) -> Any:
    """Leave out fields at their default, so that a verb may gain one while calls are open."""
    if isinstance(value, tuple):
        return [_canonical(item) for item in value]
    kind = type(value)
    known = _COMPARED.get(kind)
    if known is None:
        if not is_dataclass(kind):
            return value
        known = _COMPARED[kind] = {f.name: f.default for f in fields(kind) if f.compare}
    found = ((name, getattr(value, name), default) for name, default in known.items())
    return [kind.__name__, {n: _canonical(v) for n, v, d in found if d is MISSING or v != d}]


def dump_start(start: CommandStarted) -> list[Any]:
    """Give the stored form of a start: a JSON array that opens with the format version."""
    return [
        FORMAT,
        start.name,
        start.version,
        start.command_id,
        dict(start.params),
        dict(start.inputs),
    ]


def load_log(stored: Sequence[Any]) -> tuple[CommandStarted, list[Fact]]:
    """Read a stored log of this or an older format: the start, then the facts.

    Raises ValueError when the format is unknown, as after going back to an older release.
    """
    log = list(stored)
    while (written := log[0][0]) != FORMAT:
        if written not in UPCASTERS:
            raise ValueError(f"a log of format {written!r} cannot be read, only up to {FORMAT}")
        log = UPCASTERS[written](log)
    _, name, version, command_id, params, inputs = log[0]
    start = CommandStarted(name, version, command_id, params, inputs)
    return start, [load(fact) for fact in log[1:]]


def load_start(stored: Sequence[Any]) -> CommandStarted:
    """Read the start alone of a stored log of this or an older format."""
    return load_log([stored])[0]


def dump_event(event: Event) -> list[Any]:
    """Give the stored form of an event: its name, then its fields in order."""
    kind = type(event)
    return [kind.__name__, *[getattr(event, name) for name in _FIELDS[kind]]]


def load_event(stored: Sequence[Any]) -> Event:
    """Read a stored event; fields added since then take their defaults.

    Fields that only a newer release knows are ignored. Raises ValueError for an unknown event.
    """
    kind = _EVENTS.get(stored[0])
    if kind is None:
        raise ValueError(f"unknown event {stored[0]!r}")
    event: Event = kind(*stored[1 : 1 + len(_FIELDS[kind])])
    return event


def dump(fact: Fact) -> list[Any]:
    """Give the stored form of a fact: a JSON array whose first item says which."""
    match fact:
        case ActionYielded():
            return ["a", fact.kind, fact.digest]
        case EventReceived():
            return ["e", *dump_event(fact.event)]
        case CommandFinished():
            return ["f", fact.result, fact.error]
        case _:
            assert_never(fact)


def load(stored: Sequence[Any]) -> Fact:
    """Read a stored fact."""
    match stored[0]:
        case "a":
            return ActionYielded(stored[1], stored[2])
        case "e":
            return EventReceived(load_event(stored[1:]))
        case "f":
            return CommandFinished(stored[1], stored[2])
        case other:
            raise ValueError(f"unknown kind of fact {other!r}")


__all__ = [
    "FORMAT",
    "UPCASTERS",
    "ActionYielded",
    "CommandFinished",
    "CommandStarted",
    "EventReceived",
    "Fact",
    "dump",
    "dump_event",
    "dump_start",
    "load",
    "load_event",
    "load_log",
    "load_start",
    "yielded",
]
