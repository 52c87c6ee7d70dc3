from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support_shell import shell

from bridge.state import FORMAT, CallState, Phase, UnreadableState, dump, load, open_command

TEXTS = st.text(max_size=20)
FLOATS = st.floats(0, 1e12)
COUNTS = st.integers(0, 10**6)
RECORDS = st.lists(st.dictionaries(TEXTS, TEXTS, max_size=3), max_size=3)

#: Strategies of the fields a state may have, by name.
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "callid": st.integers(1, 2**63),
    "app": TEXTS,
    "uuid": TEXTS,
    "started_at": FLOATS,
    "number": TEXTS,
    "cli_number": TEXTS,
    "cli_name": TEXTS,
    "caller_id": TEXTS,
    "request_hash": st.none() | TEXTS,
    "phase": st.sampled_from(Phase),
    "step": COUNTS,
    "answered": st.booleans(),
    "call_status": TEXTS,
    "variables": TEXTS,
    "cdr_field": TEXTS,
    "command": TEXTS,
    "command_id": TEXTS,
    "result": TEXTS | st.integers(-(10**30), 10**30),
    "error": TEXTS,
    "start": st.none() | st.lists(TEXTS, max_size=6),
    "log": st.lists(st.lists(TEXTS | st.integers(), max_size=4), max_size=4),
    "handed_at": FLOATS,
    "errors_in_row": COUNTS,
    "without_document": COUNTS,
    "call_recording": TEXTS,
    "inbox": st.dictionaries(TEXTS, TEXTS, max_size=3),
    "deferred": st.booleans(),
    "unwritten": RECORDS,
    "ended_at": st.none() | FLOATS,
    "cause": TEXTS,
    "answered_at": st.none() | FLOATS,
    "untold": st.booleans(),
    "transfers": COUNTS,
    "recordings": st.lists(st.lists(TEXTS, min_size=2, max_size=2), max_size=2),
    "holder": TEXTS,
    "broken": COUNTS,
}
#: Fields that are not stored.
ELSEWHERE = {"version", "running"}


def test_strategies_cover_every_field() -> None:
    """Every stored field is generated below."""
    assert {field.name for field in fields(CallState)} - ELSEWHERE == set(FIELDS)


@settings(max_examples=100)
@given(st.fixed_dictionaries(FIELDS), st.integers(1, 10**6))
def test_state_survives_being_stored(values: dict[str, Any], version: int) -> None:
    """What is stored comes back equal, with the version the store knows it by."""
    state = CallState(**values)

    found = load(dump(state), version)
    assert replace(state, version=version) == found
    assert isinstance(found.phase, Phase)


#: The stored form of every field, in order: calls in progress during an upgrade depend on it.
ORDER = (
    *("callid", "app", "uuid", "started_at", "number", "cli_number", "cli_name", "caller_id"),
    *("request_hash", "phase", "step", "answered", "call_status", "variables", "cdr_field"),
    *("command", "command_id", "result", "error", "start", "log", "handed_at", "errors_in_row"),
    *("without_document", "call_recording", "inbox", "deferred", "unwritten", "ended_at", "cause"),
    "answered_at",
)


def test_values_are_stored_in_their_order() -> None:
    """The array starts with its format; no field has moved since, and new ones follow."""
    fresh = CallState(7, "SHOP", "uuid", 1.5)

    stored = json.loads(dump(fresh))
    assert [FORMAT, *(getattr(fresh, name) for name in ORDER)] == stored[: 1 + len(ORDER)]


def test_what_is_read_again_is_not_stored() -> None:
    """The version belongs to the store, the open command is rebuilt from its log."""
    state = CallState(7, "SHOP", "uuid", 1.5, version=3, running=object())

    assert dump(CallState(7, "SHOP", "uuid", 1.5)) == dump(state)
    assert None is load(dump(state), 4).running


def test_fields_of_a_newer_release_are_ignored() -> None:
    """After going back a release a state with more fields is read."""
    stored = json.loads(dump(CallState(7, "SHOP", "uuid", 1.5, step=2)))
    newer = json.dumps([*stored, "good", [1, 2]]).encode()

    assert CallState(7, "SHOP", "uuid", 1.5, step=2, version=9) == load(newer, 9)


def test_fields_an_older_release_lacks_take_their_default() -> None:
    """A state stored before a field existed is read."""
    older = b'[2,7,"SHOP","uuid",1.5,"+33100000000"]'

    assert CallState(7, "SHOP", "uuid", 1.5, "+33100000000", version=1) == load(older, 1)


def test_states_of_the_first_releases_are_read() -> None:
    """They are objects that name what differs from a fresh state; unknown names are ignored."""
    older = (
        b'{"v":1,"callid":7,"app":"SHOP","uuid":"uuid","started_at":1.5,"phase":"waiting","step":3,'
        b'"start":[1,"read",1,"1",{},{}],"mood":"good"}'
    )

    expected = CallState(
        7,
        "SHOP",
        "uuid",
        1.5,
        phase=Phase.WAITING,
        step=3,
        start=[1, "read", 1, "1", {}, {}],
        version=1,
    )
    assert expected == load(older, 1)


@pytest.mark.parametrize(
    "blob", [b"[2,7]", b"7", b'{"v":1}', b'{"v":1,"callid":7,"phase":"x"}', b"["]
)
def test_what_is_no_state_is_refused(blob: bytes) -> None:
    """Something else raises what the start-up of the bridge expects of it."""
    with pytest.raises((ValueError, TypeError, LookupError)):
        load(blob, 1)


def test_states_do_not_share_their_lists() -> None:
    """Two states read from the same bytes can be changed apart."""
    blob = dump(CallState(7, "SHOP", "uuid", 1.5))
    one, other = load(blob, 1), load(blob, 1)
    one.log.append(["a"])
    one.inbox["reason"] = "x"
    one.unwritten.append({})

    assert CallState(7, "SHOP", "uuid", 1.5, version=1) == other


@pytest.mark.parametrize(
    ("phase", "start", "expected"),
    [
        (Phase.WAITING, [1, "read", 2, "1", {}, {}], ("read", 2)),
        (Phase.ENDED, [1, "read", 2, "1", {}, {}], None),
        (Phase.ASKING, None, None),
    ],
)
def test_open_command(
    phase: Phase, start: list[Any] | None, expected: tuple[str, int] | None
) -> None:
    """Only a live call with a start runs a command: its name and version."""
    state = CallState(7, "SHOP", "uuid", 1.5, phase=phase, start=start)

    assert expected == open_command(state)


def test_state_of_a_newer_form_is_not_guessed_at() -> None:
    """Fields in an order this release does not know are not read, and the error says what to do."""
    stored = [FORMAT + 1, *json.loads(dump(CallState(7, "SHOP", "uuid", 1.5)))[1:]]
    with pytest.raises(UnreadableState, match=f"format {FORMAT + 1}, this release reads up to"):
        load(json.dumps(stored).encode(), 1)


async def test_typical_live_call_is_small() -> None:
    """A call in the third attempt of a question, with the app's variables, takes at most 2 KB."""
    variables = {
        "session": "5f0c1d9a2b7e4c6f8a1b3d5e7f901234",
        "customer": {"id": 482_113, "name": "Müller, Élodie", "language": "fr", "vip": False},
        "menu": ["main", "billing", "invoice"],
        "retries": 2,
    }
    params = {
        "media_id": "TTS|TTS_FR-FR_AUDREY|Veuillez saisir votre numéro de client à huit chiffres, "
        "puis appuyez sur dièse. Si vous ne le connaissez pas, appuyez sur étoile.",
        "max_digits": 8,
        "attempts": 5,
        "timeout_ms": 8000,
    }
    reply = {
        "command": "read",
        "command_id": "ask_customer_number",
        "params": params,
        "variables": variables,
    }
    async with shell(reply) as world:
        callid = await world.answer("3d4f6b1c-8a1e-4d3b-9a57-0c5f2e7b1a90")
        for _ in range(2):
            await world.resume(callid, "next")
        stored = await world.store.load_call(callid)

        assert stored is not None
        assert 3 == (await world.state(callid)).step
        assert len(stored.blob) <= 2048
        assert b"482113" in stored.blob
