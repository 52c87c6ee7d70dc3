"""Write a trace as one HTML page that opens from disk and asks for nothing.

The page consists of a template, one style and one script, which lie beside this module, and the
trace as JSON. Its policy allows exactly that style and that script, by hash, and no connection.
The script puts text into the page as text only, which the policy (Trusted Types) enforces where
the browser knows it. Without JavaScript the page shows a plain list.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any, Final

from bridge.testing.trace.model import Trace, as_document
from bridge.testing.trace.reading import causes, effects, reading_order, turn_numbers

#: Parts of the script, in the order in which they build on each other.
SCRIPTS: Final = ("text.js", "diagram.js", "inspector.js", "trace.js")
#: Longest detail in the plain list, in characters; the whole of it is in the JSON.
PLAIN_DETAIL: Final = 4000

_PLACE: Final = re.compile(r"@@([A-Z]+)@@")
#: Kinds whose detail the page writes itself, from the data.
_IN_DATA: Final = frozenset({"asks", "gets", "tells", "app", "rest"})
#: Fields of a turn that its entry in the timeline has too.
_IN_ENTRY: Final = frozenset({"request", "raw_request", "body", "reply"})


def to_html(trace: Trace) -> bytes:
    """Write the page: UTF-8, complete in itself."""
    document = as_document(trace)
    style, script = _style(), _script()
    content = {
        "POLICY": _policy(style, script),
        "TITLE": escape(f"{document['outcome']}: {document['title']}"),
        "STYLE": style,
        "SCRIPT": script,
        "PLAIN": _plain_page(document),
        "TRACE": _embedded(_viewed(trace, document)),
    }
    page = _PLACE.sub(lambda place: content[place.group(1)], _asset("trace.html"))
    return page.encode()


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


@cache
def _style() -> str:
    return _asset("trace.css")


@cache
def _script() -> str:
    parts = "\n".join(_asset(name) for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}\n}})();\n'


def _policy(style: str, script: str) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_hash(script)}'",
            f"style-src '{_hash(style)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _embedded(value: Any) -> str:
    """Write JSON that cannot end the script element it stands in, or begin a comment there."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _viewed(trace: Trace, document: dict[str, Any]) -> dict[str, Any]:
    """Give what the page needs: entries in reading order that know their neighbours."""
    order = reading_order(trace.entries)
    place = {index: row for row, index in enumerate(order)}
    ordered = [trace.entries[index] for index in order]
    numbers = turn_numbers(trace.entries)
    caused = causes(ordered)
    led = effects(ordered, caused)
    rows = [
        _without_copy(document["entries"][index])
        | {"n": index, "turn": numbers[index], "cause": caused[row], "effect": led[row]}
        for row, index in enumerate(order)
    ]
    marked = trace.marked
    of_turn = {number: place[index] for index, number in enumerate(numbers) if number is not None}
    return document | {
        "marker": None if marked is None else place[marked],
        "violations": [
            violation | {"entry": of_turn.get(violation["turn"])}
            for violation in document["violations"]
        ],
        "turns": [
            {key: item for key, item in turn.items() if key not in _IN_ENTRY}
            for turn in document["turns"]
        ],
        "entries": rows,
    }


def _without_copy(entry: dict[str, Any]) -> dict[str, Any]:
    """Leave out the text for people where the page writes it from the data."""
    return entry | {"detail": ""} if entry["data"] and entry["kind"] in _IN_DATA else entry


def _plain_page(document: dict[str, Any]) -> str:
    """Write what is read without JavaScript."""
    head = {
        "Seed": document["seed"],
        "Reproduce": document["command"],
        "Started": document["started"],
        "Ended": document["ended"],
        **document["versions"],
    }
    facts = "".join(
        f"<dt>{escape(str(name))}</dt><dd>{escape(str(value))}</dd>"
        for name, value in head.items()
        if value not in {None, ""}
    )
    violations = "".join(
        f"<li>{escape(_sentence(violation))}</li>" for violation in document["violations"]
    )
    marker = document["marker"]
    items = "\n".join(
        _plain_entry(entry, failed=index == marker)
        for index, entry in enumerate(document["entries"])
    )
    return (
        f"<h1>{escape(document['outcome'])}: <bdi>{escape(document['title'])}</bdi></h1>\n"
        f"<dl>{facts}</dl>\n"
        + (f"<pre>{escape(document['failure'])}</pre>\n" if document["failure"] else "")
        + (f"<ul>{violations}</ul>\n" if violations else "")
        + f"<ol>\n{items}\n</ol>"
    )


def _sentence(violation: dict[str, Any]) -> str:
    turn = f" (turn {violation['turn']})" if violation["turn"] is not None else ""
    return f"{violation['severity']} {violation['code']}: {violation['sentence']}{turn}"


def _plain_entry(entry: dict[str, Any], *, failed: bool) -> str:
    detail = entry["detail"]
    if not detail and entry["data"]:
        detail = json.dumps(entry["data"], ensure_ascii=False, indent=1)
    if len(detail) > PLAIN_DETAIL:
        detail = f"{detail[:PLAIN_DETAIL]} … ({len(detail)} characters in all)"
    ms = "" if entry["ms"] is None else f" [{entry['ms']:.1f} ms]"
    return (
        f"<li{' class=marked' if failed else ''}>"
        f"{entry['at']:.1f} s <b>{escape(entry['kind'])}</b> <bdi>{escape(entry['text'])}</bdi>{ms}"
        + (" <strong>failed here</strong>" if failed else "")
        + (f"<pre>{escape(detail)}</pre>" if detail else "")
        + "</li>"
    )


__all__ = ["PLAIN_DETAIL", "SCRIPTS", "to_html"]
