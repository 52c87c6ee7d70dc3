"""What still goes out for an element that a hangup or a transfer broke off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bridge.simulator.document import Element
from bridge.simulator.leg import Ending, Method

if TYPE_CHECKING:
    from bridge.simulator.line import Line


def note_hangup(line: Line) -> None:
    """Let whatever goes out from now on say that the call is completed, as the framework does."""
    if line.leg.answered is not None or line.leg.direction == "inbound":
        line.leg.status = "completed"


def report_after_hangup(
    line: Line,
    element: Element,
    form: Mapping[str, str],
    ending: Ending,
    *,
    redirects: bool,
    reports: bool,
) -> None:
    """Report an element during which the line was hung up, if its action is asked for still.

    `redirects` and `reports` say so of an action with and without redirect; its document is lost.
    """
    note_hangup(line)
    url = element.get("action")
    if url and (redirects if element.get("redirect", "true") == "true" else reports):
        method: Method = "GET" if element.get("method") == "GET" else "POST"
        line.tell("action", url, {**form, "HangupCause": ending[0]}, method=method)


def report_after_transfer(line: Line, element: Element, form: Mapping[str, str]) -> None:
    """Report an element that a transfer broke off: only an action without redirect goes out."""
    if element.get("redirect", "true") == "false":
        line.follow(element, form)


__all__ = ["note_hangup", "report_after_hangup", "report_after_transfer"]
