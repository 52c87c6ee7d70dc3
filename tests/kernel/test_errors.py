"""Errors carry stable codes and sentences."""

from __future__ import annotations

import re

import pytest

from mappings._kernel.errors import CODES, CommandRefused, Diverged, MappingBug, TranslationError


def test_refusal_reads_as_code_and_sentence() -> None:
    """The text of a refusal is what the app gets as command_error."""
    refused = CommandRefused("ROOM_FULL", "the room 7 already has 20 members")

    assert "ROOM_FULL: the room 7 already has 20 members" == str(refused)


def test_refusal_needs_a_documented_code() -> None:
    """A code nobody documented cannot be sent."""
    with pytest.raises(ValueError, match="OUT_OF_PAPER"):
        CommandRefused("OUT_OF_PAPER", "no")


def test_every_error_belongs_to_the_tree() -> None:
    """The shell can catch whatever a translation raises by one name."""
    assert {CommandRefused, Diverged, MappingBug} == set(TranslationError.__subclasses__())


@pytest.mark.parametrize("code", CODES)
def test_codes_are_words_in_capitals_with_a_meaning(code: str) -> None:
    """Apps compare codes, people read meanings."""
    assert re.fullmatch(r"[A-Z]+(_[A-Z]+)*", code)
    assert CODES[code].strip()
