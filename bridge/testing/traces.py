"""Writing the trace of a simulation to files."""

from __future__ import annotations

import re
from datetime import datetime
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING, Final

from bridge.testing.trace import Trace, to_html, to_json

if TYPE_CHECKING:
    from bridge.testing.rig import Rig

_UNFIT: Final = re.compile(r"[^\w.-]+")
_LONGEST: Final = 120


def write_trace(
    rig: Rig,
    folder: Path,
    title: str,
    *,
    started: datetime,
    failure: str = "",
    marker: int | None = None,
) -> Path:
    """Write `<title>.html` and `<title>.json` into the folder; give the path of the page.

    Raises OSError.
    """
    trace = Trace(
        title=title,
        entries=rig.timeline.entries,
        seed=rig.seed,
        command=rig.reproduce,
        started=started,
        turns=rig.turns,
        violations=rig.violations,
        failure=failure,
        marker=marker,
        versions={"plivo-rt-bridge": _own_version(), "python": python_version()},
    )
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"{file_name(title)}.html"
    page.write_bytes(to_html(trace))
    page.with_suffix(".json").write_bytes(to_json(trace))
    return page


def file_name(title: str) -> str:
    """Make a file name, without its ending, of what a test is called; different ones for different tests."""
    readable = _UNFIT.sub("-", title).strip("-")
    if "[" not in title and len(readable) <= _LONGEST:
        return readable
    # Parameters differ in characters that no file name has, and long names beyond their length.
    mark = sha256(title.encode("utf-8", "replace")).hexdigest()[:6]
    return f"{readable[:_LONGEST]}-{mark}"


def _own_version() -> str:
    try:
        return version("plivo-rt-bridge")
    except PackageNotFoundError:
        return "unknown"


__all__ = ["file_name", "write_trace"]
