from __future__ import annotations

import asyncio
import csv
import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bridge.__main__ import main
from bridge.cdr.record import Cdr, written
from bridge.cdr.show import COLUMNS
from bridge.store import open_store
from bridge.store.protocol import Commit

NOON = 1_717_156_800.0  # 2024-05-31T12:00:00Z
ENVIRON = {
    "BRIDGE_PUBLIC_URL": "https://voice.example.com",
    "BRIDGE_APP_URL": "http://127.0.0.1:8000/rt",
    "BRIDGE_PLIVO_AUTH_ID": "MAXXXXXXXXXXXXXXXXXX",
    "BRIDGE_PLIVO_AUTH_TOKEN": "hunter2",
    "BRIDGE_CONFIG": "",
}


def a_cdr(callid: int, leg: int = 0, *, ended_at: float = NOON, **changed: Any) -> Cdr:
    """Make a record of a call of a minute."""
    values: dict[str, Any] = {
        "app": "SHOP",
        "direction": "dialled" if leg else "inbound",
        "caller": "+33612345678",
        "called": "+33187654321",
        "started_at": ended_at - 70,
        "answered_at": ended_at - 60,
        "duration": 60,
        "billed": 60,
        "status": "HANGUP",
        "ended_by": "Caller",
        "cause_code": "4000",
        "cause": "Normal Hangup",
        "uuid": f"u{callid}.{leg}",
        **changed,
    }
    return Cdr(callid, leg, ended_at=ended_at, **values)


async def fill(url: str, cdrs: list[Cdr]) -> str:
    """Write records into a store and close it."""
    opened = open_store(url)
    await opened.open()
    records = [written(one, 0, keep_s=10, redact=False) for one in cdrs]
    await opened.commit(Commit(records=records))
    await opened.close()
    return url


@pytest.fixture
async def store(tmp_path: Path) -> str:
    """Give a store with six records: two legs of call 1, an hour later call 2, and so on."""
    cdrs = [
        a_cdr(1, commands=[("play", "ok", 2), ("read", "TIMEOUT", 1)], cdr_field="K7"),
        a_cdr(1, 1, ended_at=NOON - 1, uuid=""),
        *(
            a_cdr(n, ended_at=NOON + 3600 * (n - 1), app="SHOP" if n < 4 else "B")
            for n in (2, 3, 4)
        ),
        a_cdr(5, ended_at=NOON + 20_000, answered_at=None, duration=None, billed=None, caller=""),
    ]
    return await fill(f"sqlite:///{tmp_path}/bridge.db", cdrs)


def run(store: str, *arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(main, ["cdr", *arguments], env={**ENVIRON, "BRIDGE_STORE": store})


def listed(store: str, *arguments: str) -> list[str]:
    """Run it and give which legs it lists."""
    result = run(store, "--format", "json", *arguments)
    assert (0, "") == (result.exit_code, result.stderr)
    found = [json.loads(line) for line in result.stdout.splitlines()]
    return [f"{one['callid']}.{one['leg']}" for one in found]


def test_json_has_every_member(store: str) -> None:
    """Each line is one object with the documented members, times in UTC."""
    lines = run(store, "--format", "json", "--call", "1").stdout.splitlines()

    first, second = map(json.loads, lines)
    assert list(COLUMNS) == list(first) == list(second)
    assert {
        "callid": 1,
        "leg": 0,
        "app": "SHOP",
        "direction": "inbound",
        "from": "+33612345678",
        "to": "+33187654321",
        "uuid": "u1.0",
        "request_hash": None,
        "cdr_field": "K7",
        "start": "2024-05-31T11:58:50.000Z",
        "answer": "2024-05-31T11:59:00.000Z",
        "end": "2024-05-31T12:00:00.000Z",
        "duration": 60,
        "billed": 60,
        "status": "HANGUP",
        "ended_by": "Caller",
        "cause_code": "4000",
        "cause": "Normal Hangup",
        "commands": [
            {"name": "play", "result": "ok", "times": 2},
            {"name": "read", "result": "TIMEOUT", "times": 1},
        ],
    } == second
    (last,) = run(store, "--format", "json", "--call", "5").stdout.splitlines()
    assert (None, None, None) == tuple(
        json.loads(last)[n] for n in ("answer", "duration", "billed")
    )


def test_csv_has_every_column(store: str) -> None:
    """The first line names the columns; unknown values are empty, commands are one cell."""
    rows = list(csv.DictReader(io.StringIO(run(store, "--format", "csv").stdout, newline="")))

    assert list(COLUMNS) == list(rows[0])
    assert ("1", "+33612345678", "play:ok*2 read:TIMEOUT") == (
        *(rows[1]["callid"], rows[1]["from"]),
        rows[1]["commands"],
    )
    assert ("", "", "") == tuple(rows[-1][name] for name in ("from", "answer", "duration"))


def test_table(store: str) -> None:
    """The table shows each leg on a line, dialled ones as callid.leg."""
    result = run(store)

    lines = result.stdout.splitlines()
    assert 0 == result.exit_code
    header = ["CALL", "APP", "DIRECTION", "FROM", "TO", "START", "SECONDS", "STATUS", "ENDED", "BY"]
    assert header == lines[0].split()
    assert ["1.1", "1", "2", "3", "4", "5"] == [line.split()[0] for line in lines[1:]]
    assert "2024-05-31 11:58:50  60       HANGUP  Caller (4000)" in lines[2]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["1.1", "1.0", "2.0", "3.0", "4.0", "5.0"]),
        (["--app", "B"], ["4.0"]),
        (["--app", "NONE"], []),
        (["--call", "1"], ["1.1", "1.0"]),
        (["--limit", "2"], ["4.0", "5.0"]),
        (["--limit", "0"], ["1.1", "1.0", "2.0", "3.0", "4.0", "5.0"]),
        (["--since", "2024-05-31T13:00"], ["2.0", "3.0", "4.0", "5.0"]),
        (["--until", "2024-05-31T13:00"], ["1.1", "1.0"]),
        (["--since", "2024-05-31T13:00", "--until", "2024-05-31T15:00"], ["2.0", "3.0"]),
        (["--until", "2024-05-31T15:00", "--limit", "1"], ["3.0"]),
        (["--since", "2024-05-31T14:30", "--limit", "9"], ["4.0", "5.0"]),
        (["--since", "1h"], []),
    ],
)
def test_selection(store: str, arguments: list[str], expected: list[str]) -> None:
    """Legs are chosen by app, call and end (from since on, before until), the newest up to a limit."""
    assert expected == listed(store, *arguments)


def test_more_records_than_a_page(tmp_path: Path) -> None:
    """Every record is listed once, however many pages they take."""
    cdrs = [a_cdr(n, ended_at=NOON + n // 3) for n in range(1, 1202)]
    url = asyncio.run(fill(f"sqlite:///{tmp_path}/bridge.db", cdrs))

    assert [f"{n}.0" for n in range(1, 1202)] == sorted(
        listed(url), key=lambda one: int(one.partition(".")[0])
    )
    assert 1100 == len(listed(url, "--limit", "1100"))
    assert 101 == len(run(url).stdout.splitlines())


@pytest.mark.parametrize("output_format", ["table", "csv", "json"])
def test_redacted(store: str, output_format: str) -> None:
    """With --redact no number is printed in full."""
    text = run(store, "--redact", "--format", output_format).stdout

    assert "+336*****78" in text
    assert [] == [number for number in ("612345", "187654") if number in text]


def test_output_file(store: str, tmp_path: Path) -> None:
    """A file is written for its owner alone, and replaced the next time."""
    target = tmp_path / "calls.csv"
    for _ in range(2):
        result = run(store, "--format", "csv", "-o", str(target))
        assert (0, "") == (result.exit_code, result.output)

    assert 7 == len(target.read_text(encoding="utf-8").splitlines())
    assert 0o600 == stat.S_IMODE(target.stat().st_mode)


def test_output_that_cannot_be_written(store: str, tmp_path: Path) -> None:
    """A file in a directory that is not there is a sentence and exit status 1."""
    result = run(store, "-o", str(tmp_path / "no" / "calls.csv"))

    assert 1 == result.exit_code
    assert "calls.csv cannot be written: No such file or directory." in result.stderr


@pytest.mark.parametrize(
    ("store", "arguments", "status", "why"),
    [
        ("memory:", [], 1, "BRIDGE_STORE is memory"),
        ("sqlite:////nowhere/bridge.db", [], 1, "There is no store /nowhere/bridge.db"),
        ("memory:", ["--since", "soon"], 2, "'soon' is no time"),
        ("nonsense", [], 2, "BRIDGE_STORE"),
        ("memory:", ["--format", "xml"], 2, "is not one of"),
        ("memory:", ["--limit", "-1"], 2, "--limit"),
    ],
)
def test_what_cannot_be_done(store: str, arguments: list[str], status: int, why: str) -> None:
    """Bad usage is exit status 2 and a store that cannot be read 1, each with a sentence."""
    result = run(store, *arguments)

    assert (status, "") == (result.exit_code, result.stdout)
    assert why in result.stderr
