"""Checks of this machine: store, media directory, listeners."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bridge.doctor.findings import Finding, failed, ok, skipped, warning
from bridge.doctor.patient import reachable
from bridge.doctor.probe import probe
from bridge.media import SUFFIXES
from bridge.store import open_store
from bridge.store.protocol import StoreUnavailable

if TYPE_CHECKING:
    from bridge.doctor.patient import Patient
    from bridge.settings_types import Listen

__all__ = ["check_media", "check_ports", "check_store"]

_BUSY_S: Final = 5.0
_READABLE: Final = os.R_OK | os.X_OK


async def check_store(patient: Patient) -> list[Finding]:
    """Look whether the store can be written: by the bridge that runs, or by one to come."""
    url = patient.settings.store
    own = patient.running.checks
    if own is not None:
        state = own.get("store", "unknown")
        if state == "ok":
            return [ok("store", "The running bridge can write its store.")]
        return [
            failed("store", f"The running bridge cannot write its store: {state}", "See its log.")
        ]
    path = patient.settings.store_path
    if path is not None:
        return [await asyncio.to_thread(_look_at_file, path)]
    try:
        store = open_store(url)
        await store.open()
        await store.ping()
        await store.close()
    except StoreUnavailable as error:
        return [failed("store", str(error), "Correct BRIDGE_STORE, or what it names.")]
    return [ok("store", f"The store {url.partition(':')[0]} can be written.")]


def _look_at_file(path: Path) -> Finding:
    """Look at a file without making or changing it: somebody else may be meant to own it."""
    folder = path.parent
    advice = "Make the file and its directory writable for the user that runs rt-bridge serve."
    if not folder.is_dir():
        sentence = f"The directory {folder.absolute()} of the store does not exist."
        return failed("store", sentence, "Create it, or name another file in BRIDGE_STORE.")
    if not os.access(folder, os.W_OK | os.X_OK):
        return failed("store", f"{folder.absolute()} cannot be written by this user.", advice)
    if not path.exists():
        return ok("store", f"The store {path} does not exist yet and can be created.")
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_BUSY_S, isolation_level=None
        )
        with contextlib.closing(connection):
            # Takes the lock of a writer and gives it back, without writing anything.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        return failed("store", f"The store {path} cannot be written: {error}.", advice)
    return ok("store", f"The store {path} can be written.")


async def check_media(patient: Patient) -> list[Finding]:
    """Look whether the sounds of the library can be read."""
    media = patient.settings.media
    if media.directory is None:
        sentence = "No media directory is configured"
        urls = bool(media.library or media.url_template)
        return [
            skipped("media", f"{sentence}; sounds are fetched by URL." if urls else f"{sentence}.")
        ]
    return [await asyncio.to_thread(_look_at_directory, media.directory)]


def _look_at_directory(folder: Path) -> Finding:
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        return failed(
            "media",
            f"The media directory {folder} cannot be read ({error.strerror}).",
            "Make it readable for the user that runs rt-bridge serve.",
        )
    sounds = [path for path in files if path.suffix in SUFFIXES]
    closed = [path.name for path in sounds if not os.access(path, os.R_OK)]
    if closed:
        return failed(
            "media",
            f"{len(closed)} sounds in {folder} cannot be read, {closed[0]} among them.",
            "Make them readable for the user that runs rt-bridge serve.",
        )
    if not sounds:
        return warning(
            "media",
            f"The media directory {folder} has no sounds.",
            "Put files named <id>.mp3 or <id>.wav into it.",
        )
    others = [path.name for path in files if path.suffix not in SUFFIXES]
    if others:
        return warning(
            "media",
            f"{len(sounds)} sounds are in {folder}, and {len(others)} other files, {others[0]} "
            "among them.",
            "Convert what should be heard to .mp3 or .wav.",
        )
    return ok("media", f"{len(sounds)} sounds are in {folder}.")


async def check_ports(patient: Patient) -> list[Finding]:
    """Look whether both listeners are those of the bridge that runs, or are free for one."""
    settings, running = patient.settings, patient.running
    if not running.instance:
        return [
            _look_at_address(settings.listen, "BRIDGE_LISTEN"),
            _look_at_address(settings.admin_listen, "BRIDGE_ADMIN_LISTEN"),
        ]
    admin = ok(
        "ports", f"The running bridge listens on {settings.admin_listen}.", "BRIDGE_ADMIN_LISTEN"
    )
    if not patient.apps:
        return [
            skipped("ports", "There is no app yet whose webhooks come there.", "BRIDGE_LISTEN"),
            admin,
        ]
    answer = await probe(patient, patient.apps[0], reachable(settings.listen))
    if running.is_named(answer.instance):
        sentence = f"The running bridge listens on {settings.listen}."
        return [ok("ports", sentence, "BRIDGE_LISTEN"), admin]
    what = f"something else ({answer.what})" if answer.status else f"nothing ({answer.what})"
    listen = failed(
        "ports",
        f"The bridge behind BRIDGE_ADMIN_LISTEN runs, and on {settings.listen} answers {what}.",
        "Start rt-bridge serve with the settings that were given to this command.",
        "BRIDGE_LISTEN",
    )
    return [listen, admin]


def _look_at_address(address: Listen, setting: str) -> Finding:
    if address.port == 0:
        return ok("ports", "A free port is taken at start.", setting)
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, kind, protocol, _, target in found:
            with socket.socket(family, kind, protocol) as listener:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(target)
                listener.listen()
    except OSError as error:
        advice = "Choose another address, or one of this machine."
        if error.errno == errno.EADDRINUSE:
            advice = "Stop what listens there, or choose another port."
        elif error.errno == errno.EACCES:
            advice = "Choose a port from 1024 on, or give the process the right to use this one."
        why = error.strerror or str(error)
        return failed("ports", f"{address} cannot be used: {why}.", advice, setting)
    return ok("ports", f"{address} is free.", setting)
