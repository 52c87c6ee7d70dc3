"""Two releases on one store, side by side or in turn: this code, and a copy that goes further.

Any webhook of a call may reach either, before, while and after one replaces the other.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
import pytest
from support_e2e import RecordingApp, command, link, names, tts
from support_serve import Serving
from support_valkey import needs_valkey, shared_server, url_for
from support_versions import Release, with_another_form, with_second_read

if TYPE_CHECKING:
    from pathlib import Path

    from support_e2e import Reply

pytestmark = [needs_valkey, pytest.mark.slow]

FORM = {"From": "33612345678", "To": "33187654321", "Direction": "inbound"}
ENDED = {"Event": "Hangup", "CallStatus": "completed"}
ASK = command("read", media_id=tts("Your code?"), max_digits=4)
DONE = command("play", media_id=tts("Thank you"))
DIVERGED = "REPLAY_DIVERGED: the command could not be resumed by this version of the bridge"
#: Longest until replicas know of each other, on the slowest machine, in s.
PATIENCE_S = 30.0


@dataclass
class Releases:
    """Bridges of several releases on one store, and the app they share."""

    app: RecordingApp
    client: aiohttp.ClientSession
    options: dict[str, str]
    stack: AsyncExitStack
    statuses: list[int] = field(default_factory=list)

    async def start(self, release: Release | None = None) -> Serving:
        """Start a bridge of a release, by default of this one."""
        program = () if release is None else release.program
        serving = await self.stack.enter_async_context(Serving(*program, **self.options))
        await serving.ready()
        return serving

    async def post(self, bridge: Serving, path: str, uuid: str = "u1", **form: str) -> bytes:
        """Send a webhook to a bridge; gives the document."""
        where = (await bridge.logged("bridge.ready"))["listen"]
        data = {**FORM, "CallUUID": uuid, "CallStatus": "in-progress", **form}
        async with self.client.post(f"http://{where}{path}", data=data) as response:
            self.statuses.append(response.status)
            return await response.read()

    async def answer(self, bridge: Serving, uuid: str = "u1") -> bytes:
        """Let a call begin."""
        return await self.post(bridge, "/plivo/DEFAULT/answer", uuid)

    async def press(self, bridge: Serving, document: bytes, keys: str, uuid: str = "u1") -> bytes:
        """Press keys at the question of a document."""
        return await self.post(bridge, urlsplit(link(document, "action")).path, uuid, Digits=keys)

    async def return_to(self, bridge: Serving, document: bytes, uuid: str = "u1") -> bytes:
        """Come back to where a document leads, with what its URL carries."""
        url = urlsplit(link(document))
        return await self.post(bridge, f"{url.path}?{url.query}", uuid)

    async def hang_up(self, bridge: Serving, uuid: str = "u1") -> int:
        """Report the end of a call; gives the status."""
        await self.post(bridge, "/plivo/DEFAULT/hangup", uuid, **ENDED)
        return self.statuses[-1]

    def result(self) -> object:
        """Give what the app was told last."""
        return self.app.results()[-1]


@pytest.fixture(scope="module")
def second_read(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Make the release with a second version of `read`, once."""
    return with_second_read(tmp_path_factory.mktemp("second_read"))


@pytest.fixture(scope="module")
def another_form(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Make the release that stores calls in another form, once."""
    return with_another_form(tmp_path_factory.mktemp("another_form"))


@pytest.fixture
async def releases(tmp_path: Path) -> AsyncIterator[Releases]:
    """Give an app that asks for ever, and a store."""
    app = RecordingApp([])
    await app.start()
    options = {
        "BRIDGE_STORE": url_for(shared_server(), tmp_path),
        "BRIDGE_VERIFY_SIGNATURES": "false",
        "BRIDGE_APP_URL": app.url,
        "BRIDGE_DRAIN_S": "0",
    }
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(aiohttp.ClientSession())
        yield Releases(app, client, options, stack)
    await app.stop()


def _says(it: Releases, *replies: Reply) -> None:
    it.app.replies[:] = replies


async def _until_asked_as(it: Releases, bridge: Serving, document: bytes, *, second: bool) -> bytes:
    """Go on asking until a question is one of the second version, or is not; gives its document."""
    async with asyncio.timeout(PATIENCE_S):
        while (b'timeout="9"' in document) is not second:
            _says(it, ASK)
            document = await it.press(bridge, document, "5")
    return document


async def test_commands_finish_while_one_release_replaces_another(
    releases: Releases, second_read: Release
) -> None:
    """No question fails: begun by either release it is finished by the other, as it was begun."""
    it = releases
    _says(it, *[ASK] * 4)
    old = await it.start()
    document = await it.answer(old)
    new = await it.start(second_read)
    document = await it.press(new, document, "1")
    assert "1" == it.result()
    # The new release asks in the version that the old one knows as well, as long as it lives.
    document = await it.press(old, document, "2")
    assert "2" == it.result()
    document = await it.press(new, document, "3")
    assert "3" == it.result()
    assert b'timeout="9"' not in document
    assert 0 == await old.stop()
    document = await _until_asked_as(it, new, document, second=True)
    _says(it, DONE)
    thanks = await it.press(new, document, "4")

    assert "second 4" == it.result()
    assert b"Thank you" in thanks
    assert {200} == set(it.statuses)
    assert [] == [line for one in (old, new) for line in one.lines if line["level"] == "error"]


async def test_newer_command_under_an_older_release_fails_cleanly(
    releases: Releases, second_read: Release
) -> None:
    """After a step back the app hears that its command failed, and the call goes on."""
    it = releases
    _says(it, *[ASK] * 2)
    new = await it.start(second_read)
    first, second = await it.answer(new, "u1"), await it.answer(new, "u2")
    old = await it.start()
    _says(it, DONE)
    thanks = await it.press(old, first, "1", "u1")
    assert str(it.result()).startswith(DIVERGED)
    assert b"Thank you" in thanks
    # Where it was begun it goes on as ever; what begins now can be finished by both.
    _says(it, ASK)
    second = await it.press(new, second, "2", "u2")
    assert "second 2" == it.result()
    async with asyncio.timeout(PATIENCE_S):
        while b'timeout="9"' in second:
            _says(it, ASK)
            second = await it.press(new, second, "2", "u2")
    _says(it, ASK)
    second = await it.press(old, second, "3", "u2")
    assert "3" == it.result()
    assert 0 == await new.stop()
    _says(it, DONE)
    await it.press(old, second, "4", "u2")

    assert "4" == it.result()
    assert {200} == set(it.statuses)
    assert 1 == sum("REPLAY_DIVERGED" in str(result) for result in it.app.results())


async def test_command_outlives_a_killed_newer_release(
    releases: Releases, second_read: Release
) -> None:
    """A replica that died cannot say what it knows: its command fails cleanly at the older one."""
    it = releases
    _says(it, ASK, DONE)
    new = await it.start(second_read)
    document = await it.answer(new)
    await new.stop(signal.SIGKILL)
    old = await it.start()
    thanks = await it.press(old, document, "1")
    await it.hang_up(old)
    (final,) = await it.app.heard(1, final=True)

    assert str(it.result()).startswith(DIVERGED)
    assert b"Thank you" in thanks
    assert ("play", "HANGUP") == (final["command"], final["call_status"])
    assert {200} == set(it.statuses)
    (line,) = [one for one in old.lines if one["event"] == "command.unreadable"] or [
        await old.logged("command.unreadable")
    ]
    assert "this release has no version 2 of read" in line["why"]


async def test_call_in_another_form_goes_to_who_can_read_it(
    releases: Releases, another_form: Release
) -> None:
    """An older release touches nothing and sends webhooks on, with all they told; none is lost."""
    it = releases
    _says(it, *[ASK] * 3, DONE)
    old = await it.start()
    before = await it.answer(old, "u0")
    new = await it.start(another_form)
    assert ["GetDigits", "Redirect"] == names(await it.press(new, before, "0", "u0"))
    document = await it.answer(new)
    hold = await it.press(old, document, "1234")
    assert ["Wait", "Redirect"] == names(hold)
    thanks = await it.return_to(new, hold)
    refused = await it.hang_up(old)
    taken = await it.hang_up(new)
    (final,) = await it.app.heard(1, final=True)

    assert b"Thank you" in thanks
    assert ["", "0", "", "1234"] == it.app.results()
    assert (503, 200) == (refused, taken)
    assert "HANGUP" == final["call_status"]
    line = await old.logged("call.unreadable")
    assert "stored in format 3, this release reads up to 2" in line["why"]


async def test_call_in_another_form_ends_where_nobody_can_read_it(
    releases: Releases, another_form: Release
) -> None:
    """Its caller gets what the app has for failures, never a 5xx; who can read it tells the app."""
    it = releases
    _says(it, ASK)
    new = await it.start(another_form)
    document = await it.answer(new)
    assert 0 == await new.stop()
    old = await it.start()
    answers = [await it.press(old, document, "1")]
    while "Redirect" in names(answers[-1]):
        answers.append(await it.return_to(old, answers[-1]))
    await it.hang_up(old)

    assert ["Hangup"] == names(answers[-1])
    assert 6 == len(answers)
    assert {200} == set(it.statuses[:-1])
    assert 1 == len(it.app.requests)
    again = await it.start(another_form)
    assert 200 == await it.hang_up(again)
    (final,) = await it.app.heard(1, final=True)
    assert ("read", "HANGUP") == (final["command"], final["call_status"])


async def test_releases_one_after_the_other_on_one_file(
    releases: Releases, second_read: Release, tmp_path: Path
) -> None:
    """An upgrade finishes what was begun, as it was begun; after a step back the call goes on."""
    it = releases
    it.options["BRIDGE_STORE"] = f"sqlite:///{tmp_path}/bridge.db"
    _says(it, *[ASK] * 3)
    old = await it.start()
    document = await it.answer(old)
    assert 0 == await old.stop()
    new = await it.start(second_read)
    document = await it.press(new, document, "1")
    document = await it.press(new, document, "2")
    assert ["1", "second 2"] == it.app.results()[1:]
    assert 0 == await new.stop()
    old = await it.start()
    _says(it, DONE)
    thanks = await it.press(old, document, "3")

    assert str(it.result()).startswith(DIVERGED)
    assert b"Thank you" in thanks
    assert {200} == set(it.statuses)
