"""A scenario as it is run, and the tables at the head of its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from bridge.simulator.faults import Fault, FaultError
from bridge.testing.scenario.expectations import EXPECTATIONS, Expectation
from bridge.testing.scenario.kit import CalleeLike
from bridge.testing.scenario.problems import Place, did_you_mean
from bridge.testing.scenario.steps import ACTIONS, Action, Dial, Step, Strict
from bridge.testing.scenario.values import Caller, Keys, Number, Seconds, Truth, Words, one_or_more

ProfileName = Literal["normal", "hostile"]
#: Who calls when the file does not say.
DEFAULT_CALLER: Final = "+33612345678"
#: s of ringing before a party picks up, when only `answers` is written.
DEFAULT_RINGING_S: Final = 3.0
ONLY_PHONE: Final = "caller"


def _fault(text: str) -> str:
    try:
        return str(Fault.parse(text))
    except FaultError as error:
        raise ValueError(f"must be a fault ({str(error).rstrip('.')})") from None


def _rule(text: str) -> str:
    # Imported here: the checks read the params of every command.
    from bridge.testing.contract import CODES  # noqa: PLC0415

    if text not in CODES:
        raise ValueError(f"must be a rule of the protocol. {did_you_mean(text, CODES).rstrip('.')}")
    return text


FaultText = Annotated[str, AfterValidator(_fault)]
Rule = Annotated[str, AfterValidator(_rule)]


class Phone(Strict):
    """A phone that calls the bridge."""

    from_: Caller
    to: Number | None = None
    caller_name: Words | None = None


class Callee(Strict):
    """What a number does when the app dials it: exactly one of the outcomes."""

    answers: Seconds | None = None
    talks: Seconds | None = None
    presses: Keys | None = None
    busy: bool = False
    rejects: bool = False
    no_answer: bool = False
    rings: bool = False
    fails: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value not in OUTCOMES:
            raise ValueError(
                f"must be one of {', '.join(OUTCOMES)}, or a table such as "
                "{answers: 3s, talks: 30s} or {fails: 3050}"
            )
        return {value: {"answers": f"{DEFAULT_RINGING_S}s", "fails": "3050"}.get(value, "true")}

    @model_validator(mode="after")
    def _one_outcome(self) -> Callee:
        given = [name for name in OUTCOMES if getattr(self, name.replace(" ", "_")) not in _NOTHING]
        if len(given) != 1:
            raise ValueError(f"must say one of {', '.join(OUTCOMES)}")
        if given != ["answers"] and (self.talks is not None or self.presses is not None):
            raise ValueError("must say `answers` when it says `talks` or `presses`")
        return self

    def tell(self, callee: CalleeLike) -> None:
        """Tell it to the simulation."""
        if self.answers is not None:
            callee.answers(self.answers, self.talks, self.presses)
        elif self.fails is not None:
            callee.fails(self.fails)
        elif self.busy:
            callee.busy()
        elif self.rejects:
            callee.rejects()
        elif self.no_answer:
            callee.no_answer()


OUTCOMES: Final = ("answers", "busy", "rejects", "no answer", "rings", "fails")
_NOTHING: Final = (None, False)


class Modifiers(Strict):
    """What may stand beside the action of a step."""

    name: Words | None = None
    phone: Words | None = None
    within: Seconds | None = None
    soft: Truth = False


def _phone_or_number(value: Any) -> Any:
    return {"from": value} if isinstance(value, str) else value


class Head(Strict):
    """Everything in a file but its steps."""

    name: Words | None = None
    description: Words | None = None
    app: Words | None = None
    from_: Caller | None = None
    to: Number | None = None
    caller_name: Words | None = None
    phones: dict[Words, Annotated[Phone, BeforeValidator(_phone_or_number)]] | None = Field(
        default=None, min_length=1
    )
    numbers: dict[Number, Callee] = Field(default_factory=dict)
    settings: Mapping[str, Any] = Field(default_factory=dict)
    seed: int | None = None
    profile: ProfileName | None = None
    faults: Annotated[tuple[FaultText, ...], BeforeValidator(one_or_more)] = ()
    allow: Annotated[tuple[Rule, ...], BeforeValidator(one_or_more)] = ()


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step: what is done, by which phone, and where that is written."""

    number: int
    title: str
    action: Dial | Action | Expectation
    phone: str
    place: Place
    name: str = ""
    negative: bool = False
    soft: bool = False
    within: float | None = None

    @property
    def label(self) -> str:
        """Name it in a sentence."""
        name = f" “{self.name}”" if self.name else ""
        return f"step {self.number}{name} ({self.title})"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One file, checked.

    `skipped` steps are listed and not done; `arguments` are the options of the command line that
    changed the scenario.
    """

    name: str
    file: str
    phones: Mapping[str, Phone]
    steps: tuple[PlannedStep, ...]
    app: str = ""
    numbers: Mapping[str, Callee] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    profile: ProfileName | None = None
    faults: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    skipped: frozenset[int] = frozenset()
    arguments: tuple[str, ...] = ()


def verbs() -> dict[str, tuple[type[Step], bool]]:
    """Give every action by the words that name it in a file, and whether it is a negative."""
    found: dict[str, tuple[type[Step], bool]] = {"dial": (Dial, False)}
    found |= {action.verb: (action, False) for action in ACTIONS}
    for expectation in EXPECTATIONS:
        found[f"expect {expectation.verb}"] = (expectation, False)
        found[f"expect no {expectation.verb}"] = (expectation, True)
    return found


__all__ = [
    "DEFAULT_CALLER",
    "ONLY_PHONE",
    "OUTCOMES",
    "Callee",
    "Head",
    "Modifiers",
    "Phone",
    "PlannedStep",
    "ProfileName",
    "Scenario",
    "verbs",
]
