"""Params are read as legacy apps send them: loosely typed, sometimes empty, never trusted."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, ValidationError

from mappings._rt.media import LibraryMedia, NoMedia, TtsMedia
from mappings._rt.params import Params, RtBool, RtMedia, media_fields


class Inner(Params):
    """A nested object."""

    size: int = 3


class TrialParams(Params):
    """One field of each kind commands have."""

    number: int = Field(7, ge=1, le=10)
    flag: RtBool = False
    wanted: RtBool = True
    maybe: RtBool | None = None
    text: str = "default"
    choice: Literal["MUSIC", "RING"] = "RING"
    media: RtMedia = NoMedia()
    other: RtMedia = NoMedia()
    inner: tuple[Inner, ...] = ()


def read(**raw: Any) -> TrialParams:
    """Read as a command does."""
    return TrialParams.model_validate(raw)


@pytest.mark.parametrize("raw", [3, "3", " 3 ", 3.0, "3.0", "03"])
def test_numbers_in_any_spelling(raw: object) -> None:
    """A whole number is a number however it is written."""
    assert 3 == read(number=raw).number


@pytest.mark.parametrize("raw", [3.5, "3.5", "three", [], {}, "3 4", "0x3"])
def test_what_is_no_number_is_refused(raw: object) -> None:
    """Guessing would hide the app's mistake."""
    with pytest.raises(ValidationError):
        read(number=raw)


@pytest.mark.parametrize("raw", [True, "true", "TRUE", " True ", "1", 1, 1.0, "yes", "on"])
def test_true_in_any_spelling(raw: object) -> None:
    """All the ways apps write true."""
    params = read(flag=raw, maybe=raw)

    assert (True, True) == (params.flag, params.maybe)


@pytest.mark.parametrize("raw", [False, "false", "FALSE", " False", "0", 0, 0.0, "no", "off"])
def test_false_in_any_spelling(raw: object) -> None:
    """All the ways apps write false."""
    params = read(wanted=raw, maybe=raw)

    assert (False, False) == (params.wanted, params.maybe)


@pytest.mark.parametrize("raw", [2, "maybe", [], -1])
def test_what_is_no_boolean_is_refused(raw: object) -> None:
    """Any other value is a mistake."""
    with pytest.raises(ValidationError):
        read(flag=raw)


@pytest.mark.parametrize(("raw", "text"), [("42", "42"), (42, "42"), (-1, "-1"), (" a ", " a ")])
def test_text_may_be_a_number(raw: object, text: str) -> None:
    """A conference id is often an integer."""
    assert text == read(text=raw).text


@pytest.mark.parametrize("raw", [[], {}, [1]])
def test_what_is_no_text_is_refused(raw: object) -> None:
    """Objects and lists are no text."""
    with pytest.raises(ValidationError):
        read(text=raw)


@pytest.mark.parametrize("raw", [None, ""])
def test_empty_means_left_out(raw: object) -> None:
    """Null and "" give the default, whatever the type of the param."""
    expected = TrialParams()

    assert expected == read(
        number=raw, flag=raw, wanted=raw, maybe=raw, text=raw, choice=raw, media=raw, inner=raw
    )


def test_unknown_params_are_ignored() -> None:
    """Apps send more than the page documents."""
    assert TrialParams(number=3) == read(number=3, colour="blue", __class__="x")


@pytest.mark.parametrize(
    ("raw", "media"),
    [
        (0, NoMedia()),
        ("0", NoMedia()),
        (42, LibraryMedia("42")),
        ("42", LibraryMedia("42")),
        ("TTS|V|a|b", TtsMedia("V", "a|b")),
    ],
)
def test_media_in_any_spelling(raw: object, media: object) -> None:
    """rt_media is an id, a text, or nothing."""
    assert media == read(media=raw).media


def test_nested_objects_are_read_as_loosely() -> None:
    """The objects in a list are params themselves."""
    params = read(inner=[{"size": "4", "colour": "blue"}, {"size": None}])

    assert (Inner(size=4), Inner(size=3)) == params.inner


def test_params_cannot_be_changed() -> None:
    """A mapping reads its params and never writes them."""
    with pytest.raises(ValidationError, match="frozen"):
        read().number = 3  # type: ignore[misc]


def test_media_fields_are_found_by_their_type() -> None:
    """Commands tell the shell which params it has to resolve."""
    assert ("media", "other") == media_fields(TrialParams)


def test_annotated_media_are_media() -> None:
    """A further annotation does not hide a media field."""

    class AnnotatedParams(Params):
        media: Annotated[RtMedia, "said aloud"] = NoMedia()
        text: str = ""

    assert ("media",) == media_fields(AnnotatedParams)
