"""What was there before: one small file, by which `--undo` puts everything back.

It is written before each change and after it, whole and at once, so that at any instant it tells
what may have been changed. It holds URLs, which may hold passwords of others: only its owner may
read it. Auth tokens are never in it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bridge.errors import BridgeError

__all__ = ["Saved", "SavedApplication", "SavedError", "SavedFile", "SavedNumber"]


class SavedError(BridgeError):
    """The file cannot be used; the message says what to do."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SavedApplication(_Part):
    """An application that was created or changed; `app_id` "" = it may have been created.

    `before` holds the fields that were changed as they were at first, `written` what was sent last.
    """

    app_id: str = ""
    created: bool = False
    before: dict[str, str] = Field(default_factory=dict)
    written: dict[str, str] = Field(default_factory=dict)


class SavedNumber(_Part):
    """A number that was assigned: the id of the application it had at first ("" = none).

    `written` is the name of the application it got.
    """

    before: str
    written: str


class Saved(_Part):
    """Everything that was changed in one account, by application names and numbers without "+"."""

    version: Literal[1] = 1
    api_url: str
    auth_id: str
    applications: dict[str, SavedApplication] = Field(default_factory=dict)
    numbers: dict[str, SavedNumber] = Field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Tell that nothing is left to be put back."""
        return not self.applications and not self.numbers


class SavedFile:
    """The file at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def read(self, api_url: str, auth_id: str) -> Saved:
        """Read what was changed in this account; nothing, when there is no file.

        Raises SavedError when it cannot be read, or is about another account.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return Saved(api_url=api_url, auth_id=auth_id)
        except OSError as error:
            raise self._unusable(error) from None
        try:
            saved = Saved.model_validate_json(content)
        except ValidationError:
            raise SavedError(
                f"{self.path} is no state of rt-bridge provision, or of another version; "
                "restore it, or name another file with --state."
            ) from None
        if (saved.api_url, saved.auth_id) != (api_url, auth_id):
            raise SavedError(
                f"{self.path} is about the account {saved.auth_id} at {saved.api_url}, and the "
                f"settings name {auth_id} at {api_url}; name another file with --state."
            )
        return saved

    def write(self, saved: Saved) -> None:
        """Replace the file, or delete it when nothing is left to be put back. Raises SavedError."""
        fresh = self.path.with_name(f".{self.path.name}.new")
        try:
            if saved.is_empty:
                self.path.unlink(missing_ok=True)
            else:
                # Whatever an earlier write left is replaced, and with it the mode it may have had.
                fresh.unlink(missing_ok=True)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                with os.fdopen(os.open(fresh, flags, 0o600), "wb") as file:
                    file.write(saved.model_dump_json(indent=2).encode() + b"\n")
                    file.flush()
                    os.fsync(file.fileno())
                fresh.replace(self.path)
            self._settle()
        except OSError as error:
            raise self._unusable(error) from None

    def _settle(self) -> None:
        """Make the new name of the file survive a power cut."""
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Keep every other provision with this file away. Raises SavedError while there is one."""
        try:
            # The directory itself, so that no file of a lock is left behind.
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise self._unusable(error) from None
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SavedError(
                f"Another rt-bridge provision works in {self.path.parent}; wait until it is done."
            ) from None
        else:
            yield
        finally:
            os.close(folder)

    def _unusable(self, error: OSError) -> SavedError:
        return SavedError(
            f"{self.path} cannot be used ({error.strerror}); make it and its directory readable "
            "and writable for this user, or name another file with --state."
        )
