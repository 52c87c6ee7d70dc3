from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.simulator.timeline import Entry, Timeline
from bridge.testing.recording import Recorder, RecordingError, read_recording

Make = Callable[..., Any]
PLAY = {"command": "play", "command_id": "a", "params": {"media_id": 1}, "variables": []}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a file that is not there yet."""
    return tmp_path / "calls.jsonl"


def test_a_call_is_recorded_with_what_was_heard_and_done(path: Path, heard: Make) -> None:
    """Each turn holds request and reply, and the phone's side since the turn before."""
    timeline = Timeline()
    with Recorder(path, redact="none") as recorder:
        timeline.listeners.append(recorder.entry)
        timeline.add(Entry(0.0, "asks", "answer URL", data={"url": "http://h/secret"}))
        recorder.turn(heard(PLAY, at=0.0004, ms=1.26), simulated_call=1)
        timeline.add(Entry(1.0, "hears", "…", data={"element": "Speak", "text": "Hi", "voice": ""}))
        timeline.add(Entry(2.0, "does", "…", data={"action": "press", "keys": "1"}))
        timeline.add(Entry(3.0, "dials", "…", data={"number": "+1", "leg": 1}))
        timeline.add(Entry(4.0, "leg", "…", data={"leg": 1, "state": "busy"}))
        recorder.turn(heard({"command": "hangup"}, at=5, command="play"), simulated_call=1)
        timeline.add(Entry(6.0, "ends", "…", data={"code": "4000", "source": "API", "x": 1}))
        recorder.turn(heard(at=6, call_status="HANGUP"), simulated_call=1)
        timeline.add(Entry(7.0, "leg", "…", data={"leg": 1, "state": "ended"}))

    first, second, final = read_recording(path).turns
    assert (1, 1, 0.0, PLAY, 200, 1.3, ()) == (
        first.call,
        first.number,
        first.at,
        first.reply,
        first.status,
        first.ms,
        first.caller,
    )
    assert (
        {"at": 1.0, "kind": "hears", "leg": 0, "element": "Speak", "text": "Hi"},
        {"at": 2.0, "kind": "does", "leg": 0, "action": "press", "keys": "1"},
        {"at": 3.0, "kind": "dials", "leg": 1, "number": "+1"},
        {"at": 4.0, "kind": "leg", "leg": 1, "state": "busy"},
    ) == second.caller
    assert ({"at": 6.0, "kind": "ends", "leg": 0, "code": "4000", "source": "API"},) == final.caller
    assert ({"at": 7.0, "kind": "leg", "leg": 1, "state": "ended"},) == final.after
    assert ("", None, 3) == (final.body, final.reply, final.number)


def test_the_timeline_of_a_simulation_is_enough(path: Path, heard: Make) -> None:
    """Entries of the kind `app` are turns, with the time of the simulation and its call number."""
    turn = heard(PLAY)
    data = {"request": turn.request, "status": 200, "body": turn.body.decode(), "failure": ""}

    with Recorder(path, redact="none") as recorder:
        recorder.entry(Entry(1.5, "app", "play", ms=2.0, call=3, data=data))
        recorder.entry(Entry(2.0, "app", "play", ms=None, call=3, data=data | {"status": None}))

    first, second = read_recording(path).turns
    assert (1, 1.5, PLAY, 2.0) == (first.call, first.at, first.reply, first.ms)
    assert (2, None, None) == (second.number, second.status, second.reply)


def test_what_an_element_made_of_keys_is_left_out(path: Path, heard: Make) -> None:
    """Only what people do is recorded, so that a key counts once."""
    with Recorder(path) as recorder:
        for action in ("press", "typed", "lost", "silence", "call"):
            recorder.entry(Entry(0, "does", "", data={"action": action, "keys": "1"}))
        recorder.turn(heard(PLAY), simulated_call=1)

    (turn,) = read_recording(path).turns
    assert [("press", "1")] == [(entry["action"], entry["keys"]) for entry in turn.caller]


def test_calls_at_once_are_kept_apart(path: Path, heard: Make) -> None:
    """Turns stand in the order in which they came, each with the number of its call."""
    with Recorder(path) as recorder:
        for call in (12, 9, 12):
            recorder.entry(Entry(0, "room", "", call=call, data={"room": f"r{call}"}))
            recorder.turn(heard(PLAY, call=call))

    turns = read_recording(path).turns
    assert [(1, 1, 12), (2, 1, 9), (1, 2, 12)] == [
        (turn.call, turn.number, turn.request["callid"]) for turn in turns
    ]
    assert ["r12", "r9", "r12"] == [turn.caller[0]["room"] for turn in turns]


@pytest.mark.parametrize(
    ("body", "status", "failure", "expected"),
    [
        (b"<b>Warning</b>{}", 200, "not JSON", (None, "<b>Warning</b>{}", "not JSON", 200)),
        (b"Internal error \xff", 500, "500", (None, "Internal error \ufffd", "500", 500)),
        (b'{"command": "hangup"}', 500, "500", (None, '{"command": "hangup"}', "500", 500)),
        (b"", None, "no reply within 5 s", (None, None, "no reply within 5 s", None)),
        (b'\xef\xbb\xbf {"command":""} ', 200, "", ({"command": ""}, None, "", 200)),
        (b'{"variables":{"a":1e999}}', 200, "", (None, '{"variables":{"a":1e999}}', "", 200)),
        (b"x" * 20_000, 200, "not JSON", (None, "x" * 10_000, "not JSON", 200)),
    ],
)
def test_replies_that_are_none_are_kept_as_text(
    path: Path, heard: Make, *, body: bytes, status: int | None, failure: str, expected: Any
) -> None:
    """What is no RT.Response is kept as the beginning of its body, beside the reason."""
    with Recorder(path, redact="none") as recorder:
        recorder.turn(heard(body, status=status, failure=failure))

    (turn,) = read_recording(path).turns
    assert expected == (turn.reply, turn.body, turn.failure, turn.status)


def test_endless_nesting_is_cut(path: Path, heard: Make) -> None:
    """Variables nested beyond reason neither break the recorder nor its readers."""
    deep: Any = 1
    for _ in range(400):
        deep = {"x": deep}

    with Recorder(path) as recorder:
        recorder.turn(heard({"command": "play", "variables": deep}, variables=deep))

    (turn,) = read_recording(path).turns
    assert turn.reply is None
    assert "[nested too deeply]" in str(turn.request["variables"])


def test_off_records_nothing(path: Path, heard: Make) -> None:
    """The recorder may stay in place while it is off."""
    with Recorder(path, "off") as recorder:
        recorder.entry(Entry(0, "hears", ""))
        recorder.turn(heard(PLAY))

    assert not recorder.recording
    assert not path.exists()


def test_once_keeps_the_file_there_is(path: Path, heard: Make) -> None:
    """The first run records, later ones leave the file as it is."""
    for reply in ({"command": "play"}, {"command": "hangup"}):
        with Recorder(path, "once") as recorder:
            recorder.turn(heard(reply))

    assert [{"command": "play"}] == [turn.reply for turn in read_recording(path).turns]


def test_overwrite_replaces_and_never_appends(path: Path, heard: Make) -> None:
    """The second run's recording holds the second run alone."""
    for reply in ({"command": "play"}, {"command": "hangup"}):
        with Recorder(path) as recorder:
            recorder.turn(heard(reply))

    assert [{"command": "hangup"}] == [turn.reply for turn in read_recording(path).turns]


def test_a_failed_run_leaves_the_old_recording(path: Path, heard: Make) -> None:
    """A test that fails half-way does not replace a good recording by half of one."""
    with Recorder(path) as recorder:
        recorder.turn(heard(PLAY))
    before = path.read_bytes()

    def fail() -> None:
        with recorder:
            recorder.turn(heard({"command": "hangup"}))
            raise ZeroDivisionError

    recorder = Recorder(path)
    with pytest.raises(ZeroDivisionError):
        fail()

    recorder.close()
    assert before == path.read_bytes()


def test_other_modes_and_levels_are_errors(path: Path) -> None:
    """A misspelt mode is no silent default."""
    with pytest.raises(
        RecordingError, match="mode must be one of off, once, overwrite, not 'append'"
    ):
        Recorder(path, "append")  # type: ignore[arg-type]
    with pytest.raises(RecordingError, match="redact must be one of none, numbers, all, not 'yes'"):
        Recorder(path, redact="yes")  # type: ignore[arg-type]


SECRETS = ("612345678", "187654321", "4821", "Dupont", "hunter2", "aHVudGVyMg")


def secret_call(recorder: Recorder, heard: Make) -> None:
    """Record a call full of secrets: before, in and after the turn that shows them."""
    request = {"cli_name": "Dupont", "cli_number": "+33612345678", "number": "+33187654321"}
    told = [
        Entry(0, "hears", "+33612345678", data={"text": "PIN 4821 of 06 12 34 56 78, Dupont"}),
        *(Entry(0, "does", key, data={"action": "press", "keys": key}) for key in "4821#"),
        Entry(0, "dials", "", data={"number": "33612345678", "caller_id": "0187654321"}),
        Entry(0, "records", "", data={"url": "https://u:hunter2@h/+33612345678?k=4821"}),
    ]
    reply = {"command": "read", "params": {"media_id": "TTS|V|4821? 4 8 2 1!"}}
    for number, result in enumerate(("", "4821", "")):
        for entry in told:
            recorder.entry(entry)
        recorder.turn(
            heard(
                reply
                | {"variables": {"pin": 4821, "u": "http://x:hunter2@h", "auth": "aHVudGVyMg"}},
                command="read" if number else "",
                command_result=result,
                variables={"last": "4821", "who": "Mr Dupont"},
                command_error="REST_REFUSED: 33612345678",
                **request,
            ),
            simulated_call=1,
        )
    recorder.turn(
        heard(b"Warning: Dupont 4821 http://x:hunter2@h", failure="Dupont, 4821", **request),
        simulated_call=1,
    )
    for entry in told:
        recorder.entry(entry)


def test_no_write_path_shows_a_secret(path: Path, tmp_path: Path, heard: Make) -> None:
    """Grep finds no known secret in a recording, however it came to be written."""
    for written in (path, path, tmp_path / "once.jsonl"):
        mode: Any = "once" if "once" in written.name else "overwrite"
        with Recorder(written, mode) as recorder:
            secret_call(recorder, heard)
    by_hand = Recorder(tmp_path / "closed.jsonl")
    secret_call(by_hand, heard)
    by_hand.close()

    files = sorted(tmp_path.iterdir())
    assert ["calls.jsonl", "closed.jsonl", "once.jsonl"] == [file.name for file in files]
    for file in files:
        content = file.read_text().replace(" ", "")
        assert [] == [secret for secret in SECRETS if secret in content]


def test_plain_recording_shows_the_secrets_that_are_looked_for(path: Path, heard: Make) -> None:
    """The search above can fail: without redaction everything is found."""
    with Recorder(path, redact="none") as recorder:
        secret_call(recorder, heard)

    content = path.read_text()
    assert list(SECRETS) == [secret for secret in SECRETS if secret in content]


def test_same_key_gives_the_same_file(path: Path, tmp_path: Path, heard: Make) -> None:
    """Recording the same call again changes nothing when the masks are those of before."""
    for name in (path, tmp_path / "again.jsonl"):
        with Recorder(name, key=b"k", keep=["+33187654321"]) as recorder:
            secret_call(recorder, heard)

    assert path.read_bytes() == (tmp_path / "again.jsonl").read_bytes()
    assert "+33187654321" == read_recording(path).turns[0].request["number"]
