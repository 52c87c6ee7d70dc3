"""Errors of the shell that leave the module they arise in.

    BridgeError                 base, never raised itself
    └── SettingsError           the person who starts the bridge must change something

Errors that belong to one part (store, Plivo REST, app client) live beside that part and derive
from `BridgeError`; what a legacy app or Plivo did wrong is named in `mappings`.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["BridgeError", "SettingsError"]


class BridgeError(Exception):
    """Base of every error the shell raises on purpose."""


class SettingsError(BridgeError):
    """The settings cannot be used; `problems` holds one sentence for each fault found.

    Every sentence names the variable and says what to do, and none repeats a secret.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems: tuple[str, ...] = tuple(problems)
