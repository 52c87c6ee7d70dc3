"""What Plivo is answered when a webhook failed; e2e/test_store_outage.py plays whole outages."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from support_e2e import settings_for

from bridge import rescue
from bridge.app import make_runtime
from bridge.clock import SystemClock
from bridge.hook import Answer, Hook
from bridge.rescue import LONGEST_CARRIED, Rescue
from bridge.store.memory import MemoryStore
from bridge.store.protocol import StoreUnavailable

FORM = {"CallUUID": "u1", "From": "33612345678", "CallStatus": "in-progress", "Digits": "12#"}


def _rescue(prefix: str = "") -> Rescue:
    public_url = f"https://voice.example.com{prefix}"
    apps = {"DEFAULT": {"url": "https://app.example.com/rt", "on_failure": "say"}}
    values = {"apps": apps, "public_url": public_url}
    settings = settings_for("memory:", "https://api.plivo.com", values)
    transport = cast("Any", SimpleNamespace())
    runtime = make_runtime(settings, MemoryStore(), b"s" * 32, SystemClock(), transport, None)
    return Rescue(runtime, prefix)


def _request(path: str = "/plivo/DEFAULT/7/3/digits") -> Hook:
    app = path.removeprefix("/rt").split("/")[2]
    return Hook("POST", path, path.partition("?")[0], {"app": app}, (), "", b"")


def _text(answer: Answer) -> str:
    return answer.body.decode()


def _down(seconds: float) -> StoreUnavailable:
    error = StoreUnavailable("The store is gone.")
    error.down_s = seconds
    return error


def test_document_leads_back_with_what_was_told() -> None:
    """A fault of ours loses nothing: what Plivo tells once is in the link, what it repeats is not."""
    answer = _rescue().answer(_request(), "step", FORM, RuntimeError("bug"))

    assert "https://voice.example.com/plivo/DEFAULT/7/3/digits?Digits=12%23#ct=" in _text(answer)
    assert "33612345678" not in _text(answer)


def test_path_of_the_public_url_is_there_once() -> None:
    """Whether a proxy strips the path of the public URL or not, the link has it once."""
    made = _rescue("/rt")
    for path in ("/plivo/DEFAULT/answer", "/rt/plivo/DEFAULT/answer"):
        answer = made.answer(_request(path), "answer", {"CallUUID": "u1"}, RuntimeError("bug"))
        assert ">https://voice.example.com/rt/plivo/DEFAULT/answer#ct=" in _text(answer)


def test_too_much_is_not_carried() -> None:
    """A link stays short enough for every server on the way."""
    form = {**FORM, "Speech": "x" * LONGEST_CARRIED}
    answer = _rescue().answer(_request(), "step", form, RuntimeError("bug"))

    assert "/plivo/DEFAULT/7/3/digits#ct=" in _text(answer)


@pytest.mark.parametrize("error", [RuntimeError("bug"), StoreUnavailable("The file is damaged.")])
def test_fault_that_goes_on_ends_the_call(error: Exception) -> None:
    """After five documents that lead back the app's `on_failure` says good-bye."""
    made = _rescue()
    answers = [_text(made.answer(_request(), "step", FORM, error)) for _ in range(6)]

    assert [True] * 5 + [False] == ["<Redirect>" in answer for answer in answers]
    assert "<Hangup/>" in answers[5]


def test_what_never_fits_is_not_held_for_ever() -> None:
    """A disk that is full for one call alone is not down for long: its caller's attempts count."""
    made = _rescue()
    answers = [_text(made.answer(_request(), "step", FORM, _down(0.001))) for _ in range(201)]

    assert all("<Redirect>" in answer for answer in answers[3:-1])
    assert "<Hangup/>" in answers[-1]


def test_success_is_a_new_beginning() -> None:
    """The faults of a webhook that was handled after all are forgotten."""
    made = _rescue()
    for _ in range(20):
        assert "<Redirect>" in _text(made.answer(_request(), "step", FORM, RuntimeError("bug")))
        made.succeeded(_request(), FORM)


def test_faults_of_the_oldest_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many webhooks fail, what is remembered of them has a limit."""
    monkeypatch.setattr(rescue, "MOST_FAULTY", 10)
    made = _rescue()
    for n in range(50):
        made.answer(_request(), "step", {**FORM, "CallUUID": f"u{n}"}, RuntimeError("bug"))

    assert [f"u{n}" for n in range(40, 50)] == [uuid for _, uuid in made._faults]


@pytest.mark.parametrize(
    ("seconds", "route", "expected"),
    [
        (1.0, "step", (503, "")),
        (31.0, "step", (200, "Speak")),
        (1.0, "answer", (200, "Wait")),
        (31.0, "answer", (200, "Speak")),
        (31.0, "hangup", (503, "")),
        (601.0, "step", (200, "Speak")),
        (601.0, "notify", (503, "")),
    ],
)
def test_answers_in_an_outage(seconds: float, route: str, expected: tuple[int, str]) -> None:
    """Plivo's retries first, then "please hold", then the farewell; and 503 where it is ignored."""
    answer = _rescue().answer(_request(), route, FORM, _down(seconds))
    first = _text(answer).partition("<Response><")[2][:5].rstrip(" l/>")

    assert expected == (answer.status, first)
    assert (seconds > 600 and route == "step") == ("<Hangup/>" in _text(answer))
