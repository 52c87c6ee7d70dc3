from __future__ import annotations

from dataclasses import field, fields, replace

import pytest

from mappings._kernel.values import value_class


@value_class
class Point:
    """A value with a default and a field that does not count."""

    x: int
    y: int = 0
    note: str = field(default="", compare=False)


@value_class
class Vector:
    """Another value with the same fields."""

    x: int
    y: int = 0
    note: str = field(default="", compare=False)


def test_values_are_compared_and_hashed_by_their_fields() -> None:
    """Equal values are one key; a field may be left out of it, and types are told apart."""
    assert {Point(1), Point(1, 0, "here"), Point(1, 2)} == {Point(1, 2), Point(1)}
    other: object = Vector(1)
    assert Point(1) != other


def test_a_value_has_nothing_besides_its_fields() -> None:
    """It takes no further attribute, and no room for one."""
    point = Point(1)
    with pytest.raises(AttributeError):
        setattr(point, "z", 1)  # noqa: B010 - mypy would refuse the plain assignment
    assert not hasattr(point, "__dict__")


def test_values_are_dataclasses() -> None:
    """The standard library's functions for dataclasses take them."""
    assert ["x", "y", "note"] == [f.name for f in fields(Point)]
    assert Point(1, 5) == replace(Point(1), y=5)


def test_the_type_checker_is_told_that_values_are_frozen() -> None:
    """As PEP 681 has it; mypy then refuses every assignment to a field."""
    told = value_class.__dataclass_transform__  # type: ignore[attr-defined]

    # Python 3.11 knows the word as a further one only.
    assert True is {**told["kwargs"], **told}["frozen_default"]
