from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from support_trace import HOSTILE, conference, hostile, long_call, menu_call

from bridge.testing.trace import Trace, to_html
from bridge.testing.trace.page import PLAIN_DETAIL

every_trace = pytest.mark.parametrize(
    "trace", [menu_call(), conference(), long_call(2), hostile()], ids=lambda trace: trace.title[:9]
)


class Page(HTMLParser):
    """The elements of a page, with the texts of its styles and scripts."""

    def __init__(self, html: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {"script": [], "style": []}
        self.feed(html.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        if tag in self.texts:
            self.texts[tag].append("")

    def handle_data(self, data: str) -> None:
        """Note what stands in a style or script."""
        last = self.elements[-1][0] if self.elements else ""
        if last in self.texts and self.cdata_elem == last:
            self.texts[last][-1] += data

    @property
    def policy(self) -> dict[str, str]:
        """The rules of the page's policy by name."""
        (content,) = [
            attributes["content"] or ""
            for tag, attributes in self.elements
            if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
        ]
        rules = [rule.strip().partition(" ") for rule in content.split(";")]
        return {name: value for name, _, value in rules}

    @property
    def trace(self) -> Any:
        """The trace in the page."""
        return json.loads(self.texts["script"][0])


def hashed(text: str) -> str:
    """Give the source expression that allows a text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@every_trace
def test_a_page_refers_to_nothing_outside(trace: Trace) -> None:
    """No element loads or leads anywhere, and the style imports nothing."""
    page = Page(to_html(trace))

    loading = {
        (tag, name, value)
        for tag, attributes in page.elements
        for name, value in attributes.items()
        if name in {"src", "href", "srcset", "action", "data", "poster", "style", "ping"}
        or name.startswith("on")
    }
    assert {("link", "href", "data:,")} == loading
    assert {"iframe", "object", "embed", "base", "img", "a"}.isdisjoint(
        tag for tag, _ in page.elements
    )
    assert [] == re.findall(r"@import|url\(|@font-face", page.texts["style"][0])


@every_trace
def test_a_page_holds_one_style_one_script_and_one_trace(trace: Trace) -> None:
    """No text of a trace becomes an element that runs."""
    page = Page(to_html(trace))

    scripts = [attributes for tag, attributes in page.elements if tag == "script"]
    assert [{"type": "application/json", "id": "trace"}, {}] == scripts
    assert 1 == len(page.texts["style"])


def test_the_policy_allows_only_what_the_page_brings() -> None:
    """Style and script are allowed by hash; connections, frames, forms and HTML as text are not."""
    page = Page(to_html(menu_call()))

    assert {
        "default-src": "'none'",
        "script-src": hashed(page.texts["script"][1]),
        "style-src": hashed(page.texts["style"][0]),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    } == page.policy


def test_the_script_sets_text_only() -> None:
    """Nothing in the script turns text into elements or code."""
    script = Page(to_html(menu_call())).texts["script"][1]

    assert [] == re.findall(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser"
        r"|fetch\(|XMLHttpRequest|WebSocket|EventSource|sendBeacon|serviceWorker|import\(",
        script,
    )


def test_a_hostile_trace_comes_out_of_the_page_as_it_went_in() -> None:
    """Text that would end the script element, or fill a place of the template, stays text."""
    trace = Page(to_html(hostile())).trace

    assert HOSTILE == trace["title"]
    assert HOSTILE == trace["entries"][0]["data"]["form"][HOSTILE]
    assert "[hidden]@127.0.0.1" in trace["command"]


def test_entries_know_turn_cause_and_effect() -> None:
    """The page need not work out how entries hang together."""
    entries = Page(to_html(menu_call())).trace["entries"]

    assert (1, 0, 2) == tuple(entries[1][key] for key in ("n", "cause", "effect"))
    assert [1, 2, 3, 4, 5, 6] == [entry["turn"] for entry in entries if entry["kind"] == "app"]


def test_violations_know_the_entry_of_their_turn() -> None:
    """A violation leads to its turn; one of no turn or of an unknown turn leads nowhere."""
    trace = menu_call()
    unknown = [{"code": "A", "sentence": "a", "turn": turn} for turn in (None, 99)]
    page = Page(
        to_html(Trace(title="t", entries=trace.entries, violations=[*trace.violations, *unknown]))
    )

    found = [violation["entry"] for violation in page.trace["violations"]]
    kinds = [page.trace["entries"][entry]["turn"] for entry in found[:2]]
    assert [4, 3] == kinds
    assert [None, None] == found[2:]


def test_the_marker_follows_its_entry_into_reading_order() -> None:
    """An entry moved for readers keeps its mark and its number."""
    entries = list(menu_call().entries)
    entries[0], entries[1] = entries[1], entries[0]

    trace = Page(to_html(Trace(title="t", entries=entries, marker=0))).trace

    assert (1, "app", 0) == (
        trace["marker"],
        trace["entries"][1]["kind"],
        trace["entries"][1]["n"],
    )


def test_bodies_stand_in_the_page_once() -> None:
    """What the entry of a turn says is not said again by the list of turns."""
    turns = [{"number": 1, "raw_request": b"{}", "body": b"{}", "app": "DEFAULT"}]
    trace = menu_call()

    page = Page(to_html(Trace(title="t", entries=trace.entries, turns=turns)))
    assert [{"number": 1, "app": "DEFAULT"}] == page.trace["turns"]


def test_details_that_are_not_in_the_data_are_kept() -> None:
    """A problem's detail goes to the page, an XML document's second copy does not."""
    story = menu_call().entries[2]
    problem = type(story)(0, "problem", "bad", "the detail", data={"some": "data"})
    document = type(story)(0, "gets", "5 bytes", "<a/>", data={"xml": "<a/>"})

    entries = Page(to_html(Trace(title="t", entries=[problem, document]))).trace["entries"]
    assert ["the detail", ""] == [entry["detail"] for entry in entries]


def test_a_page_without_javascript_lists_everything() -> None:
    """The plain list has head, failure, violations and each entry with its detail, cut when long."""
    html = to_html(hostile()).decode()
    plain = html.partition("<noscript>")[2].partition("</noscript>")[0]

    assert (13, 1) == (plain.count("<li>"), plain.count("<li class=marked>"))
    assert 1 == plain.count("failed here")
    assert "&lt;/script&gt;" in plain
    assert "characters in all)" in plain
    assert max(map(len, re.findall(r"<pre>([^<]*)</pre>", plain))) < 8 * PLAIN_DETAIL
    assert "<script" not in plain
