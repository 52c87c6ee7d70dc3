"""Check a document against what the Plivo XML reference lets a careful writer say.

The grammar is in `response.rng` and `sounds.rng` beside this module; what RELAX NG cannot express
(the length of marked-up speech, one duration against another) is checked here.
Nothing is fetched and nothing is expanded: DTDs are refused, entities and the network are off.

libxml2 keeps one state per subset of the optional attributes an element carries, so a Conference
with all of its two dozen would never finish.
Attributes that depend on no other one are therefore checked one by one, each against its pattern
in the grammar, and only the rest of the document is given to the grammar as a whole.
"""

from __future__ import annotations

import re
from copy import deepcopy
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Final, Literal

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_DOCUMENT_BYTES", "MAX_SPEAK_CHARACTERS", "Kind", "ends_safely", "problems"]

Kind = Literal["response", "sounds"]
"""`response`: the answer of a webhook; `sounds`: what waitSound, confirmSound and the like fetch."""

MAX_DOCUMENT_BYTES: Final = 100_000
"""Plivo's limit is "100 KB" (page "XML request"); the smaller reading of KB is the safe one."""

MAX_SPEAK_CHARACTERS: Final = 3000
"""Characters of text per Speak, tags not counted (page "SSML")."""

_QUOTED: Final = 80
_RNG: Final = "{http://relaxng.org/ns/structure/1.0}"
_UTF8_BOM: Final = b"\xef\xbb\xbf"
_INVALID_ATTRIBUTE: Final = re.compile(r"Invalid attribute (\S+) for element (\S+)")
_INVALID_ATTRIBUTES: Final = re.compile(r"Element (\S+) failed to validate attributes")
_INVALID_CONTENT: Final = re.compile(r"Element (\S+) failed to validate content")
_PLAIN_PATH: Final = re.compile(r"/Response(/[A-Za-z-]+(\[[0-9]+\])?)*")
_NOISE: Final = re.compile(
    r"Error validating datatype|failed to compare type|Datatype element|has extra content"
)


def problems(xml: bytes, *, kind: Kind = "response") -> list[str]:
    """Return one sentence per fault of the document, with its line; an empty list means valid.

    `xml` is the body as it would go over the wire.
    Never raises on hostile input: whatever cannot be parsed is a fault like any other.
    """
    tree = _read(xml)
    if isinstance(tree, str):
        return [tree]
    found = list(_bad_values(tree.getroot()))
    skeleton = _without_independent_attributes(tree)
    schema = _schema(kind)
    if not schema.validate(skeleton):
        found += _readable(schema.error_log, skeleton)
    return found or list(_beyond_the_grammar(tree.getroot()))


def ends_safely(xml: bytes) -> bool:
    """Say whether the last top-level element is Redirect or Hangup.

    A document that merely runs out hangs the call up without the app being asked
    (cause 4010, "End Of XML Instructions"); an unreadable document is not safe either.
    """
    tree = _read(xml)
    if isinstance(tree, str):
        return False
    elements = [child for child in tree.getroot() if isinstance(child.tag, str)]
    return bool(elements) and elements[-1].tag in {"Redirect", "Hangup"}


def _read(xml: bytes) -> etree._ElementTree[etree._Element] | str:
    """Parse the document, or say in a sentence why Plivo could not."""
    if len(xml) > MAX_DOCUMENT_BYTES:
        return f"The document has {len(xml)} bytes; Plivo takes {MAX_DOCUMENT_BYTES}."
    if not xml.strip():
        return "The document is empty; Plivo takes that for invalid XML, not for nothing to do."
    if xml.startswith(_UTF8_BOM):
        return "line 1: The document starts with a byte order mark; write plain UTF-8."
    try:
        nul = xml.decode("utf-8").find("\0")
    except UnicodeDecodeError as error:
        return f"The document is not UTF-8: {error.reason} at byte {error.start}."
    if nul >= 0:
        return "The document holds NUL characters, as UTF-16 does; write UTF-8."
    # Before parsing: libxml2 expands entities inside attribute values whatever the parser is told.
    if b"<!DOCTYPE" in xml:
        return "The document has a document type declaration; Plivo XML has none."
    # A parser object keeps the errors of its last run, so each document gets its own.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        tree = etree.fromstring(xml, parser).getroottree()
    except etree.XMLSyntaxError as error:
        return f"line {error.lineno or 1}: {error.msg}."
    encoding = tree.docinfo.encoding or "UTF-8"
    if encoding.upper() != "UTF-8":
        return f"line 1: The document is encoded as {encoding}; write UTF-8."
    return tree


def _file(name: str) -> etree._ElementTree[etree._Element]:
    # sounds.rng includes response.rng by its relative name, so libxml2 needs a real path.
    with resources.as_file(resources.files("bridge.plivo").joinpath(name)) as path:
        return etree.parse(path)


@cache
def _schema(kind: Kind) -> etree.RelaxNG:
    return etree.RelaxNG(_file(f"{kind}.rng"))


@cache
def _values() -> tuple[frozenset[str], etree.RelaxNG]:
    """Turn the grammar into one of attribute values: `Wait.length` is an element holding a value.

    Returns the names of the attributes that depend on no other, and the schema for their values.
    """
    grammar = _file("response.rng")
    choice = etree.Element(f"{_RNG}choice")
    for element in grammar.iter(f"{_RNG}element"):
        for optional in element.iterfind(f"{_RNG}optional"):
            if len(optional) != 1 or (attribute := optional[0]).tag != f"{_RNG}attribute":
                continue
            name = f"{element.get('name')}.{attribute.get('name')}"
            etree.SubElement(choice, f"{_RNG}element", name=name).extend(deepcopy(list(attribute)))
    names = frozenset(str(element.get("name")) for element in choice)
    for start in grammar.iterfind(f"{_RNG}start"):
        start[:] = [choice]
    return names, etree.RelaxNG(grammar)


@lru_cache(maxsize=4096)
def _takes(name: str, value: str) -> bool:
    example = etree.Element(name)
    example.text = value
    return _values()[1].validate(example)


def _bad_values(root: etree._Element) -> Iterator[str]:
    names, _ = _values()
    for element in root.iter(etree.Element):
        for attribute, value in element.items():
            name = f"{element.tag!s}.{attribute!s}"
            if name in names and not _takes(name, str(value)):
                shown = f'{attribute!s}="{str(value)[:_QUOTED]}"'
                yield f"line {element.sourceline}: {element.tag!s} does not take {shown} here."


def _without_independent_attributes(
    tree: etree._ElementTree[etree._Element],
) -> etree._ElementTree[etree._Element]:
    names, _ = _values()
    skeleton = deepcopy(tree)
    for element in skeleton.getroot().iter(etree.Element):
        for attribute in list(element.attrib):
            if f"{element.tag!s}.{attribute!s}" in names:
                del element.attrib[attribute]
    return skeleton


def _readable(log: etree._ListErrorLog, tree: etree._ElementTree[etree._Element]) -> list[str]:
    sentences: dict[str, bool] = {}
    for entry in log:
        message = entry.message
        if bad := _INVALID_ATTRIBUTE.fullmatch(message):
            message = f"{bad[2]} does not take {_attribute_found(bad[1], entry.path, tree)} here"
        elif bad := _INVALID_ATTRIBUTES.fullmatch(message):
            message = f"The attributes of {bad[1]} are incomplete or do not go together"
        elif bad := _INVALID_CONTENT.fullmatch(message):
            message = f"The content of {bad[1]} is missing, too long or of the wrong form"
        sentences.setdefault(f"line {entry.line}: {message}.", bool(_NOISE.search(message)))
    # libxml2 explains a wrong value in several lines of which only the last names the element.
    telling = [sentence for sentence, noise in sentences.items() if not noise]
    return telling or list(sentences) or ["The document does not match the grammar."]


def _attribute_found(name: str, path: str | None, tree: etree._ElementTree[etree._Element]) -> str:
    value = None
    if path and _PLAIN_PATH.fullmatch(path):
        element = tree.getroot().find("/".join([".", *path.split("/")[2:]]))
        value = None if element is None else element.get(name)
    return f"the attribute {name}" if value is None else f'{name}="{value[:_QUOTED]}"'


def _beyond_the_grammar(root: etree._Element) -> Iterator[str]:
    for speak in root.iter("Speak"):
        text = "".join(speak.itertext())
        if not text.strip():
            yield f"line {speak.sourceline}: Speak has no text."
        if len(text) > MAX_SPEAK_CHARACTERS:
            yield (
                f"line {speak.sourceline}: Speak has {len(text)} characters; "
                f"Plivo reads {MAX_SPEAK_CHARACTERS}."
            )
    for wait in root.iter("Wait"):
        shortest = wait.get("minSilence")
        # "The duration of length needs to be greater than the duration of minSilence for this
        # attribute to work as expected." (Plivo XML reference, Wait)
        if shortest is not None and int(shortest) >= 1000 * int(wait.get("length", "1")):
            yield f"line {wait.sourceline}: Wait is not longer than its minSilence of {shortest} ms."
