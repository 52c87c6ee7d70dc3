"""Reading Plivo XML: what is refused, with which cause, and what a tolerant reader ignores."""

from __future__ import annotations

import pytest

from bridge.plivo.schema import MAX_DOCUMENT_BYTES
from bridge.simulator.document import Element, InvalidDocument, parse, pretty

#: Documents a careful writer never sends, and a tolerant reader takes all the same.
LENIENT = [
    ("<Say>Hello</Say><Wait/>", ["Wait"]),
    ("<wait/><Wait/>", ["Wait"]),
    ("<Wait Length='2'/>", ["Wait"]),
    ('<Wait length="2" until="then"/>', ["Wait"]),
    ("<Play> https://a.example/x.mp3\n</Play>", ["Play"]),
    ("<Dial><Parameter name='a'/><Number>33100</Number></Dial>", ["Dial"]),
    ("<Speak>a <b>c</b> d</Speak>", ["Speak"]),
    ("<GetDigits><Say/>text<Speak>Type</Speak></GetDigits>", None),
]


def response(content: str) -> bytes:
    """Write a document."""
    return f"<Response>{content}</Response>".encode()


def refused(xml: bytes, *, tolerant: bool = False) -> InvalidDocument:
    """Give why a document is refused."""
    with pytest.raises(InvalidDocument) as found:
        parse(xml, tolerant=tolerant)
    return found.value


def test_elements_attributes_and_text() -> None:
    """An element has its name, attributes, children, line, and text with single spaces."""
    (found,) = parse(
        response("\n<GetDigits timeout='7'>\n<Speak loop='2'>Two\n  words</Speak></GetDigits>")
    )

    speak = Element("Speak", "Two words", {"loop": "2"}, (), 3)
    assert Element("GetDigits", "Two words", {"timeout": "7"}, (speak,), 2) == found
    assert (7.0, 2.0, "", "#") == (
        found.number("timeout", 5),
        found.number("digitTimeout", 2),
        found.get("action"),
        found.get("finishOnKey", "#"),
    )


@pytest.mark.parametrize(
    "xml", [b"<Response/>", b"<Response> \n</Response>", b"<Response><!-- --></Response>"]
)
def test_nothing_to_do(xml: bytes) -> None:
    """A Response without elements is a document that ran out, no invalid one."""
    assert () == parse(xml)


@pytest.mark.parametrize(
    ("xml", "why"),
    [
        (b"", "The document is empty"),
        (b" \n", "The document is empty"),
        (b" <?xml version='1.0'?><Response/>", "XML declaration allowed only at the start"),
        (b"<Response><Speak>a & b</Speak></Response>", "line 1"),
        (b"<html></html>", "html"),
        (b"<response/>", "response"),
        (response("<Wait length='0'/>"), 'length="0"'),
        (response("<Number>33100</Number>"), "Number"),
        (response("<Speak><Play>https://a.example/b.mp3</Play></Speak>"), "Speak"),
        (response("<Wait/>" * 20_000), "140021 bytes"),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><Response><Speak>&a;</Speak></Response>", "document type"),
        (b"<!DOCTYPE x><Response/>", "document type"),
        (b"\xef\xbb\xbf<Response><Wait/></Response>", "byte order mark"),
        ("<Response><Wait/></Response>".encode("utf-16"), "UTF-8"),
        (response("") + b" " * MAX_DOCUMENT_BYTES, "bytes"),
    ],
)
@pytest.mark.parametrize("tolerant", [False, True])
def test_what_is_refused(xml: bytes, why: str, tolerant: bool) -> None:
    """What is no Plivo XML is refused with a sentence, and names no cause of its own."""
    found = refused(xml, tolerant=tolerant)

    assert why in str(found)
    assert None is found.ending


@pytest.mark.parametrize(
    ("content", "code", "name"),
    [
        ('<GetDigits action="/keys"/>', "7022", "Invalid Action URL"),
        ('<Record action="ftp://a.example/x"/>', "7022", "Invalid Action URL"),
        (
            '<Record action="https://a.example/x" method="PUT"/>',
            "7032",
            "Invalid Method For Action URL",
        ),
        ("<Redirect>next</Redirect>", "7024", "Invalid Redirect URL"),
        ("<Redirect/>", "7024", "Invalid Redirect URL"),
        (
            '<Redirect method="post">https://a.example/x</Redirect>',
            "7034",
            "Invalid Method For Redirect URL",
        ),
    ],
)
def test_addresses_that_are_wrong(content: str, code: str, name: str) -> None:
    """A URL that is not fully qualified, or another method than GET and POST, has its own cause."""
    assert ("NORMAL_CLEARING", code, name, "Error") == refused(response(content)).ending
    assert None is refused(response(content + "<Wait length='0'/>")).ending


@pytest.mark.parametrize(("content", "names"), LENIENT)
def test_unknown_markup(content: str, names: list[str] | None) -> None:
    """Unknown elements and attributes and padding are refused; a tolerant reader ignores them."""
    refused(response(content))
    if names is None:
        refused(response(content), tolerant=True)
    else:
        assert names == [element.name for element in parse(response(content), tolerant=True)]


def test_what_is_left_of_unknown_markup() -> None:
    """What stands around an unknown element stays."""
    (speak,) = parse(response("<Speak>a <b>c</b> d<u/> e</Speak>"), tolerant=True)
    (dial,) = parse(
        response("<Dial x='1'><Foo/><Number y='2'>33100</Number></Dial>"), tolerant=True
    )

    assert "a d e" == speak.text
    assert [("Number", "33100", {})] == [
        (child.name, child.text, child.attributes) for child in dial.children
    ]


@pytest.mark.parametrize("content", ["<Reject/>", "<Say>Hello</Say>"])
def test_a_document_of_unknown_elements_alone(content: str) -> None:
    """When nothing known is left, a tolerant reader refuses the document as well."""
    assert None is refused(response(content), tolerant=True).ending


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("<Speak>Hi</Speak><Wait/>", ["Speak", "Wait"]),
        ("<Speak>Hi</Speak><Redirect>https://a.example/x</Redirect>", ["Speak"]),
        ("<Hangup/><Play>https://a.example/x.mp3</Play>", ["Play"]),
    ],
)
def test_documents_of_sounds(content: str, names: list[str]) -> None:
    """Other elements than Play, Speak and Wait are ignored where sounds are wanted."""
    assert names == [
        element.name for element in parse(response(content), kind="sounds", tolerant=True)
    ]


def test_a_document_for_people() -> None:
    """One element per line, without the declaration; what is no XML stays as it is."""
    assert '<Response>\n  <Speak>Hi</Speak>\n  <Wait length="2"/>\n</Response>' == pretty(
        b"<?xml version='1.0'?><Response><Speak>Hi</Speak><Wait length='2'/></Response>"
    )
    assert "<oops>\ufffd" == pretty(b"<oops>\xff")
