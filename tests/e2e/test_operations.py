"""What operators see: health, metrics, and logs without anybody's numbers, keys or secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from support_e2e import HANGUP, PUBLIC, Make, command, link, names, tts
from support_logs import forget_loggers

from bridge.simulator.leg import CALLER_HUNG_UP
from bridge.store.protocol import StoreUnavailable
from bridge.telemetry import configure_logging
from bridge.testing.rig import ACCOUNT


class Logs(io.BytesIO):
    """Where the lines go."""

    def lines(self) -> list[dict[str, Any]]:
        """Give what was logged; an error makes the lines that are still gathered come out."""
        structlog.get_logger().error("flushed")
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def logs() -> Iterator[Logs]:
    """Log as in production, to memory, down to the last level."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    forget_loggers()
    stream = Logs()
    configure_logging("json", "debug", stream=stream)
    # Loggers of modules outlive this test; they must not keep its stream.
    structlog.configure(cache_logger_on_first_use=False)
    yield stream
    structlog.reset_defaults()
    root.setLevel(level)
    root.handlers[:] = handlers


async def test_health(make_world: Make, store: str) -> None:
    """A bridge that runs is alive and ready."""
    world = await make_world(store=store)

    assert (200, '{"status": "ok"}') == await world.admin("/healthz")
    body = '{"status":"ready","checks":{"store":"ok","process":"ok"},"waiting":{"outbound":0}}'
    assert (200, body) == await world.admin("/readyz")


async def test_sick_store(make_world: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a store that does not work the bridge is alive but not ready, and says why."""
    world = await make_world()

    async def fail() -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(world.bridge.store, "ping", fail)

    assert 200 == (await world.admin("/healthz"))[0]
    status, text = await world.admin("/readyz")
    assert (503, "the disk is full") == (status, json.loads(text)["checks"]["store"])
    status, text = await world.admin("/readyz?process")
    assert (200, "the disk is full") == (status, json.loads(text)["checks"]["store"])


async def test_draining(make_world: Make) -> None:
    """A bridge that is about to stop is not ready, and still serves its calls."""
    world = await make_world(command("play", media_id=tts("Hello")))
    world.bridge.draining.begin()
    status, text = await world.admin("/readyz")
    assert 503 == (await world.admin("/readyz?process"))[0]
    answer = await world.leg().request(world.application.answer_url)

    assert (503, "draining") == (status, json.loads(text)["checks"]["process"])
    assert ["Speak", "Redirect"] == names(answer.body)


async def test_metrics(make_world: Make) -> None:
    """Webhooks, turns, live calls and errors are counted."""
    world = await make_world(command("read", max_digits=6), command("dance"), HANGUP)
    leg = world.leg()
    await leg.request(world.application.answer_url)
    assert "rt_bridge_calls_live 1.0" in (await world.admin("/metrics"))[1]
    world.app.replies = [command("read", max_digits=6), command("dance"), HANGUP]
    call = world.dial()
    await call.press("834756")
    await call.expect_ended(by="app")
    await leg.request(world.application.answer_url, token="wrong")
    status, text = await world.admin("/metrics")

    assert 200 == status
    for line in (
        'rt_bridge_webhooks_total{app="DEFAULT",outcome="document",route="answer"} 2.0',
        'rt_bridge_webhooks_total{app="DEFAULT",outcome="forbidden",route="answer"} 1.0',
        'rt_bridge_turns_total{app="DEFAULT",command="read",result="ok"} 1.0',
        'rt_bridge_errors_total{app="DEFAULT",code="UNKNOWN_COMMAND"} 1.0',
        "rt_bridge_calls_live 1.0",
    ):
        assert line in text
    assert "dance" not in text
    assert '"834756"' not in text


async def test_admin_is_not_public(make_world: Make) -> None:
    """The listener for Plivo serves neither health nor metrics."""
    world = await make_world()
    for path in ("/healthz", "/readyz", "/metrics"):
        answer = await world.leg().send("GET", f"http://127.0.0.1:{world.bridge.port}{path}")

        assert 404 == answer.status


async def test_logs_of_a_whole_call(make_world: Make, logs: Logs) -> None:
    """No line of a call's log holds a key, a PIN, a full number, a name of a recording or a secret."""
    conference = command("conference", id="board", pin_code="90210", pin_prompt=tts("PIN?"))
    targets = [{"number": "+442079460199", "timeout": 10}]
    world = await make_world(
        command("read", "age", {"secret": "s3cret-variable"}, max_digits=6),
        command("send_dtmf", digits="556677"),
        command("record"),
        command("dialout", targets=targets, cli="+33170009999"),
        conference,
        command("dance"),
        command("read", max_digits=99),
        500,
        app={"login": "ivr", "password": "app-passw0rd"},
    )
    world.plivo.numbers["33187650000"] = world.application
    world.plivo.caller_ids = set()
    call = world.dial("+33698765432", "+33187650000", caller_name="Ada Lovelace")
    await call.press("834756")
    await call.expect_tones("556677")
    await call.speak(3)
    await call.expect_dialled("+442079460199", caller_id="+33170009999")
    await call.press("11223#")
    await call.press("90210#")
    await call.expect_room()
    await call.press("*")
    await world.finish()
    await world.leg().request(world.application.answer_url, token="wrong-token")
    events = {line["event"] for line in logs.lines()}
    text = logs.getvalue().decode()

    assert {
        "webhook.answered",
        "rt.turn",
        "call.ended",
        "hangup.delivered",
        "call.given_up",
    } <= events
    for secret in (
        "834756",
        "556677",
        "11223",
        "90210",
        "33698765432",
        "33187650000",
        "442079460199",
        "33170009999",
        "Ada Lovelace",
        "s3cret-variable",
        "app-passw0rd",
        ACCOUNT.auth_token,
        "wrong-token",
        world.app.results()[3],
    ):
        assert secret not in text, secret


async def test_one_line_per_webhook(make_world: Make, logs: Logs) -> None:
    """Each webhook leaves one line that says what it was, what became of it, and how long it took."""
    world = await make_world(command("read", "age", max_digits=1), HANGUP)
    call = world.dial()
    await call.press("7")
    await world.finish()
    lines = [line for line in logs.lines() if line["event"] == "webhook.answered"]

    assert ["answer", "step", "hangup"] == [line["route"] for line in lines]
    assert [call.line.uuid] * 3 == [line["uuid"] for line in lines]
    assert [1] * 3 == [line["call"] for line in lines]
    assert ["", "read", "hangup"] == [line["command"] for line in lines]
    assert all(line["status"] == 200 and line["ms"] >= 0 for line in lines)
    turns = [line for line in logs.lines() if line["event"] == "rt.turn"]
    assert [("", "read"), ("read", "hangup")] == [(t["command"], t["reply"]) for t in turns]


async def test_lines_of_rare_webhooks_name_the_call(make_world: Make, logs: Logs) -> None:
    """The lines of all other webhooks name the call as well, and its command where one is open."""
    world = await make_world(command("record", "message"))
    leg = world.leg()
    document = (await leg.request(world.application.answer_url)).body
    await leg.request(f"{PUBLIC}/plivo/DEFAULT/fallback")
    await leg.request(link(document, "callbackUrl"), {"RecordUrl": "https://x/1.mp3"})
    await leg.request(f"{PUBLIC}/plivo/DEFAULT/ring")
    ended = leg.hangup_parameters(CALLER_HUNG_UP, world.clock.now())
    for _ in range(2):
        await leg.request(world.application.hangup_url, {**ended, "CallStatus": "completed"})
    await world.delivered()
    lines = [line for line in logs.lines() if line["event"] == "webhook.answered"][1:]

    assert [
        ("fallback", 1, "record"),
        ("notify", 1, "record"),
        ("ring", 1, None),
        ("hangup", 1, "record"),
        ("hangup", 1, "record"),
    ] == [(line["route"], line["call"], line.get("command")) for line in lines]


async def test_failure_is_logged(make_world: Make, logs: Logs) -> None:
    """A reply that is no JSON is logged with a sentence and its first 200 characters."""
    world = await make_world(b"<b>Warning</b>: " + b"x" * 500)
    world.dial()
    await world.finish()
    (line,) = [line for line in logs.lines() if line["level"] == "error" and "excerpt" in line]

    assert ("rt.turn", "APP_INVALID_REPLY") == (line["event"], line["reply"])
    assert ("<b>Warning</b>: " + "x" * 500)[:200] == line["excerpt"]


async def test_call_that_ends_early(make_world: Make, logs: Logs) -> None:
    """The end of a call is logged with its cause and who ended it."""
    world = await make_world(command("read"))
    call = world.dial()
    await call.expect_listening()
    await call.hang_up()
    await world.finish()
    (line,) = [line for line in logs.lines() if line["event"] == "call.ended"]

    assert ("HANGUP", "Normal Hangup", "Caller") == (line["status"], line["cause"], line["by"])


async def test_restart_in_mid_call(make_world: Make) -> None:
    """A bridge that is stopped and started on the same file goes on with its calls."""
    world = await make_world(command("read", "age", {"n": 7}, max_digits=2), HANGUP, store="sqlite")
    leg = world.leg()
    document = (await leg.request(world.application.answer_url)).body
    await world.restart()
    leg = world.leg(uuid=leg.uuid)
    again = await leg.request(world.application.answer_url)
    answer = await leg.request(link(document, "action"), {"Digits": "42"})

    assert document == again.body
    assert ["Hangup"] == names(answer.body)
    assert [("age", "42", {"n": 7})] == [
        (r["command_id"], r["command_result"], r["variables"]) for r in world.app.asked[1:]
    ]
