"""Plivo XML as the simulated platform reads it: checked first, then plain elements."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from lxml import etree

from bridge.plivo.schema import MAX_DOCUMENT_BYTES, Kind, problems
from bridge.simulator.causes import Ending, failed

_RNG: Final = "{http://relaxng.org/ns/structure/1.0}"
_ABSOLUTE: Final = re.compile(r"https?://\S+")
_SOMEWHERE: Final = "https://example.com/"
_METHODS: Final = frozenset({"GET", "POST"})
_NEVER: Final = (b"<!DOCTYPE", b"\xef\xbb\xbf", b"\0")
_SOUNDS: Final = frozenset({"Play", "Speak", "Wait"})
#: Elements that are followed by a document of their own, besides Redirect.
_ACTING: Final = ("Conference", "Dial", "GetDigits", "GetInput", "Record")


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its name, text without white space around it, attributes and children."""

    name: str
    text: str
    attributes: dict[str, str]
    children: tuple[Element, ...]
    line: int

    def get(self, name: str, default: str = "") -> str:
        """Give an attribute."""
        return self.attributes.get(name, default)

    def number(self, name: str, default: float) -> float:
        """Give an attribute that holds a number."""
        return float(self.attributes.get(name, default))


class InvalidDocument(Exception):  # noqa: N818 - named for what it is
    """The document breaks the rules of Plivo XML; the message lists every fault.

    `ending` is Plivo's cause when a URL or a method in it is all that is wrong (page "Hangup
    causes"); else the cause depends on how the document was asked for.
    """

    def __init__(self, message: str, ending: Ending | None = None) -> None:
        super().__init__(message)
        self.ending = ending


def parse(xml: bytes, *, kind: Kind = "response", tolerant: bool = False) -> tuple[Element, ...]:
    """Read a document. Raises InvalidDocument; nothing is expanded or fetched.

    A Response without elements is no fault: it ends the call as any document does that ran out.
    `tolerant` ignores elements and attributes that the reference does not know, and white space
    around a URL or a number; a document of which nothing is left is refused.
    """
    root = _root(xml)
    if root is not None and _childless(root) and _faults(xml) == _faults(b"<Response/>"):
        return ()
    if tolerant and root is not None:
        _strip(root, _SOUNDS if kind == "sounds" else None)
        xml = etree.tostring(root, encoding="UTF-8")
    found = problems(xml, kind=kind)
    if found:
        raise InvalidDocument(" ".join(found), _ending(xml, kind))
    return _element(etree.fromstring(xml, _parser())).children


def _faults(xml: bytes) -> list[str]:
    return [fault.partition(": ")[2] for fault in problems(xml)]


def pretty(xml: bytes) -> str:
    """Give the document with one element per line, without the declaration."""
    root = _root(xml, _parser(remove_blank_text=True))
    if root is None:
        return xml.decode("utf-8", "replace")
    return etree.tostring(root, pretty_print=True, encoding="unicode").strip()


def _parser(*, remove_blank_text: bool = False) -> etree.XMLParser[etree._Element]:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_blank_text=remove_blank_text,
    )


def _root(
    xml: bytes, parser: etree.XMLParser[etree._Element] | None = None
) -> etree._Element | None:
    # Only `problems` may see a document type: libxml2 expands its entities. What else is wrong with
    # the bytes would be gone once the document is written anew.
    if len(xml) > MAX_DOCUMENT_BYTES or any(bad in xml for bad in _NEVER):
        return None
    try:
        xml.decode()
        return etree.fromstring(xml, parser or _parser())
    except (etree.XMLSyntaxError, ValueError):
        return None


def _childless(root: etree._Element) -> bool:
    return next(root.iterchildren(etree.Element), None) is None


def _element(node: etree._Element) -> Element:
    return Element(
        name=str(node.tag),
        text=" ".join("".join(map(str, node.itertext())).split()),
        attributes={str(name): str(value) for name, value in node.attrib.items()},
        children=tuple(_element(child) for child in node if isinstance(child.tag, str)),
        line=node.sourceline or 0,
    )


@cache
def _known() -> dict[str, frozenset[str]]:
    """Give the attributes of every element of the reference."""
    with resources.as_file(resources.files("bridge.plivo").joinpath("response.rng")) as path:
        grammar = etree.parse(path)
    rules = {str(rule.get("name")): rule for rule in grammar.iter(f"{_RNG}define")}
    return {
        str(element.get("name")): frozenset(_attributes(element, rules))
        for element in grammar.iter(f"{_RNG}element")
    }


def _attributes(node: etree._Element, rules: dict[str, etree._Element]) -> Iterator[str]:
    for child in node.iterchildren(etree.Element):
        match str(child.tag).removeprefix(_RNG):
            case "attribute":
                yield str(child.get("name"))
            case "element":
                pass
            case "ref":
                yield from _attributes(rules[str(child.get("name"))], rules)
            case _:
                yield from _attributes(child, rules)


def _strip(root: etree._Element, top: frozenset[str] | None) -> None:
    known = _known()
    for element in list(root.iter(etree.Element)):
        parent = element.getparent()
        outside = top is not None and parent is root and element.tag not in top
        if parent is not None and (element.tag not in known or outside):
            _remove(parent, element)
            continue
        for name in set(element.attrib) - known.get(str(element.tag), frozenset()):
            del element.attrib[name]
        if not len(element) and element.text and element.tag != "Speak":
            element.text = element.text.strip() or None


def _remove(parent: etree._Element, element: etree._Element) -> None:
    before = element.getprevious()
    tail = element.tail or ""
    if before is None:
        parent.text = (parent.text or "") + tail
    else:
        before.tail = (before.tail or "") + tail
    parent.remove(element)


def _ending(xml: bytes, kind: Kind) -> Ending | None:
    """Give the cause when the document is in order but for an address."""
    root = _root(xml)
    if root is None:
        return None
    endings = list(_mend_addresses(root))
    if not endings or problems(etree.tostring(root, encoding="UTF-8"), kind=kind):
        return None
    return endings[0]


def _mend_addresses(root: etree._Element) -> Iterator[Ending]:
    for element in root.iter(*_ACTING):
        url = element.get("action")
        if url is not None and not _ABSOLUTE.fullmatch(url):
            element.set("action", _SOMEWHERE)
            yield failed("action", "Invalid URL")
        if element.attrib.get("method", "POST") not in _METHODS:
            del element.attrib["method"]
            yield failed("action", "Invalid Method")
    for element in root.iter("Redirect"):
        if not _ABSOLUTE.fullmatch(element.text or ""):
            element.text = _SOMEWHERE
            yield failed("redirect", "Invalid URL")
        if element.attrib.get("method", "POST") not in _METHODS:
            del element.attrib["method"]
            yield failed("redirect", "Invalid Method")


__all__ = ["Element", "InvalidDocument", "parse", "pretty"]
