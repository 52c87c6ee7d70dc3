from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pydantic_core import to_json

from bridge.__main__ import main
from bridge.recordings import index, transcripts
from bridge.recordings.index import Recording
from bridge.recordings.transcripts import Transcript
from bridge.store import open_store
from bridge.store.protocol import Commit, RecordWrite

NOON = 1_717_156_800.0  # 2024-05-31T12:00:00Z
ENVIRON = {
    "BRIDGE_PUBLIC_URL": "https://voice.example.com",
    "BRIDGE_APP_URL": "http://127.0.0.1:8000/rt",
    "BRIDGE_PLIVO_AUTH_ID": "MAXXXXXXXXXXXXXXXXXX",
    "BRIDGE_PLIVO_AUTH_TOKEN": "hunter2",
    "BRIDGE_CONFIG": "",
}
RECORDINGS = [
    Recording("m1", "SHOP", 1, "r1", "caller", NOON, "https://media.test/r1.mp3", 7.25),
    Recording("r2", "SHOP", 2, "r2", "call", NOON + 1, transcribed=True),
    Recording("r3", "SHOP", 2, "r3", "call", NOON + 2, "https://media.test/r3.mp3", 60, True),
    Recording("r4", "B", 3, "r4", "call", NOON + 3, "https://media.test/r4.mp3", 15_000, True),
    Recording("r5", "B", 4, "r5", "call", NOON + 4, "https://media.test/r5.mp3", 5, True),
    Recording("m0", "SHOP", 5, "m0", "call", NOON - 1, "https://media.test/m0.mp3", 0.5, True),
]
TRANSCRIPTS = [
    Transcript("r3", "My name is Bond.\nJames Bond.", "", NOON + 90),
    Transcript("r4", "", "Recording duration too long", NOON + 90),
    Transcript("r5", "", "", NOON + 90),
]


def _write(kind: str, one: Any, at: float, app: str = "") -> RecordWrite:
    return RecordWrite(kind, one.name, 0, to_json(asdict(one)), sort=at, scope=app)


@pytest.fixture
async def store(tmp_path: Path) -> str:
    """Give a store with recordings in every state a transcript can be."""
    url = f"sqlite:///{tmp_path}/bridge.db"
    opened = open_store(url)
    await opened.open()
    records = [_write(index.KIND, one, one.begun_at, one.app) for one in RECORDINGS]
    records += [_write(transcripts.KIND, one, one.received_at) for one in TRANSCRIPTS]
    await opened.commit(Commit(records=records))
    await opened.close()
    return url


def run(store: str, *arguments: str) -> Result:
    """Run the command."""
    env = {**ENVIRON, "BRIDGE_STORE": store}
    return CliRunner().invoke(main, ["recordings", *arguments], env=env)


def test_table(store: str) -> None:
    """The newest comes first; what is not known yet is a dash."""
    result = run(store)

    header, *rows = result.stdout.splitlines()
    assert (0, "") == (result.exit_code, result.stderr)
    assert ["NAME", "APP", "CALL", "OF", "BEGUN", "SECONDS", "TRANSCRIPT", "URL"] == header.split()
    assert [
        ("r5", "ready"),
        ("r4", "failed"),
        ("r3", "ready"),
        ("r2", "awaited"),
        ("m1", "none"),
        ("m0", "failed"),
    ] == [(row.split()[0], row.split()[7]) for row in rows]
    assert "r2    SHOP  2     call    2024-05-31 12:00:01  -        awaited     -" == rows[3]
    assert rows[4].endswith("7.25     none        https://media.test/r1.mp3")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["r5", "r4", "r3", "r2", "m1", "m0"]),
        (["--app", "B"], ["r5", "r4"]),
        (["--call", "2"], ["r3", "r2"]),
        (["--limit", "2"], ["r5", "r4"]),
        (["--app", "SHOP", "--call", "2", "--limit", "1"], ["r3"]),
        (["--app", "NONE"], []),
    ],
)
def test_selection(store: str, arguments: list[str], expected: list[str]) -> None:
    """Recordings are chosen by app and call, up to a limit."""
    lines = run(store, "--format", "json", *arguments).stdout.splitlines()

    assert expected == [json.loads(line)["name"] for line in lines]


def test_json(store: str) -> None:
    """An object per line says everything but the text."""
    lines = run(store, "--format", "json", "--call", "3").stdout.splitlines()

    assert [
        {
            "name": "r4",
            "app": "B",
            "callid": 3,
            "recording_id": "r4",
            "of": "call",
            "begun": "2024-05-31T12:00:03.000Z",
            "seconds": 15_000,
            "url": "https://media.test/r4.mp3",
            "transcript": "failed",
            "error": "Recording duration too long",
        }
    ] == [json.loads(line) for line in lines]


def test_show(store: str) -> None:
    """The text is printed as it came."""
    result = run(store, "show", "r3")

    assert (0, "My name is Bond.\nJames Bond.\n", "") == (
        *(result.exit_code, result.stdout),
        result.stderr,
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("m1", "m1: nobody asked for a transcript of this recording"),
        ("r2", "r2: Plivo has not sent the transcript yet"),
        ("m0", "m0: it is too short: Plivo transcribes what is longer than half a second.\n"),
        ("r4", "r4: Plivo could not transcribe it: Recording duration too long"),
        ("r5", "r5: Plivo heard nobody speak."),
        ("r9", "The bridge knows no recording r9, or no more."),
    ],
)
def test_nothing_to_show(store: str, name: str, why: str) -> None:
    """Without a text the exit status is 1, and a sentence says why there is none."""
    result = run(store, "show", name)

    assert (1, "") == (result.exit_code, result.stdout)
    assert result.stderr.startswith(why)


@pytest.mark.parametrize(("name", "text"), [("r3", TRANSCRIPTS[0].text), ("r2", None), ("r5", "")])
def test_show_as_json(store: str, name: str, text: str | None) -> None:
    """As JSON the state is told in any case; the text is null as long as there is none."""
    result = run(store, "show", name, "--format", "json")

    found = json.loads(result.stdout)
    assert (0, name, text) == (result.exit_code, found["name"], found["text"])


@pytest.mark.parametrize("arguments", [[], ["show", "r1"]])
@pytest.mark.parametrize(
    ("store", "status", "why"),
    [
        ("memory:", 1, "BRIDGE_STORE is memory"),
        ("sqlite:////nowhere/bridge.db", 1, "There is no store"),
        ("nonsense", 2, "BRIDGE_STORE"),
    ],
)
def test_stores_that_cannot_be_read(
    store: str, arguments: list[str], status: int, why: str
) -> None:
    """A store that cannot be read is exit status 1, one that is none 2."""
    result = run(store, *arguments)

    assert status == result.exit_code
    assert why in result.stderr
