"""The bridge most people would write first: Flask, Plivo's SDK for signature and XML, requests.

It keeps no state, writes no log and reuses its connections to the app, which flatters it.
Served by gunicorn (one worker, four threads) when that is installed, else by werkzeug's own threaded
server; `SERVER` says which. Usage: `python -m benchmarks.servers.naive <port> <app port>`.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
import threading
from typing import Final

import plivo.utils
import requests
from flask import Flask, Response, abort, request
from plivo import plivoxml

from benchmarks.documents import DIGITS, PROMPT, RT_REQUEST
from benchmarks.webhooks import AUTH_TOKEN, PUBLIC_URL

__all__ = ["SERVER", "application"]

_GUNICORN: Final = importlib.util.find_spec("gunicorn") is not None
SERVER: Final = "gunicorn, 1 worker x 4 threads" if _GUNICORN else "werkzeug, threaded"
"""The WSGI server used."""

_APP_PORT: Final = "BENCHMARK_APP_PORT"


def application(app_port: int | None = None) -> Flask:
    """Build the naive bridge in front of the app on loopback; gunicorn gives the port by variable."""
    flask = Flask("naive")
    url = f"http://127.0.0.1:{os.environ[_APP_PORT] if app_port is None else app_port}/"
    of_thread = threading.local()

    @flask.post("/plivo/DEFAULT/turn")
    def turn() -> Response:
        valid = plivo.utils.validate_v3_signature(
            request.method,
            PUBLIC_URL + request.path,
            request.headers["X-Plivo-Signature-V3-Nonce"],
            AUTH_TOKEN,
            request.headers["X-Plivo-Signature-V3"],
            request.form.to_dict(),
        )
        if not valid:
            abort(403)
        if not hasattr(of_thread, "session"):
            of_thread.session = requests.Session()
        headers = {"Content-Type": "application/json"}
        answer = of_thread.session.post(url, data=RT_REQUEST, headers=headers, timeout=5)
        params = answer.json()["params"]
        here = PUBLIC_URL + request.path
        question = plivoxml.GetDigitsElement(
            action=here,
            timeout=params["timeout_ms"] // 1000,
            digit_timeout=params["timeout_ms"] // 1000,
            num_digits=len(DIGITS),
            finish_on_key="#",
            retries=1,
        )
        question.add(plivoxml.SpeakElement(PROMPT, voice="Polly.Amy", language="en-GB"))
        document = plivoxml.ResponseElement()
        document.add(question)
        document.add(plivoxml.RedirectElement(here))
        return Response(document.to_string(pretty=False), content_type="application/xml")

    return flask


def _serve(port: int, app_port: int) -> None:
    if _GUNICORN:
        os.environ[_APP_PORT] = str(app_port)
        arguments = ["-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "1"]
        arguments += ["--threads", "4", "--keep-alive", "75", "--log-level", "error"]
        os.execv(  # noqa: S606 - becomes the server, so that its process id is ours
            sys.executable, [sys.executable, *arguments, "benchmarks.servers.naive:application()"]
        )
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application(app_port).run("127.0.0.1", port, threaded=True)


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]))
