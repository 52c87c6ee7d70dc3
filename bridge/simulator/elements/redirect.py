"""Redirect: go on with another document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.simulator.document import Element
from bridge.simulator.flow import Follow
from bridge.simulator.leg import Method

if TYPE_CHECKING:
    from bridge.simulator.line import Line


async def redirect(line: Line, element: Element) -> Follow:
    """Fetch the next document; the rest of this one is lost."""
    del line
    method: Method = "GET" if element.get("method") == "GET" else "POST"
    return Follow("redirect", element.text, {"Event": "Redirect"}, method)


__all__ = ["redirect"]
