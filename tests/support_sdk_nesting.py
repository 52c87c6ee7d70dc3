"""The nesting rules of Plivo's official SDK, as a second opinion on documents.

The SDK refuses a child at `add`; its rule is the `_nestable` list of the parent's class.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from lxml import etree
from plivo import xml as sdk
from plivo.xml.PlivoXMLElement import PlivoXMLElement

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SDK_NESTING", "sdk_accepts"]


def _sdk_nesting() -> dict[str, frozenset[str]]:
    classes: list[Any] = [
        value
        for value in vars(sdk).values()
        if inspect.isclass(value) and issubclass(value, PlivoXMLElement)
    ]
    return {
        element._name: frozenset(element._nestable)
        for element in classes
        if element is not PlivoXMLElement
    }


SDK_NESTING: Mapping[str, frozenset[str]] = _sdk_nesting()
"""Element name to the names the SDK lets into it; read from the installed SDK."""


def sdk_accepts(xml: bytes) -> list[str]:
    """Return one sentence per element the SDK would refuse; an empty list means none.

    Attributes and texts are not looked at: the SDK does not check them.
    """
    root = etree.fromstring(xml)
    refused = [] if root.tag == "Response" else [f"The root is {root.tag!r}, not Response."]
    for parent in root.iter(etree.Element):
        allowed = SDK_NESTING.get(str(parent.tag))
        if allowed is None:
            refused.append(f"line {parent.sourceline}: the SDK has no {parent.tag!r}.")
            continue
        refused += [
            f"line {child.sourceline}: the SDK refuses {child.tag!r} in {parent.tag!r}."
            for child in parent.iterchildren(etree.Element)
            if child.tag not in allowed
        ]
    return refused
