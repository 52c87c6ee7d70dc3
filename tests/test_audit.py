"""The audit of the locked requirements: what is wrong is named, what could not be asked is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
HASH = "--hash=sha256:" + "0" * 64


def audit(lock: Path | None, url: str, **environment: str) -> tuple[int, str]:
    """Run the audit; give its status and what it printed."""
    done = subprocess.run(
        [sys.executable, ROOT / ".ci" / "audit.py", *([lock] if lock else [])],
        env={**os.environ, "AUDIT_URL": url, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert not done.stderr
    return done.returncode, done.stdout


@contextmanager
def osv(answer: bytes, asked: list[Any]) -> Iterator[str]:
    """Pose as OSV, giving the same answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/querybatch"
        finally:
            server.shutdown()
            thread.join()


def lock_of(folder: Path, *lines: str) -> Path:
    """Write a lock file."""
    path = folder / "lock.txt"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_advisory(tmp_path: Path) -> None:
    """A locked version with an advisory fails the audit, by name, version and address."""
    asked: list[Any] = []
    lock = lock_of(
        tmp_path, f"First==1.0 \\\n    {HASH}", f"second[x]==2.0 ; python_version > '3' {HASH}"
    )
    answer = {"results": [{}, {"vulns": [{"id": "PYSEC-1"}, {"id": "GHSA-2"}]}]}
    with osv(json.dumps(answer).encode(), asked) as url:
        status, said = audit(lock, url)

    assert 1 == status
    assert "second 2.0: PYSEC-1 (https://osv.dev/PYSEC-1)\nsecond 2.0: GHSA-2 " in said
    assert "audit: 2 locked packages, 2 faults\n" in said
    assert [("first", "1.0"), ("second", "2.0")] == [
        (query["package"]["name"], query["version"]) for query in asked[0]["queries"]
    ]


def test_nothing_to_say(tmp_path: Path) -> None:
    """Without advisories the audit passes."""
    with osv(b'{"results":[{}]}', []) as url:
        assert (0, "audit: 1 locked packages, 0 faults\n") == audit(
            lock_of(tmp_path, f"first==1.0 {HASH}"), url
        )


def test_faults_of_the_lock(tmp_path: Path) -> None:
    """A requirement without a hash and a version that is not installed fail it, network or not."""
    lock = lock_of(tmp_path, f"pytest==0.0.1 {HASH}", "first==1.0")
    status, said = audit(lock, "http://127.0.0.1:1/")

    assert 1 == status
    assert "first has no hash: run make lock\n" in said
    assert f"pytest {version('pytest')} is installed, and 0.0.1 is locked: run make test\n" in said


@pytest.mark.parametrize("answer", [b"<html>", b"{}", b'{"results":[]}', None])
def test_no_answer(tmp_path: Path, answer: bytes | None) -> None:
    """Where the advisories cannot be had the audit says so, and fails where they are required."""
    lock = lock_of(tmp_path, f"first==1.0 {HASH}")
    with osv(answer or b"", []) as open_url:
        url = open_url if answer else "http://127.0.0.1:1/"
        status, said = audit(lock, url)
        required, _ = audit(lock, url, AUDIT_REQUIRED="1")

    assert (0, 2) == (status, required)
    assert said.startswith("audit: 1 locked packages; advisories SKIPPED, no answer from osv.dev: ")


def test_only_https(tmp_path: Path) -> None:
    """The advisories are asked for over https."""
    _, said = audit(lock_of(tmp_path, f"first==1.0 {HASH}"), "ftp://example.com/")

    assert "AUDIT_URL must begin with https://" in said


def test_own_lock() -> None:
    """The lock of this project has a hash for everything, and is what is installed."""
    status, said = audit(None, "http://127.0.0.1:1/")

    assert (0, True) == (status, said.endswith(", 0 faults\n"))
