from __future__ import annotations

import asyncio
import json
import os
import pty
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from support_provision import FREE, SALES, SHOP, Desk, desk, urls
from support_serve import PATIENCE_S, ROOT, environment

from bridge.simulator.faults import Faults
from bridge.simulator.platform import Application

OTHERS = Application("https://a.example.com/a", "https://a.example.com/h", "", "GET")


def names(office: Desk) -> list[str]:
    """List the names of the applications, as often as there are some."""
    registry = office.plivo.api.registry
    return sorted(one.name for one in registry.applications().values())


@pytest.mark.parametrize("nth", range(1, 6))
@pytest.mark.parametrize("fault", ["rest_500", "rest_lost", "rest_429"])
@pytest.mark.parametrize("resource", ["Application", "Number"])
async def test_one_failure(tmp_path: Path, fault: str, resource: str, nth: int) -> None:
    """Whichever request fails once, or loses its reply: everything is made, and made once."""
    async with desk(tmp_path, [f"{fault}:{resource}#{nth}"]) as office:
        office.add("rt-bridge-SALES", OTHERS)

        result = await office.apply()

        assert 0 == result.exit_code, result.output
        assert ["old-ivr", "rt-bridge-SALES", "rt-bridge-SHOP"] == names(office)
        applications, numbers = office.shown()
        assert (urls("SHOP"), urls("SALES")) == (
            applications["rt-bridge-SHOP"],
            applications["rt-bridge-SALES"],
        )
        assert ("rt-bridge-SHOP", "rt-bridge-SALES") == (numbers[SHOP], numbers[SALES])


@pytest.mark.parametrize("fault", ["rest_500", "rest_lost", "rest_429"])
@pytest.mark.parametrize("then", ["--apply", "--undo"])
async def test_lasting_failure(tmp_path: Path, fault: str, then: str) -> None:
    """Plivo does not assign numbers for a while: status 3, and later one goes on, or goes back."""
    async with desk(tmp_path) as office:
        before = office.shown()
        office.plivo.faults = Faults.parse([f"{fault}:Number#{n}" for n in (3, 4, 5)], seed=1)

        failed = await office.apply()
        office.plivo.faults = Faults.parse([], seed=1)
        done = await office.provision(then, "--yes")

        assert (3, 0) == (failed.exit_code, done.exit_code), failed.output + done.output
        assert f"Plivo: assign number {SHOP}: " in failed.stderr
        assert "2 of 4 changes were made" in failed.stderr
        assert "; repeat the command, or give --undo.\n" in failed.stderr
        if then == "--undo":
            assert before == office.shown()
        else:
            assert ("rt-bridge-SHOP", "rt-bridge-SALES") == (
                office.shown()[1][SHOP],
                office.shown()[1][SALES],
            )


async def test_a_creation_that_keeps_failing(tmp_path: Path) -> None:
    """It is tried three times, and looked for after each: status 3, nothing was made."""
    faults = [f"rest_500:Application#{n}" for n in (2, 4, 6)]
    async with desk(tmp_path, faults) as office:
        before = office.shown()

        failed = await office.apply()
        undone = await office.undo()

        assert (3, 0) == (failed.exit_code, undone.exit_code), undone.output
        assert "create application rt-bridge-SHOP: 500" in failed.stderr
        assert before == office.shown()
        assert not office.state.exists()


async def test_wrong_credentials(tmp_path: Path) -> None:
    """Plivo refuses them: status 3, and what to check."""
    async with desk(tmp_path) as office:
        result = await office.provision("--plan", token="wrong")

        assert 3 == result.exit_code
        assert "Check BRIDGE_PLIVO_AUTH_ID and BRIDGE_PLIVO_AUTH_TOKEN." in result.stderr
        assert "Nothing was changed." in result.stderr


async def test_plivo_out_of_reach(tmp_path: Path) -> None:
    """Nobody listens: status 3, as text and as JSON."""
    async with desk(tmp_path) as office:
        nowhere = {"api_url": "http://127.0.0.1:9"}

        text = await office.provision("--plan", **nowhere)
        shown: dict[str, Any] = json.loads(
            (await office.apply("--format", "json", **nowhere)).stdout
        )

        sentence = (
            "Plivo: list applications: cannot connect to 127.0.0.1:9 (ClientConnectorError). "
            "Nothing was changed.\n"
        )
        assert (3, sentence) == (text.exit_code, text.stderr)
        assert ("plivo", [], text.stderr.rstrip()) == (
            shown["status"],
            shown["changes"],
            shown["error"],
        )


async def test_plivo_that_shows_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes that were accepted are looked at again: status 3 when they had no effect."""
    async with desk(tmp_path) as office:
        monkeypatch.setattr(office.plivo.api.registry, "assign", lambda *_: None)

        result = await office.apply()

        assert 3 == result.exit_code
        assert (
            "Plivo accepted every change and shows something else, so this is left: assign number "
            f"+{SHOP}, assign number +{SALES}.\n"
        ) == result.stderr


# --- a killed process -------------------------------------------------------------------------


@dataclass
class Deadly:
    """Stands before Plivo's API; the nth request that changes something is the last one.

    `carried_out` says whether it reaches Plivo; its reply never comes back.
    """

    api_url: str
    session: aiohttp.ClientSession
    nth: int
    carried_out: bool
    struck: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""
    _writes: int = 0

    async def serve(self, http: web.Request) -> web.Response:
        """Pass a request on."""
        self._writes += http.method != "GET"
        last = http.method != "GET" and self._writes == self.nth
        if last and not self.carried_out:
            return await self._strike()
        async with self.session.request(
            http.method,
            self.api_url + http.raw_path,
            data=await http.read(),
            headers={"Authorization": http.headers["Authorization"]},
        ) as response:
            body = await response.read()
            if last:
                return await self._strike()
            return web.Response(status=response.status, body=body)

    async def _strike(self) -> web.Response:
        self.struck.set()
        await asyncio.Event().wait()
        raise AssertionError


@asynccontextmanager
async def deadly(office: Desk, nth: int, *, carried_out: bool) -> AsyncIterator[Deadly]:
    """Serve it on a free port."""
    async with aiohttp.ClientSession() as session:
        stands = Deadly(office.plivo.api_url, session, nth, carried_out)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", stands.serve)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        stands.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield stands
        finally:
            await runner.cleanup()


async def killed(office: Desk, action: str, nth: int, *, carried_out: bool) -> None:
    """Run the command in a process of its own, and kill it at its nth change."""
    async with deadly(office, nth, carried_out=carried_out) as stands:
        _moved(office, office.plivo.api_url, stands.url)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bridge", "provision", action, "--yes", "--force"),
            cwd=ROOT,
            env=environment(office.environment(api_url=stands.url)),
            stdout=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(PATIENCE_S):
            await stands.struck.wait()
            process.kill()
            assert -9 == await process.wait()
    _moved(office, stands.url, office.plivo.api_url)


def _moved(office: Desk, old: str, new: str) -> None:
    """Let the state name another address of the same account."""
    if office.state.exists():
        office.state.write_text(office.state.read_text().replace(old, new))


@pytest.mark.parametrize("carried_out", [False, True])
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
async def test_kill_while_applying(tmp_path: Path, nth: int, carried_out: bool) -> None:
    """A create, an update and two assignments: from each instant one can go back, and go on."""
    shop = json.dumps([f"+{SHOP}", f"+{FREE}"])
    async with desk(tmp_path) as office:
        office.settings |= {"shop": shop, "sales": "[]"}
        office.add("rt-bridge-SALES", OTHERS)
        before = office.shown()

        await killed(office, "--apply", nth, carried_out=carried_out)
        kept = office.state.read_bytes()
        went_on = await office.apply("--force")
        after = office.shown()
        went_back = await office.undo()

        assert (0, 0) == (went_on.exit_code, went_back.exit_code), went_back.output
        assert ["old-ivr", "rt-bridge-SALES", "rt-bridge-SHOP"] == sorted(after[0])
        assert {SHOP: "rt-bridge-SHOP", SALES: "", FREE: "rt-bridge-SHOP"} == after[1]
        assert before == office.shown()
        assert b"rt-bridge-SHOP" in kept


@pytest.mark.parametrize("carried_out", [False, True])
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
async def test_undo_after_a_kill(tmp_path: Path, nth: int, carried_out: bool) -> None:
    """What the killed process had changed is put back at once, without going on."""
    async with desk(tmp_path) as office:
        office.settings |= {"shop": json.dumps([f"+{SHOP}", f"+{FREE}"]), "sales": "[]"}
        office.add("rt-bridge-SALES", OTHERS)
        before = office.shown()

        await killed(office, "--apply", nth, carried_out=carried_out)
        result = await office.undo()

        assert 0 == result.exit_code, result.output
        assert before == office.shown()
        assert not office.state.exists()


@pytest.mark.parametrize("carried_out", [False, True])
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
async def test_kill_while_undoing(tmp_path: Path, nth: int, carried_out: bool) -> None:
    """From each instant the rest can be put back."""
    async with desk(tmp_path) as office:
        office.settings |= {"shop": json.dumps([f"+{SHOP}", f"+{FREE}"]), "sales": "[]"}
        office.add("rt-bridge-SALES", OTHERS)
        before = office.shown()
        await office.apply("--force")

        await killed(office, "--undo", nth, carried_out=carried_out)
        result = await office.undo()

        assert 0 == result.exit_code, result.output
        assert before == office.shown()
        assert not office.state.exists()


# --- a terminal -------------------------------------------------------------------------------


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("n", 1)])
async def test_a_terminal_is_asked(tmp_path: Path, answer: str, status: int) -> None:
    """Only yes carries the plan out."""
    async with desk(tmp_path) as office:
        ours, theirs = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bridge", "provision", "--apply"),
            cwd=ROOT,
            env=environment(office.environment()),
            stdin=theirs,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        os.close(theirs)
        os.write(ours, f"{answer}\n".encode())
        async with asyncio.timeout(PATIENCE_S):
            out, err = await process.communicate()
        os.close(ours)

        assert status == process.returncode, out + err
        assert b"Carry this out? [y/N]: " in out
        assert ("rt-bridge-SHOP" if status == 0 else "") == office.shown()[1][SHOP]
        assert (b"Nothing was changed.\n" if status else b"") == err


@pytest.mark.parametrize("action", ["--apply", "--undo"])
async def test_account_that_changes_while_somebody_thinks(tmp_path: Path, action: str) -> None:
    """Yes was said to another plan: nothing is done, and what somebody else did stays."""
    async with desk(tmp_path) as office:
        if action == "--undo":
            await office.apply()
        count = len(office.writes())
        ours, theirs = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bridge", "provision", action),
            cwd=ROOT,
            env=environment(office.environment()),
            stdin=theirs,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        os.close(theirs)
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            await process.stdout.readuntil(b"Carry this out? [y/N]: ")
            office.plivo.numbers[SHOP] = OTHERS
            os.write(ours, b"y\n")
            _, err = await process.communicate()
        os.close(ours)

        assert 4 == process.returncode
        assert b"Somebody changed the account meanwhile. Nothing was changed: look again.\n" == err
        assert count == len(office.writes())
        assert OTHERS is office.plivo.numbers[SHOP]
