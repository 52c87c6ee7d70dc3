"""Whether RT apps answer, in time and understandably."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from typing import Any

import pytest
from support_doctor import Clinic
from support_e2e import HANGUP, command
from support_provision import SHOP

from bridge.doctor.apps import CALLER_NAME


async def test_by_default_an_app_hears_of_an_end(made: Clinic) -> None:
    """One request about the call 0 with all 14 fields, which says HANGUP."""
    finding = await made.one("app")

    (request,) = made.app.requests
    assert "ok" == finding.status
    assert re.fullmatch(
        rf"The app at {re.escape(made.app.url)} answered within \d\.\d s\.", finding.sentence
    )
    assert {
        "app": "SHOP",
        "callid": 0,
        "request_hash": None,
        "cli_name": CALLER_NAME,
        "cli_number": "",
        "number": f"+{SHOP}",
        "command": "",
        "command_id": 0,
        "command_result": "",
        "command_error": "",
        "call_status": "HANGUP",
        "cdr_field": "",
        "variables": {},
    } == {name: value for name, value in request.items() if name != "date_started"}
    assert 14 == len(request)


async def test_a_dry_call_is_a_call_with_an_end(made: Clinic) -> None:
    """With --dry-call it hears of a new call, and then that this one is over."""
    made.app.replies = [command("play", "hello", {"n": 1}, media_id="TTS|X|Hi")]

    finding = await made.one("app", dry_call=True)

    up, end = made.app.requests
    assert ("ok", True) == (finding.status, finding.sentence.endswith("with a valid command."))
    assert ("UP", "", 0, {}) == (
        up["call_status"],
        up["command"],
        up["command_id"],
        up["variables"],
    )
    assert ("HANGUP", "play", "hello", {"n": 1}) == (
        end["call_status"],
        end["command"],
        end["command_id"],
        end["variables"],
    )


async def test_the_login_of_the_app(made: Clinic) -> None:
    """The app is asked with the credentials of the settings."""
    made.apps["SHOP"] = {"url": made.app.url, "login": "me", "password": "pw"}

    await made.examine("app")

    expected = "Basic " + base64.b64encode(b"me:pw").decode()
    assert expected == made.app.headers[0]["Authorization"]


@pytest.mark.parametrize(
    ("reply", "phrase"),
    [
        (b"oops", "The reply is not JSON."),
        (b"", "The reply is empty"),
        (b"Warning: x\n{}", "11 characters of text precede the JSON object"),
        (command("dance"), "dance"),
        (command("read", media_id="TTS|X|Hi", max_digits="many"), "max_digits"),
        ({"command_id": 1}, "command"),
        (404, "answered 404 instead of 200"),
    ],
)
async def test_wrong_answers_to_a_dry_call(made: Clinic, reply: Any, phrase: str) -> None:
    """What would end a call, or be refused in one, is found."""
    made.app.replies = [reply]

    finding = await made.one("app", dry_call=True)

    assert ("failed", "SHOP") == (finding.status, finding.subject)
    assert phrase in finding.sentence
    assert "try --dry-call" not in finding.advice


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "Correct login and password of the app in the settings."),
        (403, "Let the app accept the bridge."),
        (404, "Correct the URL of the app in the settings."),
        (405, "Let the app take POST at this URL."),
        (500, "See the log of the app."),
    ],
)
async def test_other_statuses(made: Clinic, status: int, advice: str) -> None:
    """Each with what to do; an app may refuse only calls it does not know."""
    made.app.to_final = [status]

    finding = await made.one("app")

    assert ("failed", f"The app at {made.app.url} answered {status} instead of 200.") == (
        finding.status,
        finding.sentence,
    )
    assert f"{advice} If it only refuses calls it does not know, try --dry-call." == finding.advice


async def test_an_app_that_does_not_run(made: Clinic) -> None:
    """It cannot be reached."""
    await made.app.stop()
    made.more["app_timeout_s"] = 0.2

    finding = await made.one("app", dry_call=True)

    assert ("failed", "Start the app, or correct its URL in the settings.") == (
        finding.status,
        finding.advice,
    )
    assert "cannot be reached" in finding.sentence


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (b"", "ok"),
        (b" \n", "ok"),
        (HANGUP, "ok"),
        (b"bye", "warning"),
        (b"Notice: x\n{}", "warning"),
    ],
)
async def test_answers_to_an_end(made: Clinic, reply: Any, status: str) -> None:
    """They are ignored in a call; one that nobody could read elsewhere is remarked."""
    made.app.to_final = [reply]

    finding = await made.one("app")

    assert status == finding.status, finding
    assert ("try --dry-call" in finding.advice) is (status == "warning")


async def test_an_app_that_is_too_slow(made: Clinic) -> None:
    """It has as long as in a call."""
    never = asyncio.Event()

    async def wait(_: Any) -> Any:
        await never.wait()
        return HANGUP

    made.app.replies = [wait]
    made.more["app_timeout_s"] = 0.2

    finding = await made.one("app", dry_call=True)
    never.set()

    assert ("failed", f"The app at {made.app.url} did not answer within 0.2 s.") == (
        finding.status,
        finding.sentence,
    )


async def test_an_app_that_is_nearly_too_slow(
    made: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than four fifths of its time is a warning."""
    clock = iter([100.0, 104.5])
    monkeypatch.setattr("bridge.doctor.apps.monotonic", lambda: next(clock))

    finding = await made.one("app")

    assert ("warning", f"The app at {made.app.url} answered within 4.5 s, and has 5 s.") == (
        finding.status,
        finding.sentence,
    )


async def test_a_final_request_that_fails_after_a_dry_call(made: Clinic) -> None:
    """An app has to take the end of a call it knows."""
    made.app.to_final = [500]

    finding = await made.one("app", dry_call=True)

    assert ("failed", "See the log of the app.") == (finding.status, finding.advice)
    assert json.loads(made.app.bodies[-1])["call_status"] == "HANGUP"
