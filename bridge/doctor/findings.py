"""What a check found, and the list of checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["CHECKS", "SKIPPABLE", "Finding", "Status", "failed", "ok", "skipped", "warning"]

Status = Literal["ok", "warning", "failed", "skipped"]

#: In the order in which they are shown: first this machine, then Plivo, then both together.
CHECKS: Final = (
    "settings",
    "store",
    "media",
    "ports",
    "app",
    "clock",
    "credentials",
    "application",
    "numbers",
    "public_url",
)
SKIPPABLE: Final = CHECKS[1:]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    `subject` is the app (its hash) or the setting it is about, "" = the whole deployment; `advice`
    says what to do, "" = nothing.
    """

    check: str
    status: Status
    sentence: str
    advice: str = ""
    subject: str = ""

    @property
    def doc(self) -> str:
        """Where the check is explained."""
        return f"docs/doctor.md#{self.check}"


def ok(check: str, sentence: str, subject: str = "") -> Finding:
    """Find that something is as it should be."""
    return Finding(check, "ok", sentence, "", subject)


def warning(check: str, sentence: str, advice: str, subject: str = "") -> Finding:
    """Find what does not hinder calls, but somebody should know."""
    return Finding(check, "warning", sentence, advice, subject)


def failed(check: str, sentence: str, advice: str, subject: str = "") -> Finding:
    """Find that calls, or some of them, would fail."""
    return Finding(check, "failed", sentence, advice, subject)


def skipped(check: str, sentence: str, subject: str = "") -> Finding:
    """Note that nobody could look, or wanted to."""
    return Finding(check, "skipped", sentence, "", subject)
