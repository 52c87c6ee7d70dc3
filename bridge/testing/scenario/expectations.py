"""The expectations of a scenario: `expect …`, each with its negative twin `expect no …`.

They are waited for in virtual time, `within` a limit that the test kit sets when the step does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator

from bridge.testing.scenario.kit import CallLike
from bridge.testing.scenario.problems import did_you_mean
from bridge.testing.scenario.steps import Step, limit
from bridge.testing.scenario.values import Leg, Number, Numbers, Pattern, Words
from bridge.testing.wants import State
from mappings.registry import COMMANDS as REGISTERED

COMMANDS: Final = frozenset(command.name for command in REGISTERED)
#: Who can end a call.
Source = Literal["caller", "callee", "app", "api", "plivo", "carrier", "error"]


def _command(name: str) -> str:
    if name not in COMMANDS:
        hint = did_you_mean(name, COMMANDS)
        raise ValueError(f"must be an RT command ({hint.removesuffix('.')})")
    return name


CommandName = Annotated[str, AfterValidator(_command)]


class Expectation(Step):
    """Something that must happen, or must not."""

    method: ClassVar[str]
    #: Fields that the test kit takes by position.
    ordered: ClassVar[tuple[str, ...]] = ()

    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        """Give what the test kit's method takes by position and by name."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        by_position = [given.pop(name) for name in self.ordered]
        return by_position, {name: value for name, value in given.items() if value is not None}

    async def check(self, call: CallLike, *, negative: bool, within: float | None) -> None:
        """Wait for it, for at most `within` virtual s. Raises AssertionError when it fails."""
        by_position, by_name = self.arguments()
        method = getattr(call, f"expect_{'no_' if negative else ''}{self.method}")
        await method(*by_position, **by_name, **limit(within))


class Prompt(Expectation):
    """A text is spoken to the caller; part of it is enough."""

    verb, method, main, ordered = "prompt", "prompt", "text", ("text",)
    text: Pattern


class Played(Expectation):
    """A sound is played to the caller; part of its URL is enough."""

    verb, method, main, ordered = "played", "played", "url", ("url",)
    url: Pattern


class Tones(Expectation):
    """The caller hears tones, as send_dtmf sends them."""

    verb, method, main, ordered = "tones", "tones", "digits", ("digits",)
    digits: Pattern


class Listening(Expectation):
    """Keys or speech of the caller are waited for."""

    verb, method = "listening", "listening"


class Recording(Expectation):
    """The caller is being recorded."""

    verb, method = "recording", "recording"


class Dialled(Expectation):
    """These numbers are dialled in this order, showing a caller id."""

    verb, method, main, ordered = "dialled", "dialled", "numbers", ("numbers",)
    numbers: Numbers
    caller_id: Number | None = None

    async def check(self, call: CallLike, *, negative: bool, within: float | None) -> None:
        """Wait for them; of the negative twin none may be dialled. Raises AssertionError."""
        if not negative:
            await super().check(call, negative=False, within=within)
            return
        named: dict[str, Any] = {**limit(within)}
        if self.caller_id is not None:
            named["caller_id"] = self.caller_id
        for number in self.numbers:
            await call.expect_no_dialled(number, **named)


class LegState(Expectation):
    """A dialled party reaches a state."""

    verb, method, ordered = "leg", "leg", ("leg", "state")
    leg: Leg
    state: State


class Room(Expectation):
    """The caller enters a conference, which then has so many members."""

    verb, method, main = "room", "room", "members"
    members: Leg | None = None


class Command(Expectation):
    """The app gives this RT command; of its params only those listed are compared."""

    verb, method, main = "command", "command", "name"
    typed = frozenset({"params"})
    name: CommandName
    params: Mapping[str, Any] | None = None

    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        """Give the params by name, as the test kit takes them."""
        return [self.name], dict(self.params or {})


class Result(Expectation):
    """The app is told this result of a command."""

    verb, method, main, ordered = "result", "result", "value", ("value",)
    value: str


class Error(Expectation):
    """The app is told that a command failed with this code."""

    verb, method, main, ordered = "error", "error", "code", ("code",)
    code: Words


class Variables(Expectation):
    """The app's variables contain these values."""

    verb, method, main, ordered = "variables", "variables", "variables", ("variables",)
    typed = frozenset({"variables"})
    variables: Mapping[str, Any]


class Rest(Expectation):
    """The bridge sends a REST request to Plivo; part of the path is enough."""

    verb, method, ordered = "rest", "rest", ("method_", "path")
    method_: Literal["GET", "POST", "DELETE"]
    path: Words


class Ended(Expectation):
    """The call is over."""

    verb, method = "ended", "ended"
    by: Source | None = None
    code: int | None = None


EXPECTATIONS: tuple[type[Expectation], ...] = (
    Prompt,
    Played,
    Tones,
    Listening,
    Recording,
    Dialled,
    LegState,
    Room,
    Command,
    Result,
    Error,
    Variables,
    Rest,
    Ended,
)

__all__ = ["EXPECTATIONS", "Expectation"]
