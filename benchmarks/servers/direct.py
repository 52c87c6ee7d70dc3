"""An own answer without an app behind it: form, signature and document, one hop.

The least a Plivo webhook written for aiohttp costs when the application answers in the same process.
Usage: `python -m benchmarks.servers.direct <port>`.
"""

from __future__ import annotations

import hmac
import sys
from urllib.parse import parse_qsl

from aiohttp import web
from lxml import etree

from benchmarks.documents import DIGITS, PROMPT, TURN_URL
from benchmarks.loops import new_loop
from benchmarks.webhooks import signature

__all__ = ["application"]


async def _turn(request: web.Request) -> web.Response:
    fields = parse_qsl((await request.read()).decode(), keep_blank_values=True)
    joined = "".join([name + value for name, value in sorted(fields)])
    headers = request.headers
    expected = signature(TURN_URL, joined, headers["X-Plivo-Signature-V3-Nonce"])
    if not hmac.compare_digest(expected, headers["X-Plivo-Signature-V3"].encode()):
        raise web.HTTPForbidden
    root = etree.Element("Response")
    question = etree.SubElement(
        root,
        "GetDigits",
        action=TURN_URL,
        timeout="4",
        digitTimeout="4",
        numDigits=str(len(DIGITS)),
        finishOnKey="#",
        retries="1",
    )
    speak = etree.SubElement(question, "Speak", voice="Polly.Amy", language="en-GB")
    speak.text = PROMPT
    etree.SubElement(root, "Redirect").text = TURN_URL
    body = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return web.Response(body=body, content_type="application/xml")


def application() -> web.Application:
    """Build the server."""
    app = web.Application()
    app.router.add_post("/plivo/DEFAULT/turn", _turn)
    return app


if __name__ == "__main__":
    web.run_app(
        application(),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        access_log=None,
        print=None,
        loop=new_loop(),
    )
