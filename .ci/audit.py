#!/usr/bin/env python3
"""Compare the locked requirements with the advisories of OSV (osv.dev), and with what is installed.

    python .ci/audit.py [requirements file …]

Ends with 1 when an advisory is about a locked version, a requirement has no hash, or the environment
holds another version than the lock. Where the advisories cannot be reached that part is skipped,
and said so; with AUDIT_REQUIRED=1 it ends with 2 instead. AUDIT_URL is another place of the API.
Standard library only: what looks for bad packages installs none.
"""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.request
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DEFAULT = ("run.txt", "dev.txt", "build.txt")
#: Packages by name and version, of any ecosystem (OSV, "POST /v1/querybatch").
URL = "https://api.osv.dev/v1/querybatch"
TIMEOUT_S = 20.0
#: OSV takes 1000 questions at once.
AT_ONCE = 500
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*])?==([^\s;\\]+)([^\n]*)", re.MULTILINE)


def pins(path: Path) -> Iterator[tuple[str, str, bool]]:
    """Give name and version of every requirement of a lock file, and whether it has a hash."""
    text = path.read_text().replace("\\\n", " ")
    for name, number, rest in _PIN.findall(text):
        yield name.lower(), number, "--hash=sha256:" in rest


def faults_of_the_lock(locked: list[tuple[str, str]], unhashed: list[str]) -> Iterator[str]:
    """Tell what is wrong with the lock or the environment, without asking anybody."""
    for name in unhashed:
        yield f"{name} has no hash: run make lock"
    for name in sorted({name for name, _ in locked}):
        # Pythons may differ in what they get: the lock then has several versions.
        numbers = [number for other, number in locked if other == name]
        try:
            installed = version(name)
        except PackageNotFoundError:
            continue  # Of another platform, or of another extra.
        if installed not in numbers:
            shown = " or ".join(numbers)
            yield f"{name} {installed} is installed, and {shown} is locked: run make test"


def advisories(locked: list[tuple[str, str]]) -> Iterator[str]:
    """Ask OSV about every package. Raises OSError or ValueError when it gives no answer."""
    url = os.environ.get("AUDIT_URL", URL)
    if not url.startswith(("https://", "http://127.0.0.1:")):
        raise ValueError("AUDIT_URL must begin with https://")
    for start in range(0, len(locked), AT_ONCE):
        part = locked[start : start + AT_ONCE]
        questions = [
            {"package": {"name": name, "ecosystem": "PyPI"}, "version": number}
            for name, number in part
        ]
        body = json.dumps({"queries": questions}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, body, headers)  # noqa: S310 - checked above
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - as above
            results: list[dict[str, Any]] = json.load(answer)["results"]
        for (name, number), result in zip(part, results, strict=True):
            for one in result.get("vulns", ()):
                yield f"{name} {number}: {one['id']} (https://osv.dev/{one['id']})"


def main(arguments: list[str]) -> int:
    """Audit; give the exit status."""
    paths = [Path(one) for one in arguments] or [ROOT / "requirements" / one for one in DEFAULT]
    found = [pin for path in paths for pin in pins(path)]
    locked = sorted({(name, number) for name, number, _ in found})
    faults = list(faults_of_the_lock(locked, sorted({name for name, _, ok in found if not ok})))
    said = f"{len(locked)} locked packages"
    status = 0
    try:
        faults += advisories(locked)
    except (OSError, ValueError, KeyError) as error:
        required = os.environ.get("AUDIT_REQUIRED") == "1"
        status = 2 if required else 0
        said += f"; advisories SKIPPED, no answer from osv.dev: {error}"
    sys.stdout.writelines(f"{fault}\n" for fault in faults)
    sys.stdout.write(f"audit: {said}, {len(faults)} faults\n")
    return 1 if faults else status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
