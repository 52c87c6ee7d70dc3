"""How a command is declared: its name, its params model, its generator and its version."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import ValidationError

from mappings._kernel.actions import Action
from mappings._kernel.errors import CommandRefused
from mappings._kernel.events import Event
from mappings._rt.params import Params, media_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mappings._kernel.context import CallContext
    from mappings._rt.media import Media

P = TypeVar("P", bound=Params)
T = TypeVar("T")

#: What a mapping is: it yields actions, is sent events, and returns the RT result.
Flow = Generator[Action, Event, str | int]
#: A helper of a mapping that yields: named `…_flow`, called with `yield from`.
SubFlow = Generator[Action, Event, T]


@dataclass(frozen=True)
class Command(Generic[P]):
    """One version of one RT command.

    `version` is pinned in every log: a change of what is yielded, its order or the result is a new
    version, kept beside the old one until no call runs the old (docs/adr/0003).
    """

    name: str
    params: type[P]
    flow: Callable[[P, CallContext], Flow]
    version: int = 1
    media: tuple[str, ...] = field(init=False)
    known: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Find the params that hold rt_media, and every name a param may come under."""
        fields = self.params.model_fields
        aliases = (getattr(info.validation_alias, "choices", ()) for info in fields.values())
        object.__setattr__(self, "media", media_fields(self.params))
        object.__setattr__(self, "known", frozenset(fields).union(*aliases))

    def read_params(self, raw: Mapping[str, Any]) -> P:
        """Read what the app sent, tolerantly. Raises CommandRefused INVALID_PARAMS."""
        try:
            # As model_validate, without its options: a turn reads params twice.
            params: P = self.params.__pydantic_validator__.validate_python(raw)
        except ValidationError as error:
            raise CommandRefused("INVALID_PARAMS", _sentence(self.name, error)) from None
        return params

    def media_of(self, params: P) -> tuple[Media, ...]:
        """List the rt_media in the params, for the shell to resolve before the command starts."""
        return tuple(getattr(params, name) for name in self.media)


def command(
    name: str, params: type[P], *, version: int = 1
) -> Callable[[Callable[[P, CallContext], Flow]], Command[P]]:
    """Declare a generator function as the mapping of an RT command."""

    def declare(flow: Callable[[P, CallContext], Flow]) -> Command[P]:
        return Command(name, params, flow, version)

    return declare


def _sentence(name: str, error: ValidationError) -> str:
    faults = []
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        where = ".".join(str(part) for part in fault["loc"])
        words = fault["msg"].removeprefix("Value error, ")
        faults.append(f"{name}.{where}: {words}" if where else f"{name}: {words}")
    return "; ".join(faults)


__all__ = ["Command", "Flow", "SubFlow", "command"]
