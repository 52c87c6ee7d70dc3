"""Declaring commands and reading their params."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import AliasChoices, Field

from mappings._kernel.command import Command, command
from mappings._kernel.errors import CommandRefused
from mappings._rt.media import LibraryMedia, MediaFormatError, NoMedia, TtsMedia, parse_media
from mappings._rt.params import Params, RtMedia

if TYPE_CHECKING:
    from mappings._kernel.command import Flow
    from mappings._kernel.context import CallContext


class Item(Params):
    """A nested object."""

    size: int = Field(ge=1)


class TrialParams(Params):
    """Params of a made-up command."""

    text: RtMedia = NoMedia()
    digits: str = Field(pattern="^[0-9]+$", validation_alias=AliasChoices("digits", "digit"))
    count: int = Field(1, ge=1, le=10)
    other: RtMedia = NoMedia()
    items: tuple[Item, ...] = ()


@command("trial", TrialParams, version=3)
def trial(p: TrialParams, call: CallContext) -> Flow:
    """Return at once."""
    yield from ()
    return f"{p.count}{call.callid}"


def refusal(params: dict[str, Any]) -> str:
    """Give the sentence of a refusal, which must be INVALID_PARAMS."""
    with pytest.raises(CommandRefused) as caught:
        trial.read_params(params)

    assert "INVALID_PARAMS" == caught.value.code
    return caught.value.sentence


def test_declared_generator_is_a_command() -> None:
    """The decorator keeps name, params, generator and version together."""
    assert isinstance(trial, Command)
    assert ("trial", TrialParams, 3) == (trial.name, trial.params, trial.version)


def test_version_is_1_unless_stated() -> None:
    """The first version of a mapping is 1."""
    first: Command[Any] = command("trial", TrialParams)(trial.flow)

    assert 1 == first.version


def test_media_fields_are_found() -> None:
    """The shell asks the command which of its params are rt_media."""
    params = trial.read_params({"digits": "1", "text": "TTS|V|Hi", "other": 42})

    assert ("text", "other") == trial.media
    assert (TtsMedia("V", "Hi"), LibraryMedia("42")) == trial.media_of(params)


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({}, "trial.digits: Field required"),
        ({"digits": "1", "count": 0}, "trial.count: Input should be greater than or equal to 1"),
        ({"digits": "1", "count": 11}, "trial.count: Input should be less than or equal to 10"),
        (
            {"digits": "1", "count": "many"},
            "trial.count: Input should be a valid integer, unable to parse string as an integer",
        ),
        (
            {"digits": "1", "count": 1.5},
            "trial.count: Input should be a valid integer, got a number with a fractional part",
        ),
        ({"digits": "1", "count": []}, "trial.count: Input should be a valid integer"),
        ({"digit": "1x"}, "trial.digit: String should match pattern '^[0-9]+$'"),
        (
            {"digits": "1", "items": [{"size": 1}, {"size": 0}]},
            "trial.items.1.size: Input should be greater than or equal to 1",
        ),
        (
            {"count": 0},
            "trial.digits: Field required; trial.count: Input should be greater than or equal to 1",
        ),
    ],
)
def test_refused_params_are_named(params: dict[str, Any], sentence: str) -> None:
    """The sentence names each wrong param as the app wrote it, and never its value."""
    assert sentence == refusal(params)


def test_sentence_on_media_is_passed_on() -> None:
    """What the reader of rt_media says is wrong is said with the param's name."""
    with pytest.raises(MediaFormatError) as expected:
        parse_media("Hello")

    assert f"trial.text: {expected.value}" == refusal({"digits": "1", "text": "Hello"})


def test_params_that_are_no_object_are_refused() -> None:
    """Without a param to name, the sentence names the command."""
    with pytest.raises(CommandRefused) as caught:
        trial.read_params(["1"])  # type: ignore[arg-type]

    assert caught.value.sentence.startswith("trial: Input should be a valid dictionary")
