"""Plivo XML as the simulated platform reads it: checked first, then plain elements."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from bridge.plivo.schema import Kind, problems


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
    """The document breaks the rules of Plivo XML; the message lists every fault."""


def parse(xml: bytes, *, kind: Kind = "response", tolerant: bool = False) -> tuple[Element, ...]:
    """Read a document. Raises InvalidDocument; nothing is expanded or fetched.

    `tolerant` ignores elements and attributes that the reference does not know.
    """
    found = problems(xml, kind=kind)
    if found:
        raise InvalidDocument(" ".join(found))
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    return _element(etree.fromstring(xml, parser)).children


def pretty(xml: bytes) -> str:
    """Give the document with one element per line, without the declaration."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_blank_text=True
    )
    try:
        root = etree.fromstring(xml, parser)
    except etree.XMLSyntaxError:
        return xml.decode("utf-8", "replace")
    return etree.tostring(root, pretty_print=True, encoding="unicode").strip()


def _element(node: etree._Element) -> Element:
    return Element(
        name=str(node.tag),
        text=" ".join("".join(map(str, node.itertext())).split()),
        attributes={str(name): str(value) for name, value in node.attrib.items()},
        children=tuple(_element(child) for child in node if isinstance(child.tag, str)),
        line=node.sourceline or 0,
    )


__all__ = ["Element", "InvalidDocument", "parse", "pretty"]
