from __future__ import annotations

import gc
import io
import os
import pickle
import signal
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from support_serve import SERVE

from bridge import serve
from bridge.settings import load_settings
from bridge.workers import child
from bridge.workers.line import Message, Word, receive, send


@pytest.fixture
def _process() -> Iterator[None]:
    """Put back what a process of its own may change."""
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    structlog.reset_defaults()


@pytest.mark.usefixtures("_process")
def test_worker_serves_with_the_settings_it_is_given(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """It has its settings from the supervisor, secrets included, says so when it serves, and ends with 0."""
    settings = load_settings({**SERVE, "BRIDGE_VERIFY_SIGNATURES": "false"}).settings
    # Nothing of them is in its environment.
    monkeypatch.delenv("BRIDGE_PUBLIC_URL", raising=False)
    given: list[Any] = []
    run = serve.run

    def noted(settings: Any, seat: Any) -> int:
        given.append(settings)
        return run(settings, seat)

    monkeypatch.setattr(child, "run", noted)

    class Log:
        """Tells the process to stop as soon as it serves."""

        def info(self, event: str, **_fields: Any) -> None:
            """Take note."""
            if event == "bridge.ready":
                os.kill(os.getpid(), signal.SIGTERM)

        warning = error = info

    monkeypatch.setattr(serve, "log", Log())
    ours, theirs = socket.socketpair()
    with ours, socket.create_server(("127.0.0.1", 0)) as slot:
        send(ours, Message(Word.LISTEN, 1, [slot]))
        standard_input = io.BytesIO(pickle.dumps(settings))
        status = child.main(["1", str(theirs.detach())], standard_input)
        words = []
        while (message := receive(ours)) is not None:
            words.append(message.word)

    assert 0 == status
    assert [settings] == given
    assert "hunter2" == given[0].plivo_auth_tokens[0].get_secret_value()
    assert [Word.SERVES, Word.CLOSES] == words
