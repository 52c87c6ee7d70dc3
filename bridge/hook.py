"""A webhook of Plivo's and the answer to it, whichever way they travel.

Most arrive by the short way (bridge.shortcut), the others through aiohttp; nobody behind this module
can tell them apart.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

#: The headers a webhook is signed by, as they are spelt.
SIGNATURES: Final = ("X-Plivo-Signature-V3", "X-Plivo-Signature-Ma-V3")
NONCE: Final = "X-Plivo-Signature-V3-Nonce"
XML: Final = "application/xml"


@dataclass(slots=True)
class Hook:
    """A request: `target` is path and query as received, `path` the decoded path without the query.

    `at` holds the parts of the path by their names in the route. `read` gives the body; it raises as
    `web.Request.read` does.
    """

    method: str
    target: str
    path: str
    at: Mapping[str, str]
    signatures: Sequence[str]
    nonce: str
    body: bytes | None
    read: Callable[[], Awaitable[bytes]] | None = None


@dataclass(slots=True)
class Answer:
    """What Plivo gets: a document, unless it is said otherwise."""

    body: bytes = b""
    status: int = 200
    content_type: str = XML
    headers: Mapping[str, str] | None = None

    @classmethod
    def sentence(cls, status: int, text: str) -> Answer:
        """Say in words why there is no document."""
        return cls(text.encode(), status, "text/plain; charset=utf-8")

    def response(self) -> web.Response:
        """Give the same as aiohttp's."""
        headers = {"Content-Type": self.content_type, **(self.headers or {})}
        return web.Response(body=self.body, status=self.status, headers=headers)


#: Answers a POST or GET of a webhook, given method, target, signatures, nonce and body;
#: None = it is no webhook.
Take = Callable[[str, str, Sequence[str], str, bytes], Coroutine[Any, Any, Answer] | None]

__all__ = ["NONCE", "SIGNATURES", "XML", "Answer", "Hook", "Take"]
