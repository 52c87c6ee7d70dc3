"""Other releases of this code: copies of it in which something is as a later release would have it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from support_serve import ROOT

PACKAGES: Final = ("bridge", "mappings")

#: The second version of a command, beside the first one, as CONTRIBUTING.md says.
SECOND_READ: Final = '''

@command("read", ReadParams, version=2)
def read(p: ReadParams, call: CallContext) -> Flow:
    """Ask once, for nine seconds, and say of the keys which version got them."""
    event = yield Reply(GetDigits(call.sounds(p.media_id), 9, 9, p.max_digits))
    return f"second {event.digits}" if isinstance(event, DigitsReceived) else "TIMEOUT"
'''


class Release:
    """A copy of the code in a folder; `program` is what serves it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for package in PACKAGES:
            # With what is compiled: it is as old as its source, and counts for the copy as well.
            half_written = shutil.ignore_patterns("*.pyc.*")
            shutil.copytree(ROOT / package, folder / package, ignore=half_written)

    @property
    def program(self) -> tuple[str, str]:
        """Give the arguments of Python that run `rt-bridge serve` of this release."""
        start = f"import sys; sys.path.insert(0, {str(self._folder)!r}); "
        return "-c", start + "from bridge.__main__ import main; main(['serve'])"

    def change(self, path: str, old: str, new: str) -> None:
        """Replace a text that occurs once in a file."""
        file = self._folder / path
        text = file.read_text()
        assert 1 == text.count(old), f"{old!r} in {path}"
        file.write_text(text.replace(old, new))

    def append(self, path: str, text: str) -> None:
        """Add to the end of a file."""
        with (self._folder / path).open("a") as file:
            file.write(text)


def with_second_read(folder: Path) -> Release:
    """Make a release that has a second version of `read`, and the first one as well."""
    release = Release(folder)
    release.change("mappings/read.py", "\ndef read(", "\ndef read_v1(")
    release.append("mappings/read.py", SECOND_READ)
    release.change("mappings/registry.py", "import read\n", "import read, read_v1\n")
    release.change("mappings/registry.py", "\n    read,\n", "\n    read_v1,\n    read,\n")
    return release


def with_another_form(folder: Path) -> Release:
    """Make a release that stores calls in a form this one does not know."""
    release = Release(folder)
    release.change("bridge/state.py", "FORMAT: Final = 2", "FORMAT: Final = 3")
    release.change("bridge/state.py", "frozenset({2})", "frozenset({2, 3})")
    return release
