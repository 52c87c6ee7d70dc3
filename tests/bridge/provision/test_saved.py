from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support_provision import PUBLIC, SHOP, Desk, urls

from bridge.provision.saved import Saved, SavedApplication, SavedError, SavedFile, SavedNumber
from bridge.provision.wanted import application_name
from bridge.simulator.platform import Application

ACCOUNT = ("https://api.plivo.com", "MAXXXXXXXXXXXXXXXXXX")


def saved() -> Saved:
    """Make a state with one of each."""
    return Saved(
        api_url=ACCOUNT[0],
        auth_id=ACCOUNT[1],
        applications={"rt-bridge-SHOP": SavedApplication(app_id="1", created=True)},
        numbers={SHOP: SavedNumber(before="", written="rt-bridge-SHOP")},
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """The file holds everything; when nothing is left it is gone."""
    file = SavedFile(tmp_path / "state.json")

    file.write(saved())
    read = file.read(*ACCOUNT)
    file.write(Saved(api_url=ACCOUNT[0], auth_id=ACCOUNT[1]))

    assert saved() == read
    assert [] == list(tmp_path.iterdir())
    assert file.read(*ACCOUNT).is_empty


def test_a_write_that_was_broken_off(tmp_path: Path) -> None:
    """What it left is replaced, together with the mode it had."""
    left = tmp_path / ".state.json.new"
    left.write_text("half of it")
    left.chmod(0o666)
    file = SavedFile(tmp_path / "state.json")

    file.write(saved())

    assert (saved(), 0o600) == (file.read(*ACCOUNT), file.path.stat().st_mode & 0o777)
    assert not left.exists()


def test_one_provision_at_a_time(tmp_path: Path) -> None:
    """A second one with the same file is refused until the first is done."""
    file = SavedFile(tmp_path / "state.json")

    with (
        file.claimed(),
        pytest.raises(SavedError, match="Another rt-bridge provision works in"),
        SavedFile(tmp_path / "state.json").claimed(),
    ):
        pass
    with SavedFile(tmp_path / "state.json").claimed():
        found = list(tmp_path.iterdir())

    assert [] == found


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """It is named, with what to do."""
    path = tmp_path / "state.json"
    path.mkdir()

    with pytest.raises(SavedError, match=r"cannot be used \(Is a directory\); make it"):
        SavedFile(path).read(*ACCOUNT)


async def test_a_creation_that_somebody_else_made(office: Desk) -> None:
    """Killed before it created, and overtaken by a namesake: undo puts that back, not away."""
    office.add("rt-bridge-SHOP", Application("https://theirs.example.com/"))
    before = office.shown()
    known = saved()
    known.api_url = office.plivo.api_url
    known.applications["rt-bridge-SHOP"] = SavedApplication(created=True, written=urls("SHOP"))
    del known.numbers[SHOP]
    await asyncio.to_thread(SavedFile(office.state).write, known)

    applied = await office.apply("--app", "SHOP")
    undone = await office.undo()

    assert (0, 0) == (applied.exit_code, undone.exit_code), applied.output + undone.output
    assert before == office.shown()


async def test_a_creation_nobody_can_find(office: Desk) -> None:
    """Of two namesakes nobody knows which one was created: neither is deleted."""
    for host in ("a", "b"):
        office.add("rt-bridge-SHOP", Application(f"https://{host}.example.com/"))
    known = saved()
    known.api_url = office.plivo.api_url
    known.applications["rt-bridge-SHOP"] = SavedApplication(created=True, written=urls("SHOP"))
    del known.numbers[SHOP]
    await asyncio.to_thread(SavedFile(office.state).write, known)

    result = await office.undo("--force")

    assert 4 == result.exit_code
    assert "2 applications are named rt-bridge-SHOP" in result.stdout
    assert [] == office.writes()


# --- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("app_hash", "name"),
    [
        ("DEFAULT", "rt-bridge-DEFAULT"),
        ("a_b-1", "rt-bridge-a_b-1"),
        ("x" * 50, "rt-bridge-" + "x" * 50),
    ],
)
def test_names_of_applications(app_hash: str, name: str) -> None:
    """They are the hash after a word that says whose they are."""
    assert name == application_name(app_hash)


def test_names_of_long_hashes() -> None:
    """They are as long as names may be, and those of two apps differ."""
    names = {application_name("x" * 63 + last) for last in "abc"}

    assert [60] * 3 == [len(name) for name in names]
    assert all(name.startswith("rt-bridge-xxx") for name in names)


def test_urls_carry_retry_fragments() -> None:
    """A restart longer than one attempt of Plivo's loses no call."""
    assert {
        f"{PUBLIC}/plivo/SHOP/{entry}#ct=2000&rt=10000&tt=55000&rc=5&rp=all"
        for entry in ("answer", "hangup", "fallback")
    } == {value for value in urls("SHOP").values() if value != "POST"}
