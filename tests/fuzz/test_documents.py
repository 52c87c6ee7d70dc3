"""Whatever an app replies and whatever Plivo reports: valid documents and documented results."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, Final, get_args

import pytest
from fuzz import hostile
from fuzz.replies import LIBRARY, random_reply
from fuzz.results import DOCUMENTED
from pydantic import SecretStr
from pydantic_core import from_json, to_json
from support_sdk_nesting import sdk_accepts

from bridge import state as states
from bridge import steps
from bridge.app import make_runtime
from bridge.clock import SystemClock
from bridge.plivo.schema import MAX_DOCUMENT_BYTES, ends_safely, problems
from bridge.rt_client import RtApp
from bridge.runtime import App, Runtime
from bridge.settings import AppSettings, MediaSettings, Settings
from bridge.state import CallState, Phase
from bridge.store.memory import MemoryStore
from bridge.store.protocol import Commit, RecordingRow
from bridge.transaction import Transaction
from mappings._kernel.context import restore
from mappings._kernel.engine import Finished, run
from mappings._kernel.errors import CODES
from mappings._kernel.events import Broken, Event, HungUp, RestDone, RestFailed, RestUnknown
from mappings._kernel.facts import load_log
from mappings._plivo import callbacks
from mappings._plivo.verbs import NextKind
from mappings._rt.reader import ReplyError, RtResponse, read_response
from mappings.registry import pinned

FUZZ: Final = int(os.environ.get("RT_BRIDGE_FUZZ", "2000"))
SEED: Final = int(os.environ.get("RT_BRIDGE_FUZZ_SEED", "1"))
#: Cases run in batches, so that parallel workers share them and a failure names few of them.
BATCH: Final = 1000
MOST_EVENTS: Final = 30
KINDS: Final[tuple[NextKind, ...]] = get_args(NextKind)

APPS: Final = {
    f"{partial}{number}": AppSettings(
        url="http://127.0.0.1:9/",
        partial_read=partial,
        share_rooms=bool(number % 2),
        blocked_caller_id="+441234567890" if number % 2 else None,
        dial_music_url="https://media.example.com/hold.mp3?a=1&b=2" if number % 2 else None,
        on_failure=("hangup", "say", "fallback_url")[number],
        fallback_url="https://example.com/x?a=1&b=2" if number == 2 else None,
    )
    for partial in get_args(AppSettings.model_fields["partial_read"].annotation)
    for number in range(3)
}


class _NoApp:
    async def ask(self, app: RtApp, body: bytes, budget_s: float) -> bytes:
        raise AssertionError(app, body, budget_s)


async def _runtime(*, rest: bool, media: MediaSettings) -> Runtime:
    settings = Settings(
        public_url="https://bridge.example.com/plivo-rt",
        verify_signatures=False,
        plivo_rest=rest,
        plivo_auth_id="MAFUZZ",
        plivo_auth_tokens=(SecretStr("token"),),
        store="memory:",
        apps=APPS,
        media=media,
        voices={"own": "Polly.Lea", "TTS_EN-GB_SERENA": "WOMAN/en-GB"},
    )
    store = MemoryStore()
    await store.open()
    for app in APPS:
        found = [
            RecordingRow(
                "known", app, "https://media.plivo.com/r.mp3", "r", ready=True, expires_at=1e12
            ),
            RecordingRow("silent", app, "", "", ready=True, expires_at=1e12),
        ]
        await store.commit(Commit(recordings=found))
    return make_runtime(settings, store, bytes(32), SystemClock(), _NoApp(), None)


class Case:
    """One command from the app's reply to its end, checked at every step."""

    def __init__(self, runtime: Runtime, rng: Random, seen: set[bytes]) -> None:
        self._runtime = runtime
        self._rng = rng
        self._seen = seen
        self._app: App = runtime.apps[rng.choice(list(APPS))]
        #: Everything that went in, to be printed when something is wrong.
        self.inputs: list[Any] = [self._app.hash, runtime.settings.plivo_rest]
        self.documents = 0
        self._document = b""
        self._log: list[Any] = []

    async def run(self) -> str:
        """Play it to the end; give the command's name and what became of it."""
        body = random_reply(self._rng)
        self.inputs.append(body)
        try:
            response = read_response(body)
        except ReplyError:
            return "no RT.Response"
        state = CallState(
            await self._runtime.store.allocate_callid(),
            self._app.hash,
            str(self._rng.random()),
            1.7e9,
            caller_id=self._rng.choice(("", "+33123456789")),
            answered=self._rng.random() < 0.5,
            call_recording=self._rng.choice(("", "", "rec-1")),
        )
        transaction = Transaction(self._runtime, self._app, state)
        await transaction.start(response)
        for _ in range(MOST_EVENTS):
            state = await self._check(transaction, state)
            if state.phase is Phase.ASKING or state.start is None:
                break
            event = self._event(state)
            self.inputs.append(event)
            transaction = Transaction(self._runtime, self._app, state)
            await transaction.take(event)
        else:
            transaction = Transaction(self._runtime, self._app, state)
            transaction.close(HungUp())
            return f"{response.command} hung up"
        return self._check_result(state)

    async def _check(self, transaction: Transaction, state: CallState) -> CallState:
        """Check what one step gave, commit it, and read the state back as another process would."""
        if transaction.document is not None:
            self.documents += 1
            self._document = transaction.document
            self._check_document(self._document, "response")
        for row in transaction.change.media:
            if row.content_type == "application/xml" and row.content not in self._seen:
                self._seen.add(row.content)
                self._check_document(row.content, "sounds")
        self._log += [transaction._record["start"]] if "start" in transaction._record else []
        self._log += transaction._record.get("facts", [])
        await transaction.commit()
        # Python's reader, because variables come back with the lone surrogates the app wrote.
        assert 14 == len(json.loads(steps.request_body(state), parse_int=str))
        again = states.load(states.dump(state), state.version)
        assert states.dump(state) == states.dump(again)
        if again.start is not None:
            outcome = steps.feed(again)
            assert not isinstance(outcome, Finished), outcome
            assert outcome.new == (), "replay yields something else"
        return again

    def _check_document(self, document: bytes, kind: Any) -> None:
        assert [] == problems(document, kind=kind), document
        assert [] == sdk_accepts(document), document
        assert len(document) <= MAX_DOCUMENT_BYTES
        if kind == "response":
            assert ends_safely(document), document

    def _check_result(self, state: CallState) -> str:
        name = state.command if state.command in DOCUMENTED else "?"
        if state.error:
            code, colon, sentence = state.error.partition(": ")
            assert code in CODES, state.error
            assert colon, state.error
            assert sentence, state.error
            assert code not in {"BRIDGE_ERROR", "REPLAY_DIVERGED"}, state.error
            assert state.result == ""
            outcome = f"{name} {code}"
        else:
            assert DOCUMENTED[state.command](state.result), (state.command, state.result)
            outcome = f"{name} {state.result if not name.startswith('re') else ''}"
        # What Plivo would not take is refused outside of the mapping, whose log then has no end.
        if self._log and "Plivo takes" not in state.error:
            self._replay(state)
        return outcome

    def _replay(self, state: CallState) -> None:
        """Run the stored facts of the whole command again: the same end, and nothing new."""
        started, facts = load_log(from_json(to_json(self._log)))
        command = pinned(started.name, started.version)
        flow = command.flow(command.read_params(started.params), restore(started.inputs))
        outcome = run(flow, facts)
        assert isinstance(outcome, Finished)
        expected = (state.result, state.error, ())
        assert expected == (outcome.result, outcome.error, outcome.new)

    def _event(self, state: CallState) -> Event:
        rng = self._rng
        if state.phase is Phase.ACTING:
            return rng.choice(
                (
                    RestDone(rng.choice(("", "rec-9", _decoded(rng)))),
                    RestFailed(
                        rng.choice(("REST_REFUSED", "REST_UNAVAILABLE")), f"no: {_decoded(rng)}"
                    ),
                    RestFailed("CALL_NOT_FOUND", "hangup_callid.callid: no live call"),
                    RestUnknown(_decoded(rng)),
                )
            )
        if rng.random() < 0.01:
            return Broken()
        elapsed_ms = rng.choice((0, 1, 400, 999, 5000, 300_000, 86_400_000, 10**12))
        kinds: tuple[NextKind, ...] = KINDS
        if rng.random() < 0.8:
            kinds = tuple(kind for kind in KINDS if f"/{kind}#".encode() in self._document)
        return callbacks.continuation(rng.choice(kinds or KINDS), _form(rng), elapsed_ms)


def _form(rng: Random) -> dict[str, str]:
    form = {
        "Digits": rng.choice(("", "1", "1234", "12#34", "#", "*", "1234567890" * 40)),
        "Speech": rng.choice(("", "hello")),
        "RecordUrl": rng.choice(("", "https://media.plivo.com/1.mp3")),
        "RecordingID": rng.choice(("", "b1c2")),
        "RecordingDurationMs": rng.choice(("", "-1", "12", "12.5", "inf", "nan", "1e999", "x")),
        "RecordingDuration": rng.choice(("", "-1", "12", "12.5", "inf", "nan")),
        "DialStatus": rng.choice(("completed", "COMPLETED", "busy", "no-answer", "cancel", "")),
        "DialHangupCause": rng.choice(("", "3030", "USER_BUSY")),
        "ConferenceUUID": rng.choice(("", "b1c2")),
    }
    for name in list(form):
        whim = rng.random()
        if whim < 0.1:
            del form[name]
        elif whim < 0.2:
            form[name] = _decoded(rng)
    return form


def _decoded(rng: Random) -> str:
    """Make up a text as forms and Plivo's JSON can hold it: their readers let no surrogates by."""
    return hostile.text(rng)[:2000].encode("utf-8", "replace").decode()


def _batches() -> list[int]:
    return list(range(SEED, SEED + max(1, -(-FUZZ // BATCH))))


async def test_sounds_are_as_short_as_documents() -> None:
    """A text too long for a hosted document of sounds is refused, as Plivo would not fetch it."""
    runtime = await _runtime(rest=False, media=MediaSettings())
    app = runtime.apps["keys0"]
    transaction = Transaction(runtime, app, CallState(1, app.hash, "u", 0.0))
    whisper = f"TTS|TTS_EN-GB_SERENA|{'<' * 30_000}"
    params = {"targets": [{"number": "+33123456789"}], "cli": "+33123456780", "whisper": whisper}

    await transaction.start(RtResponse("dialout", "1", params, "{}"))

    assert transaction.document is None
    assert transaction.state.error.startswith("INVALID_PARAMS: dialout: its texts make a document")


@pytest.mark.slow
@pytest.mark.parametrize("seed", _batches())
async def test_random_commands(seed: int, record_property: Callable[[str, object], None]) -> None:
    """Random replies and callbacks give valid documents, documented results, and replay the same."""
    rng = Random(seed)
    template = MediaSettings(url_template="https://media.example.com/{id}.mp3?x=1&y=2")
    runtimes = [
        await _runtime(rest=True, media=MediaSettings(library=LIBRARY)),
        await _runtime(rest=False, media=MediaSettings(library=LIBRARY)),
        await _runtime(rest=False, media=template),
    ]
    seen: set[bytes] = set()
    outcomes: Counter[str] = Counter()
    documents = 0
    for number in range(min(BATCH, FUZZ)):
        case = Case(rng.choice(runtimes), Random(f"{seed}/{number}"), seen)
        try:
            outcomes[await case.run()] += 1
        except Exception as fault:
            fault.add_note(f"RT_BRIDGE_FUZZ_SEED={seed}, case {number}: {case.inputs!r}")
            raise
        documents += case.documents
    record_property("inputs", min(BATCH, FUZZ))
    # Otherwise the generator makes nothing but refusals, and little was shown.
    assert documents > min(BATCH, FUZZ) // 2
    assert set(DOCUMENTED) <= {outcome.partition(" ")[0] for outcome in outcomes}
