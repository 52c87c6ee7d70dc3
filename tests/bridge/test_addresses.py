from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from lxml import etree
from support_e2e import settings_for
from support_serve import EXAMPLES, WAV

from bridge import steps
from bridge.addresses import (
    NOWHERE,
    RETRIES,
    DocumentAddresses,
    continuation_url,
    unguessable,
)
from bridge.app import make_runtime
from bridge.assets import asset
from bridge.clock import SystemClock
from bridge.runtime import App, Runtime
from bridge.state import CallState
from bridge.store.memory import MemoryStore
from bridge.store.protocol import MediaRow
from bridge.transaction import Transaction
from bridge.translate import _NoApp
from mappings._kernel.actions import FindRecording, Reply
from mappings._kernel.engine import Finished
from mappings._kernel.events import RecordingFound, RestDone
from mappings._kernel.facts import EventReceived, dump
from mappings._plivo.verbs import (
    Asset,
    HostedAudio,
    HostedRecording,
    Next,
    Notice,
    Play,
    Sounds,
    Speak,
)
from mappings._rt.reader import RtResponse

SECRET = b"s" * 32

#: Where a URL may carry options for retries (Plivo's callback page), as element and attribute; "" = text.
RETRIED = {
    ("Dial", "action"),
    ("Dial", "confirmSound"),
    ("Dial", "dialMusic"),
    ("Dial", "callbackUrl"),
    ("Conference", "action"),
    ("Conference", "callbackUrl"),
    ("Conference", "waitSound"),
    ("GetInput", "action"),
    ("GetInput", "interimSpeechResultsCallback"),
    ("GetDigits", "action"),
    ("Record", "action"),
    ("Record", "transcriptionUrl"),
    ("Record", "callbackUrl"),
    ("Redirect", ""),
}
#: Where else a document has a URL: Plivo has its own way with files and these two.
PLAIN = {("Play", ""), ("Conference", "enterSound"), ("Conference", "exitSound")}


def addresses(**values: Any) -> DocumentAddresses:
    """Make the addresses of one document."""
    defaults: dict[str, Any] = {
        "public_url": "https://voice.example.com/rt",
        "app": "SHOP",
        "callid": 7,
        "step": 3,
        "name": "mabc",
        "secret": SECRET,
        "expires_at": 500.0,
        "asset": asset,
    }
    return DocumentAddresses(**{**defaults, **values})


# --- names --------------------------------------------------------------------------------------


def test_same_parts_have_the_same_name() -> None:
    """A name can be derived again, by any process that has the secret."""
    assert unguessable(SECRET, "media", "7") == unguessable(SECRET, "media", "7")
    assert re.fullmatch(r"[0-9a-f]{30}", unguessable(SECRET, "media", "7"))


def test_names_differ_with_secret_and_with_parts() -> None:
    """Another store gives other names, and where one part ends and the next begins counts."""
    names = [
        unguessable(SECRET, "media", "7"),
        unguessable(b"t" * 32, "media", "7"),
        unguessable(SECRET, "media", "8"),
        unguessable(SECRET, "library", "7"),
        unguessable(SECRET, "media7"),
        unguessable(SECRET, "medi", "a7"),
        unguessable(SECRET, "media", "7", ""),
        unguessable(SECRET),
    ]

    assert len(names) == len(set(names))


def test_names_bear_any_text() -> None:
    """Half a surrogate pair in a part does not stop a call."""
    assert unguessable(SECRET, "\ud83d") != unguessable(SECRET, "\ude00")


# --- one document -------------------------------------------------------------------------------


def test_continuations_and_notifications_name_their_step() -> None:
    """A continuation is told by call and step; a notification also by its command's name."""
    at = addresses()

    assert f"https://voice.example.com/rt/plivo/SHOP/7/3/digits{RETRIES}" == at.next(Next("digits"))
    assert (
        f"https://voice.example.com/rt/plivo/SHOP/7/3/notice/recording/mabc{RETRIES}"
    ) == at.notice(Notice("recording"))
    assert at.next(Next("next")) == continuation_url(
        "https://voice.example.com/rt", "SHOP", 7, 3, "next"
    )


def test_hash_of_an_app_is_quoted() -> None:
    """Whatever stands in an app's hash, the URL stays one."""
    expected = "https://x/plivo/a%20b%23%3F/1/2/next"

    assert f"{expected}{RETRIES}" == continuation_url("https://x", "a b#?", 1, 2, "next")
    assert f"{expected}{RETRIES}" == addresses(
        public_url="https://x", app="a b#?", callid=1, step=2
    ).next(Next("next"))


def test_audio_of_the_bridge_is_hosted_and_other_audio_is_not() -> None:
    """Own files and those of the app get a row to be stored, under the name that is handed out."""
    at = addresses()
    urls = [
        at.audio("https://media.example.com/7.mp3"),
        at.audio(HostedRecording("mabc")),
        at.audio(HostedAudio.of(b"RIFF1")),
        at.audio(Asset("silence")),
    ]

    base = "https://voice.example.com/rt/media/"
    assert ["https://media.example.com/7.mp3", f"{base}mabc.mp3"] == urls[:2]
    assert urls[2:] == [base + row.name for row in at.hosted]
    assert [b"RIFF1", asset("silence")] == [row.content for row in at.hosted]
    assert {("audio/wav", 500.0)} == {(row.content_type, row.expires_at) for row in at.hosted}


def test_same_content_is_hosted_once() -> None:
    """A sound used twice in a document, or in two documents, has one address and one row."""
    one, other = addresses(), addresses(callid=8, step=1)
    urls = [at.audio(HostedAudio.of(b"RIFF1")) for at in (one, one, other)]

    assert 1 == len(set(urls))
    assert [1, 1] == [len(one.hosted), len(other.hosted)]
    assert one.audio(HostedAudio.of(b"RIFF2")) not in urls


def test_sounds_are_hosted_with_the_audio_in_them() -> None:
    """A document of sounds is hosted, and so is each file it plays."""
    at = addresses()
    url = at.sounds(Sounds((Play(Asset("music")), Speak("Hi", "WOMAN", "en-GB"))))
    audio, document = at.hosted

    assert f"https://voice.example.com/rt/media/{document.name}{RETRIES}" == url
    assert ("audio/wav", "application/xml") == (audio.content_type, document.content_type)
    assert audio.name.encode() in document.content
    assert RETRIES.encode() not in document.content


def test_nowhere_refuses() -> None:
    """A document that needs none of our addresses cannot get one by mistake."""
    with pytest.raises(AssertionError):
        NOWHERE.next(Next("next"))
    with pytest.raises(AssertionError):
        NOWHERE.notice(Notice("dial"))
    with pytest.raises(AssertionError):
        NOWHERE.audio("https://media.example.com/7.mp3")
    with pytest.raises(AssertionError):
        NOWHERE.sounds(Sounds(()))


def test_options_for_retries_are_within_plivo_s_ranges() -> None:
    """Each option of the fragment has a value Plivo accepts (Plivo's callback page)."""
    options = dict(pair.split("=") for pair in RETRIES.removeprefix("#").split("&"))
    ranges = {"ct": (100, 10_000), "rt": (100, 40_000), "tt": (100, 55_000), "rc": (0, 5)}

    assert "all" == options.pop("rp")
    assert ranges.keys() == options.keys()
    assert all(low <= int(options[name]) <= high for name, (low, high) in ranges.items())
    assert 6 * int(options["ct"]) < int(options["tt"])


# --- the documents of every command -------------------------------------------------------------


def runtime_of(*, rest: bool) -> Runtime:
    """Make a runtime that asks nobody."""
    apps = {"SHOP": {"url": "http://127.0.0.1:9/"}}
    settings = settings_for("memory:", "http://127.0.0.1:9", {"apps": apps, "plivo_rest": rest})
    return make_runtime(settings, MemoryStore(), SECRET, SystemClock(), _NoApp(), None)


def documents(command: str, params: dict[str, Any], *, rest: bool) -> Iterator[bytes]:
    """Give the first document of a command, and those it needs hosted."""
    runtime = runtime_of(rest=rest)
    app: App = runtime.apps["SHOP"]
    state = CallState(7, "SHOP", "uuid", 0.0, caller_id="+33100000000", call_recording="r1")
    transaction = Transaction(runtime, app, state)
    outcome = steps.start(runtime, app, state, RtResponse(command, "1", params, "{}"))
    while not isinstance(outcome, Finished):
        state.log += map(dump, outcome.new)
        if isinstance(outcome.action, Reply):
            transaction.hand_out(outcome.action.verbs)
            yield transaction.document or b""
            break
        found = isinstance(outcome.action, FindRecording)
        event = RecordingFound(silent=False) if found else RestDone("r1")
        outcome = steps.feed(state, event)
        state.log.append(dump(EventReceived(event)))
    rows: list[MediaRow] = transaction.change.media
    yield from (row.content for row in rows if row.content_type == "application/xml")


def urls_of(document: bytes) -> Iterator[tuple[str, str, str]]:
    """List the URLs of a document with the element and attribute they stand in."""
    for element in etree.fromstring(document).iter("*"):
        values = [*element.items(), ("", element.text or "")]
        yield from ((str(element.tag), name, value) for name, value in values if "://" in value)


def all_urls() -> list[tuple[str, str, str]]:
    """List the URLs of every document of every example, with REST and without."""
    cases = [
        *EXAMPLES.items(),
        ("conference", {"id": "a", "pin_code": "12"}),
        ("stop_call_recording", {"announce": "TTS|TTS_EN-GB_SERENA|Bye"}),
        ("play_wav_data", {"audio_data": WAV}),
    ]
    return [
        found
        for command, params in cases
        for rest in (True, False)
        if rest or command not in {"hangup_callid", "stop_call_recording"}
        for document in documents(command, params, rest=rest)
        for found in urls_of(document)
    ]


def test_retries_are_where_plivo_takes_them_and_nowhere_else() -> None:
    """Every URL that may carry options for retries has them, and no other has a fragment."""
    for element, attribute, url in all_urls():
        place = (element, attribute)
        assert place in RETRIED | PLAIN, place
        assert (place in RETRIED) is url.endswith(RETRIES), place
        assert url.count("#") == int(place in RETRIED), place


def test_examples_have_every_kind_of_url() -> None:
    """The rule above is tried on every place in which the bridge ever puts a URL."""
    never_used = {("GetInput", "interimSpeechResultsCallback")}

    assert (RETRIED | PLAIN) - never_used == {(name, where) for name, where, _ in all_urls()}


def test_urls_of_two_steps_differ() -> None:
    """What belongs to one document cannot be taken for another's."""
    urls = [addresses(step=step).next(Next("next")) for step in range(3)]

    assert all(one != other for one, other in pairwise(urls))
