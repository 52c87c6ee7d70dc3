"""Store, media directory and listeners of this machine."""

from __future__ import annotations

import errno
import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support_doctor import Clinic

from bridge.store.protocol import StoreUnavailable


@pytest.fixture
def taken() -> Iterator[int]:
    """Listen on a port, so that nobody else can."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


# --- store ------------------------------------------------------------------------------------


async def test_the_store_of_the_running_bridge(
    made: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bridge itself says whether it can write it."""

    async def fail() -> None:
        raise StoreUnavailable("the disk is full")

    async with made.running() as bridge:
        well = await made.one("store")
        monkeypatch.setattr(bridge.store, "ping", fail)
        sick = await made.one("store")

    assert ("ok", "The running bridge can write its store.") == (well.status, well.sentence)
    assert ("failed", "The running bridge cannot write its store: the disk is full") == (
        sick.status,
        sick.sentence,
    )


async def test_a_store_that_does_not_exist_yet(made: Clinic) -> None:
    """It can be created, and is left to the bridge, which may run as another user."""
    finding = await made.one("store")

    assert "ok" == finding.status
    assert [] == list(made.folder.iterdir())


async def test_a_store_that_exists(made: Clinic) -> None:
    """It can be written, and nothing is written into it."""
    async with made.running():
        pass
    path = made.folder / "bridge.db"
    before = path.read_bytes()

    finding = await made.one("store")

    assert ("ok", f"The store {path} can be written.") == (finding.status, finding.sentence)
    assert before == path.read_bytes()


async def test_a_store_that_is_locked(made: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program that writes for long keeps the bridge from it."""
    path = made.folder / "bridge.db"
    monkeypatch.setattr("bridge.doctor.machine._BUSY_S", 0.01)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("BEGIN IMMEDIATE")
        finding = await made.one("store")

    assert ("failed", f"The store {path} cannot be written: database is locked.") == (
        finding.status,
        finding.sentence,
    )


async def test_a_store_that_is_no_database(made: Clinic) -> None:
    """It is said so."""
    (made.folder / "bridge.db").write_text("not a database" * 100)

    finding = await made.one("store")

    assert "failed" == finding.status
    assert finding.sentence.endswith("cannot be written: file is not a database.")


async def test_a_directory_that_does_not_exist(made: Clinic) -> None:
    """Nothing can be created in it."""
    made.more["store"] = f"sqlite:///{made.folder}/missing/bridge.db"

    finding = await made.one("store")

    assert ("failed", f"The directory {made.folder}/missing of the store does not exist.") == (
        finding.status,
        finding.sentence,
    )


async def test_a_directory_that_cannot_be_written(
    made: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store needs other files beside it."""
    monkeypatch.setattr("bridge.doctor.machine.os.access", lambda *_: False)

    finding = await made.one("store")

    assert ("failed", f"{made.folder} cannot be written by this user.") == (
        finding.status,
        finding.sentence,
    )


async def test_a_store_in_memory(made: Clinic) -> None:
    """It can always be written."""
    made.more["store"] = "memory:"

    finding = await made.one("store")

    assert ("ok", "The store memory can be written.") == (finding.status, finding.sentence)


async def test_a_store_that_cannot_be_opened(made: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with it is said by the store."""

    class Broken:
        async def open(self) -> None:
            raise StoreUnavailable("The store is away.")

    made.more["store"] = "memory:"
    monkeypatch.setattr("bridge.doctor.machine.open_store", lambda _: Broken())

    finding = await made.one("store")

    assert ("failed", "The store is away.") == (finding.status, finding.sentence)


async def test_a_server_that_does_not_answer(made: Clinic) -> None:
    """A store that is no file is tried as the bridge would use it."""
    made.more["store"] = "redis://127.0.0.1:9/0"

    finding = await made.one("store")

    assert ("failed", "Correct BRIDGE_STORE, or what it names.") == (finding.status, finding.advice)
    assert "127.0.0.1:9" in finding.sentence


# --- media ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "status", "end"),
    [
        (["12.mp3", "13.wav"], "ok", "2 sounds are in {}."),
        ([], "warning", "The media directory {} has no sounds."),
        (
            ["12.mp3", "13.ogg"],
            "warning",
            "1 sounds are in {}, and 1 other files, 13.ogg among them.",
        ),
    ],
)
async def test_media(made: Clinic, files: list[str], status: str, end: str) -> None:
    """Sounds are counted, and what is none is remarked."""
    folder = made.folder / "sounds"
    folder.mkdir()
    for name in files:
        (folder / name).write_bytes(b"x")
    made.more["media"] = {"directory": folder}

    finding = await made.one("media")

    assert (status, end.format(folder)) == (finding.status, finding.sentence)


async def test_no_media_directory(made: Clinic) -> None:
    """There is nothing to look at; sounds may come from elsewhere."""
    none = await made.one("media")
    made.more["media"] = {"url_template": "https://sounds.example.com/{id}.mp3"}
    elsewhere = await made.one("media")

    assert ("skipped", "No media directory is configured.") == (none.status, none.sentence)
    assert "No media directory is configured; sounds are fetched by URL." == elsewhere.sentence


async def test_sounds_that_cannot_be_read(made: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of them is named."""
    made.more["media"] = {"directory": made.folder}
    (made.folder / "12.mp3").write_bytes(b"x")
    monkeypatch.setattr("bridge.doctor.machine.os.access", lambda *_: False)

    finding = await made.one("media")

    assert ("failed", f"1 sounds in {made.folder} cannot be read, 12.mp3 among them.") == (
        finding.status,
        finding.sentence,
    )


async def test_a_media_directory_that_cannot_be_read(
    made: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files cannot even be listed."""
    made.more["media"] = {"directory": made.folder}

    def refuse(_: Path) -> Any:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "iterdir", refuse)

    finding = await made.one("media")

    assert (
        "failed",
        f"The media directory {made.folder} cannot be read (Permission denied).",
    ) == (finding.status, finding.sentence)


# --- ports ------------------------------------------------------------------------------------


async def test_ports_of_the_running_bridge(made: Clinic) -> None:
    """Both are its own."""
    async with made.running():
        found = await made.examine("ports")
        ports = made.ports

    assert [
        ("BRIDGE_LISTEN", "ok", f"The running bridge listens on 127.0.0.1:{ports[0]}."),
        ("BRIDGE_ADMIN_LISTEN", "ok", f"The running bridge listens on 127.0.0.1:{ports[1]}."),
    ] == [(finding.subject, finding.status, finding.sentence) for finding in found]


async def test_ports_before_the_start(made: Clinic, taken: int) -> None:
    """Each is free, taken, or not of this machine."""
    free = await made.examine("ports")
    made.more |= {"listen": f"127.0.0.1:{taken}", "admin_listen": "192.0.2.1:8081"}
    found = await made.examine("ports")

    assert [("ok", "A free port is taken at start.")] * 2 == [
        (finding.status, finding.sentence) for finding in free
    ]
    assert [
        (
            "failed",
            f"127.0.0.1:{taken} cannot be used: Address already in use.",
            "Stop what listens there, or choose another port.",
        ),
        (
            "failed",
            "192.0.2.1:8081 cannot be used: Cannot assign requested address.",
            "Choose another address, or one of this machine.",
        ),
    ] == [(finding.status, finding.sentence, finding.advice) for finding in found]


async def test_a_port_that_is_free(made: Clinic, taken: int) -> None:
    """A bridge can listen there, also on every interface."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    made.more |= {"listen": f"0.0.0.0:{port}", "admin_listen": "localhost:0"}

    found = await made.examine("ports")

    assert port != taken
    assert [("ok", f"0.0.0.0:{port} is free."), ("ok", "A free port is taken at start.")] == [
        (finding.status, finding.sentence) for finding in found
    ]


async def test_a_port_of_the_privileged(made: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below 1024 a right is needed."""
    made.more["listen"] = "127.0.0.1:80"

    def refuse(*_: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(socket.socket, "bind", refuse)

    finding = (await made.examine("ports"))[0]

    assert ("failed", "127.0.0.1:80 cannot be used: Permission denied.") == (
        finding.status,
        finding.sentence,
    )
    assert finding.advice.startswith("Choose a port from 1024 on")


@pytest.mark.parametrize("answered", [False, True])
async def test_a_listener_that_is_not_the_bridges(made: Clinic, taken: int, answered: bool) -> None:
    """The admin listener is that of a bridge, and the other one is not."""
    async with made.running():
        own = made.ports[1]
        made.ports = (int(made.proxy.url.rpartition(":")[2]) if answered else 9, own)
        made.proxy.upstream = "http://127.0.0.1:9"
        found = await made.examine("ports")

    what = "something else (status 502" if answered else "nothing (Connection refused"
    assert ["failed", "ok"] == [finding.status for finding in found]
    assert what in found[0].sentence
    assert taken not in made.ports
