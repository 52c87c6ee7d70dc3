"""Values: dataclasses nobody may change, which the type checker enforces (PEP 681).

`@dataclass(frozen=True)` refuses changes at run time too, and to get round itself sets every field
by way of a function call. A turn makes some thirty values: that took a twelfth of its own time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value_class(kind: type[T]) -> type[T]:
    """Make a class a value: compared and hashed by its fields, and with nothing besides them."""
    return dataclass(slots=True, unsafe_hash=True)(kind)


__all__ = ["value_class"]
