"""The verdicts find every kind of broken promise in records that were doctored, and none in a sound one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from chaos.figures import table
from chaos.record import Ask, Evidence, Fetched, Json, Notice, Outage, Seen
from chaos.verdicts import PATIENCE_S, violations

BASE = "https://chaos.example.com/plivo/SAY"
ONCE = "no step is asked twice without a kill inside its POST"
LEFT = "nobody is left without a document"
HEARD = "every HANGUP is delivered"
TOLD = "every result is delivered"
RIGHT = "every result is the right one"
COMMANDS: list[Json] = [
    {"command": "read", "command_id": "7-1", "variables": {}}
    | {"params": {"media_id": "TTS|X|7-1", "max_digits": 4, "attempts": 1, "timeout_ms": 3000}},
    {"command": "play", "command_id": "7-2", "variables": {}, "params": {"media_id": "TTS|X|7-2"}},
    {"command": "hangup", "command_id": "7-3", "variables": {}, "params": {}},
]
QUESTION = (
    f'<Response><GetDigits action="{BASE}/7/1/digits#rc=5" numDigits="4"><Speak>7-1</Speak>'
    f"</GetDigits><Redirect>{BASE}/7/1/next#rc=5</Redirect></Response>"
)
STORY = f"<Response><Speak >7-2</Speak><Redirect>{BASE}/7/2/next#rc=5</Redirect></Response>"
COME_BACK = f'<Response><Wait length="1"/><Redirect>{BASE}/7/1/next#rc=5</Redirect></Response>'
END = "<Response><Hangup/></Response>"


def body(command: str = "", command_id: str = "0", result: str = "", status: str = "UP") -> bytes:
    """Write a request of call 7."""
    words = {"command": command, "command_id": command_id, "command_result": result}
    request = {"callid": 7, "request_hash": None, "command_error": "", "call_status": status}
    return json.dumps(request | words).encode()


def ask(at: float, said: bytes, reply: Json | None = None, failure: str = "") -> Ask:
    """Make a request that replica1.1 sent and the app answered within 0.1 s."""
    return Ask(at, "replica1.1", said, reply, failure, answered=at + 0.1)


def fetched(at: float, path: str, xml: str, **form: str) -> Fetched:
    """Make a document that came within 0.2 s."""
    return Fetched("action", f"{BASE}/{path}", form, at, at + 0.2, xml=xml.encode())


def sound() -> Evidence:
    """Make the record of one call in which everything went well."""
    call = Seen(1, "u1", "33600000001", ended=9.2)
    call.documents = [
        fetched(1.0, "answer", QUESTION),
        fetched(4.0, "7/1/digits", STORY, Digits="42"),
        fetched(9.0, "7/2/next", END),
    ]
    asks = [
        ask(1.05, body(), COMMANDS[0]),
        ask(4.05, body("read", "7-1", "42"), COMMANDS[1]),
        ask(9.05, body("play", "7-2", "0"), COMMANDS[2]),
        ask(9.5, body("hangup", "7-3", "", "HANGUP")),
    ]
    return Evidence(asks, [call], stopped=[0, 0, 0])


Doctor = Callable[[Evidence], object]


def _again(found: Evidence) -> None:
    found.asks.insert(2, ask(4.5, found.asks[1].body, COMMANDS[1]))


def _back(found: Evidence) -> None:
    found.asks.insert(3, ask(9.2, found.asks[1].body, COMMANDS[2]))


def _other_result(found: Evidence) -> None:
    found.asks.insert(2, ask(4.5, body("read", "7-1", "43"), COMMANDS[1]))


def _skip(found: Evidence) -> None:
    del found.asks[2]


def _wrong_digits(found: Evidence) -> None:
    found.asks[1] = ask(4.05, body("read", "7-1", "24"), COMMANDS[1])


def _unheard(found: Evidence) -> None:
    del found.asks[3]


def _another_end(found: Evidence) -> None:
    found.asks[3].failure = "reset"
    found.asks.append(ask(11.0, body("hangup", "7-3", "0", "HANGUP")))


def _end_again(found: Evidence) -> None:
    found.asks.append(replace(found.asks[3], at=11.0, answered=11.1))


def _question_after_the_end(found: Evidence) -> None:
    found.asks[3].at = 9.01


def _lost_document(found: Evidence) -> None:
    found.calls[0].problems.append("the action URL gave no answer: Server disconnected")


def _two_documents(found: Evidence) -> None:
    found.calls[0].problems.append("the same action request got two different documents")


def _untaken(found: Evidence) -> None:
    found.calls[0].problems.append("hangup url gave no answer: Server disconnected")


def _lost_recording(found: Evidence) -> None:
    # The caller hung up while recording, and HANGUP does not say what was recorded.
    record = {"command": "record", "command_id": "7-2", "variables": {}, "params": {}}
    notice = f"{BASE}/7/2/notice/recording/m0123456789abcdefghijk#rc=5"
    document = f'<Response><Record callbackUrl="{notice}" finishOnKey="#"/></Response>'
    call = found.calls[0]
    call.documents[1:] = [fetched(4.0, "7/1/digits", document, Digits="42")]
    call.notices.append(Notice("recording", notice, 6.0, 200))
    found.asks[1].reply = record
    found.asks[2:] = [ask(9.5, body("record", "7-2", "", "HANGUP"))]


def _endless(found: Evidence) -> None:
    documents = found.calls[0].documents
    documents[1:1] = [fetched(4.0 + n, "7/1/next", COME_BACK) for n in range(3)]
    documents[4].came = 4.0 + PATIENCE_S + 0.3


def _lives(found: Evidence) -> None:
    found.calls[0].ended = None


def _stored(found: Evidence) -> None:
    found.unfinished.append("final:7")


def _two_calls(found: Evidence) -> None:
    found.calls[0].documents[1].url = f"{BASE}/8/1/digits"


def _never_told(found: Evidence) -> None:
    found.accepted.append("hash1")


def _dialled_twice(found: Evidence) -> None:
    found.dialled += ["33600000009"] * 2


@pytest.mark.parametrize(
    ("doctor", "promise"),
    [
        (_again, ONCE),
        (_back, ONCE),
        (_other_result, ONCE),
        (_skip, TOLD),
        (_wrong_digits, RIGHT),
        (_unheard, HEARD),
        (_never_told, HEARD),
        (_another_end, "repeats of HANGUP are byte-identical"),
        (_end_again, "HANGUP is repeated only with a reason"),
        (_question_after_the_end, "no question after HANGUP"),
        (_lost_document, LEFT),
        (_endless, LEFT),
        (_untaken, "every notification is taken"),
        (_lost_recording, RIGHT),
        (_two_documents, "one step, one document"),
        (_lives, "every call ends"),
        (_stored, "every call ends"),
        (_two_calls, "one call, one callid"),
        (_dialled_twice, "nobody is called twice"),
        (lambda found: found.faults.append('{"event":"webhook.fault"}'), "no fault of the bridge"),
        (lambda found: found.stopped.append(1), "no fault of the bridge"),
    ],
)
def test_broken_promise_is_found(doctor: Doctor, promise: str) -> None:
    """One thing that must not be is told under the promise it breaks."""
    found = sound()
    doctor(found)

    assert promise in {one.promise for one in violations(found)}


def test_sound_record_breaks_no_promise() -> None:
    """A call in which everything went well is not complained about."""
    assert [] == violations(sound())


@pytest.mark.parametrize(
    ("process", "begin", "end", "excuses"),
    [
        ("replica1.1", 4.1, 4.12, True),
        # What a process sent may arrive after its death.
        ("replica1.1", 3.9, 4.0, True),
        ("replica1.2", 4.1, 4.12, False),
        ("replica2.1", 4.1, 4.12, False),
        # The document that followed was handed out before.
        ("replica1.1", 4.3, 4.4, False),
    ],
)
def test_only_a_kill_inside_the_post_excuses(
    process: str, begin: float, end: float, excuses: bool
) -> None:
    """A question may be repeated when the process that put it died before the reply was stored."""
    found = sound()
    _again(found)
    found.kills.append(Outage(process, begin, end))

    assert excuses == (violations(found) == [])


@pytest.mark.parametrize(("begin", "end", "excuses"), [(3.0, 4.1, True), (5.0, 6.0, False)])
def test_store_that_was_away_excuses(begin: float, end: float, excuses: bool) -> None:
    """A reply that could not be stored is asked for again, whoever asks."""
    found = sound()
    _again(found)
    found.outages.append(Outage("store", begin, end))

    assert excuses == (violations(found) == [])


@pytest.mark.parametrize(("failure", "excuses"), [("reset", True), ("503", True), ("500", False)])
def test_end_that_may_not_have_been_heard_is_repeated(failure: str, excuses: bool) -> None:
    """HANGUP may be repeated in the same words when its reply leaves open whether it was heard."""
    found = sound()
    found.asks[3].failure = failure
    _end_again(found)

    assert excuses == (violations(found) == [])


def test_app_that_failed_hears_the_end_in_the_words_of_its_last_question() -> None:
    """After a failed reply the call ends, and HANGUP tells what was told before."""
    found = sound()
    found.asks[2:] = [ask(9.5, body("read", "7-1", "42", "HANGUP"))]
    found.asks[1].reply, found.asks[1].failure = None, "500"

    assert [] == violations(found)


def test_reply_that_got_lost_without_a_reason_is_found() -> None:
    """The same without a failure is a result that never arrived."""
    found = sound()
    found.asks[2:] = [ask(9.5, body("read", "7-1", "42", "HANGUP"))]

    assert {TOLD} == {one.promise for one in violations(found)}


def test_recording_that_hangup_names_is_right() -> None:
    """A recording that the caller ended by hanging up is told by its name."""
    found = sound()
    _lost_recording(found)
    found.asks[2] = ask(9.5, body("record", "7-2", "m0123456789abcdefghijk", "HANGUP"))

    assert [] == violations(found)


@pytest.mark.parametrize(("lost", "promises"), [(1, set()), (2, {LEFT})])
def test_document_that_the_fallback_url_gave_is_not_missed(lost: int, promises: set[str]) -> None:
    """Whoever is served by the fallback URL is not left; each rescue makes up for one document."""
    found = sound()
    call = found.calls[0]
    call.documents[0].label, call.documents[0].url = "fallback", f"{BASE}/fallback"
    call.documents.insert(0, Fetched("answer", f"{BASE}/answer", {}, 0.1, 0.9, attempts=6))
    call.problems += ["the answer URL gave no answer: Server disconnected"] * lost

    assert promises == {one.promise for one in violations(found)}
    assert "given by the fallback URL             1" in table(found, [])


def test_fallback_url_without_a_document_rescues_nobody() -> None:
    """Neither URL gave a document: the caller is left."""
    found = sound()
    for label in ("fallback", "answer"):
        lost = Fetched(label, f"{BASE}/{label}", {}, 0.1, 0.9, attempts=6)
        found.calls[0].documents.insert(0, lost)
        found.calls[0].problems.append(f"the {label} URL gave status 503: Sorry")

    assert {LEFT} == {one.promise for one in violations(found)}


@pytest.mark.parametrize(("late", "excuses"), [(1.8, True), (0.3, False)])
def test_app_that_was_late_without_knowing_is_excused(late: float, excuses: bool) -> None:
    """Where its process had too much to do, the bridge may have given the app up."""
    found = sound()
    found.asks[2:] = [ask(9.5, body("read", "7-1", "42", "HANGUP"))]
    found.late += [(3.0, late)]

    assert excuses == (violations(found) == [])


def test_coming_back_for_a_while_is_no_violation() -> None:
    """Documents that only lead back are not steps, and may come for some seconds."""
    found = sound()
    found.calls[0].documents.insert(1, fetched(3.0, "7/1/digits", COME_BACK, Digits="42"))

    assert [] == violations(found)


def test_table_shows_what_is_broken() -> None:
    """The figures end with the promises that were broken, and their sentences."""
    found = sound()
    _unheard(found)

    text = table(found, violations(found))
    assert f"BROKEN 1 times: {HEARD}\n  the app never heard that 7 ended" in text
    assert "Every promise was kept." in table(sound(), [])
