"""How a timeline is printed for people."""

from __future__ import annotations

import io
import re

from rich.console import Console

from bridge.simulator.report import print_timeline, rows
from bridge.simulator.timeline import Entry, Timeline


def test_on_a_terminal() -> None:
    """On a terminal the timeline is coloured and long lines fold without losing a character."""
    xml = "<Response><Speak>" + "x" * 200 + "</Speak></Response>"
    timeline = Timeline([Entry(0.0, "asks", "answer", "", 1.0), Entry(0.0, "gets", "", xml)])
    out = io.StringIO()

    print_timeline(timeline, Console(file=out, force_terminal=True, width=80))

    assert "\x1b[" in out.getvalue()
    plain = re.sub(r"\x1b\[[0-9;]*m|\s", "", out.getvalue())
    assert f"10.0sanswer(1.0ms)PlivoXML{xml}" == plain


def test_of_whom() -> None:
    """What a dialled party hears and does is told from what the caller hears and does."""
    timeline = Timeline([Entry(0.0, "hears", "music"), Entry(0.0, "does", "hangs up", leg=2)])

    assert [("caller hears", "music"), ("party 2", "hangs up")] == [
        (row.label, row.text) for row in rows(timeline)
    ]


def test_what_goes_without_saying() -> None:
    """What a call waits for, met expectations and how parties ended are left out."""
    timeline = Timeline(
        [
            Entry(0.0, "listens", "GetDigits: keys"),
            Entry(1.0, "expects", "✓ a prompt", data={"ok": True}),
            Entry(1.0, "expects", "✗ a prompt", data={"ok": False}),
            Entry(2.0, "ends", "Busy Line (3010), by Carrier", leg=1),
            Entry(3.0, "ends", "Normal Hangup (4000), by Caller"),
        ]
    )

    assert ["✗ a prompt", "Normal Hangup (4000), by Caller"] == [row.text for row in rows(timeline)]


def test_turns_of_the_app() -> None:
    """A turn comes after the request that caused it; later ones leave out what stays the same."""
    told = {f"constant {number}": number for number in range(7)}
    first, second = {**told, "command": ""}, {**told, "command": "play", "command_result": "0"}
    timeline = Timeline(
        [
            Entry(0.0, "app", "", '{"a":1}\n{"command": "play"}', 2.0, data={"request": first}),
            Entry(0.0, "asks", "answer", "Event=StartApp", 3.0),
            Entry(1.0, "app", "", "{}\n", data={"request": second, "status": 200}),
            Entry(1.0, "tells", "hangup url"),
        ]
    )

    assert [
        ("1", "   0.0 s  answer with Event=StartApp  (3.0 ms)"),
        ("RT app is told", '{"a":1}'),
        ("RT app says", '{"command": "play"}  (2.0 ms)'),
        ("Plivo tells", "hangup url"),
        ("RT app is told", '{… "command": "play", "command_result": "0"}'),
        ("RT app says", "(status 200, nothing)"),
    ] == [(row.label, row.text) for row in rows(timeline)]


def test_retry_settings_are_left_out() -> None:
    """The fragment of a URL, which is never sent, does not drown the XML."""
    xml = "<Redirect>http://x/next#ct=2000&amp;rt=1000</Redirect>"

    (row,) = rows(Timeline([Entry(0.0, "gets", "", xml)]))

    assert "<Redirect>http://x/next</Redirect>" == row.text
