"""`rt-bridge doctor`: examine, and print what was found; see docs/doctor.md."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Sequence
from enum import IntEnum
from typing import Final

from pydantic_core import to_json

from bridge.doctor.examination import examine
from bridge.doctor.findings import Finding, failed
from bridge.errors import SettingsError
from bridge.quiet import without_retry_lines
from bridge.settings import load_settings

__all__ = ["Status", "doctor_main"]

_INDENT: Final = " " * 9


class Status(IntEnum):
    """Exit statuses."""

    READY = 0
    NOT_READY = 1
    SETTINGS = 2


def doctor_main(
    output: str, apps: Collection[str], skip: Collection[str], *, dry_call: bool
) -> tuple[str, int]:
    """Examine what the environment describes; gives what is to be printed, and the exit status."""
    try:
        settings = load_settings(os.environ).settings
        with without_retry_lines():
            found = asyncio.run(examine(settings, apps, skip, dry_call=dry_call))
    except SettingsError as error:
        advice = "See docs/settings.md."
        found = [failed("settings", problem, advice) for problem in error.problems]
        return _printed(found, output), Status.SETTINGS
    bad = any(finding.status == "failed" for finding in found)
    return _printed(found, output), Status.NOT_READY if bad else Status.READY


def _printed(found: Sequence[Finding], output: str) -> str:
    count = sum(finding.status == "failed" for finding in found)
    if output == "json":
        checks = [
            {
                "check": finding.check,
                "subject": finding.subject or None,
                "status": finding.status,
                "sentence": finding.sentence,
                "advice": finding.advice or None,
                "doc": finding.doc,
            }
            for finding in found
        ]
        return to_json({"ready": count == 0, "checks": checks}, indent=2).decode() + "\n"
    lines = []
    for finding in found:
        subject = f" {finding.subject}" if finding.subject else ""
        lines.append(f"{finding.status:9}{finding.check}{subject}: {finding.sentence}")
        if finding.advice:
            lines.append(f"{_INDENT}{finding.advice} ({finding.doc})")
    plural = "check" if count == 1 else "checks"
    lines.append(f"Not ready: {count} {plural} failed." if count else "Ready.")
    return "".join(f"{line}\n" for line in lines)
