"""Print a timeline for people: turn by turn what was asked, decided, heard and done.

The retry settings that follow a URL as its fragment are left out of the XML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from bridge.simulator.timeline import Entry, Kind, Timeline

Language = Literal["xml", "json", ""]

LABELS: Final[dict[Kind, str]] = {
    "app": "RT app",
    "gets": "Plivo XML",
    "hears": "caller hears",
    "does": "caller",
    "tells": "Plivo tells",
    "fetches": "Plivo fetches",
    "dials": "Plivo dials",
    "leg": "party",
    "room": "conference",
    "records": "recording",
    "sends": "Plivo texts",
    "streams": "stream",
    "listens": "waits for",
    "rest": "REST",
    "fault": "FAULT",
    "expects": "expected",
    "ends": "call ends",
    "problem": "PROBLEM",
}
STYLES: Final[dict[Kind, str]] = {"hears": "green", "does": "yellow", "problem": "bold red"}
WIDTH: Final = 15
#: The fields of RT.Request that stay the same for a call: its first request shows them.
CONSTANT: Final = 7
#: Retry settings after a URL: configuration that is never sent, and drowns the rest.
FRAGMENT: Final = re.compile(r"#(?:ct|rt|tt|rc|rp|er)=[^\"'<\s]*")


@dataclass(frozen=True, slots=True)
class Row:
    """One printed item; `kind` None begins a turn."""

    kind: Kind | None
    label: str
    text: str
    language: Language = ""


def rows(timeline: Timeline) -> Iterator[Row]:
    """Put the entries into reading order: a turn's question first, then what came of it."""
    turn = 0
    meanwhile: list[Entry] = []
    for entry in timeline.entries:
        match entry.kind:
            case "app":
                meanwhile.append(entry)
            case "asks":
                turn += 1
                with_ = f" with {entry.detail}" if entry.detail else ""
                yield Row(None, f"{turn}", f"{entry.at:6.1f} s  {entry.text}{with_}{_ms(entry)}")
                yield from _flushed(meanwhile)
            case "gets":
                yield Row("gets", LABELS["gets"], FRAGMENT.sub("", entry.detail), "xml")
            case _ if _goes_without_saying(entry):
                pass
            case "tells" | "ends":
                yield Row(entry.kind, _label(entry), entry.text + _ms(entry))
                yield from _flushed(meanwhile)
            case _:
                yield Row(entry.kind, _label(entry), entry.text + _ms(entry))
    yield from _flushed(meanwhile)


def _goes_without_saying(entry: Entry) -> bool:
    """Say whether a reader knows it already: the XML, or the state of the party, says the same."""
    if entry.kind == "expects":
        return bool(entry.data.get("ok"))
    return entry.kind == "listens" or (entry.kind == "ends" and entry.leg > 0)


def _label(entry: Entry) -> str:
    """Name who it is about; what a dialled party hears and does is not the caller's."""
    label = LABELS[entry.kind]
    return label.replace("caller", f"party {entry.leg}") if entry.leg else label


def print_timeline(timeline: Timeline, console: Console) -> None:
    """Print it: coloured and wrapped on a terminal, else plain with one item per line."""
    for row in rows(timeline):
        if console.is_terminal:
            if row.kind is None:
                console.print()
            console.print(_pretty(row))
        else:
            for line in _plain(row):
                # Not console.print: it would fold long lines, and logs are searched by line.
                console.file.write(line.rstrip() + "\n")


def _flushed(meanwhile: list[Entry]) -> Iterator[Row]:
    for entry in meanwhile:
        request, _, reply = entry.detail.partition("\n")
        told = entry.data.get("request", {})
        if told.get("command"):
            changing = dict(list(told.items())[CONSTANT:])
            request = "{… " + json.dumps(changing, ensure_ascii=False)[1:]
        yield Row("app", "RT app is told", request, "json")
        status = f"(status {entry.data.get('status')}, nothing)"
        yield Row("app", "RT app says", (reply or status) + _ms(entry), "json")
    meanwhile.clear()


def _ms(entry: Entry) -> str:
    return "" if entry.ms is None else f"  ({entry.ms:.1f} ms)"


def _plain(row: Row) -> Iterator[str]:
    if row.kind is None:
        yield ""
        yield f"{row.label:>3}  {row.text}"
        return
    label = row.label
    for line in row.text.splitlines() or [""]:
        yield f"     {label:{WIDTH}}{line}"
        label = ""


def _pretty(row: Row) -> Table:
    table = Table.grid(padding=(0, 0))
    if row.kind is None:
        table.add_column(width=5)
        table.add_column()
        table.add_row(Text(f"{row.label:>3}", "bold cyan"), Text(row.text, "bold"))
        return table
    table.add_column(width=5)
    table.add_column(width=WIDTH)
    table.add_column()
    content = Text(row.text, STYLES.get(row.kind, ""))
    if row.language:
        # As Text it folds; a Syntax in a table cuts long lines off.
        content = Syntax("", row.language, theme="ansi_dark").highlight(row.text)
        content.rstrip()
    content.no_wrap, content.overflow = False, "fold"
    table.add_row("", Text(row.label, "dim"), content)
    return table


__all__ = ["Row", "print_timeline", "rows"]
