"""Write docs/schema/*.json: `python -m bridge.rt_schema`.

With `--check` nothing is written; exit status 1 says that a file is out of date.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bridge.rt_schema import Message, schema_text

__all__ = ["main"]

_FOLDER: Final = Path(__file__).resolve().parent.parent.parent / "docs" / "schema"
_FILES: Final[dict[str, tuple[Message, bool]]] = {
    "rt-request.json": ("request", False),
    "rt-request.strict.json": ("request", True),
    "rt-response.json": ("response", False),
    "rt-response.strict.json": ("response", True),
}


def main(arguments: Sequence[str], folder: Path = _FOLDER) -> int:
    """Write the files into `folder`, or compare with `--check`; return the exit status."""
    status = 0
    for name, (message, strict) in _FILES.items():
        target, text = folder / name, schema_text(message, strict=strict)
        if "--check" not in arguments:
            target.write_text(text, encoding="utf-8")
        elif not target.is_file() or target.read_text(encoding="utf-8") != text:
            sys.stderr.write(f"{target} is out of date; run python -m bridge.rt_schema\n")
            status = 1
    return status


if __name__ == "__main__":  # pragma: no cover -- its test runs it in a process of its own
    sys.exit(main(sys.argv[1:]))
