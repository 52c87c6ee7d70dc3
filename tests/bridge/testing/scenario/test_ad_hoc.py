from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any, Self

import pytest
import structlog
from aiohttp import web
from click.testing import CliRunner, Result
from support_kit import Script, command, play, read
from support_serve import cli

from bridge.__main__ import main
from bridge.testing.scenario import ad_hoc


@pytest.fixture(autouse=True)
def _no_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep the bridge's log out of what is compared, and the configuration out of other tests."""
    monkeypatch.setattr(ad_hoc, "configure_logging", lambda *_args, **_options: None)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


class App:
    """A scripted app on a thread of its own; `requests` are what it was asked."""

    def __init__(self) -> None:
        self.script = Script()
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)

    @property
    def requests(self) -> list[dict[str, Any]]:
        """Give what it was asked."""
        return self.script.requests

    def replies(self, *replies: Any) -> None:
        """Set what it answers, in order; then it hangs up."""
        self.script = Script(*replies)

    async def _answer(self, http: web.Request) -> web.Response:
        reply = self.script.reply(await http.json())
        if isinstance(reply, int):
            return web.Response(status=reply)
        return web.json_response(reply) if isinstance(reply, dict) else web.Response(body=reply)

    def _run(self) -> None:
        app = web.Application()
        app.router.add_post("/", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        self._loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", 0).start())
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


@pytest.fixture(scope="module")
def server() -> Iterator[App]:
    """Serve one app for all tests of this module."""
    with App() as app:
        yield app


@pytest.fixture
def app(server: App) -> App:
    """Give the app, with nothing asked so far."""
    server.replies()
    return server


def call(app: App, *arguments: str) -> Result:
    """Place a call."""
    return CliRunner().invoke(main, ["call", "--app", app.url, *arguments])


def results(app: App) -> list[tuple[str, str]]:
    """List the commands of the app with what it was told of them."""
    return [(one["command"], str(one["command_result"])) for one in app.requests]


# --- what happens -----------------------------------------------------------------------------


def test_a_call_is_printed_turn_by_turn(app: App) -> None:
    """Requests, replies, documents and what the caller hears are there; it ends with 0."""
    app.replies(play("Hello"))

    result = call(app, "--seed", "7")

    assert 0 == result.exit_code
    for text in ("calls +33187654321 from +33612345678", "RT app says", "<Speak", "“Hello”"):
        assert text in result.stdout
    assert result.stdout.endswith("seed 7, profile normal\n")


def test_keys_are_pressed_at_one_input_each(app: App) -> None:
    """Commas separate inputs, and several --press come one after the other."""
    app.replies(read("one"), read("two"), read("three", max_digits=2))

    result = call(app, "--press", "1#,2#", "--press", "33")

    assert 0 == result.exit_code, result.output
    assert [("read", "1"), ("read", "2"), ("read", "33")] == results(app)[1:4]


def test_inputs_keep_the_order_of_the_command_line(app: App) -> None:
    """What is spoken between two inputs comes between them."""
    app.replies(read("one"), command("record", max_duration=60, silence=5), read("two"))

    result = call(app, "--press=1#", "--speak", "4s", "--press", "2#")

    assert 0 == result.exit_code, result.output
    told = results(app)
    assert ("read", "1") == told[1]
    assert ("record", "") != told[2]
    assert ("read", "2") == told[3]


def test_dialled_parties_pick_up(app: App) -> None:
    """With --answer-after whoever is dialled answers after so long, and --hang-up-after ends it."""
    target = {"number": "+33199000001", "timeout": 20}
    app.replies(command("dialout", targets=[target], cli="BLOCKED", ringtone="RING", whisper="0"))

    result = call(app, "--answer-after", "5s", "--hang-up-after", "30s", "--format", "json")

    entries = json.loads(result.stdout)["timeline"]
    assert 0 == result.exit_code, result.output
    (answered,) = [e for e in entries if e["data"].get("state") == "answered"]
    (hung_up,) = [e for e in entries if e["data"].get("action") == "hang_up"]
    assert 5.0 == pytest.approx(answered["at"], abs=1)
    assert 30.0 == pytest.approx(hung_up["at"], abs=0.1)


def test_fields_of_the_first_request_can_be_set(app: App) -> None:
    """--from, --to and --var are what the app is told."""
    result = call(
        app,
        *("--from", "+33600000001", "--var", "cli_name=Ann"),
        *("--var", "number=+33187650000", "--var", "date_started=2020-02-29 12:00:00"),
    )

    assert 0 == result.exit_code, result.output
    assert {
        "cli_number": "+33600000001",
        "cli_name": "Ann",
        "number": "+33187650000",
        "date_started": "2020-02-29 12:00:00",
    } == {
        name: app.requests[0][name] for name in ("cli_number", "cli_name", "number", "date_started")
    }


def test_a_hidden_number_can_call(app: App) -> None:
    """`--var cli_number` is another way to say --from."""
    assert 0 == call(app, "--var", "cli_number=+33600000002").exit_code
    assert "+33600000002" == app.requests[0]["cli_number"]


def test_the_same_seed_gives_the_same_call(app: App) -> None:
    """Two calls with one seed differ in nothing but real time and the ports of the machine."""
    app.replies(play("Hello"), read("one"))

    def timeline() -> list[Any]:
        entries = json.loads(call(app, "--seed", "9", "--format", "json").stdout)["timeline"]
        return [(entry["at"], entry["kind"], entry["text"]) for entry in entries]

    first = timeline()
    app.replies(play("Hello"), read("one"))
    assert first == timeline()


def test_a_call_that_goes_on_for_ever_is_hung_up(app: App) -> None:
    """The caller waits 10 minutes for the end and not longer."""
    app.replies(command("conference", id="1"))

    result = call(app, "--format", "json")

    report = json.loads(result.stdout)
    (hung_up,) = [e for e in report["timeline"] if e["data"].get("action") == "hang_up"]
    assert 0 == result.exit_code, result.output
    assert "hangs up, after 600 s without an end" == hung_up["text"]


# --- what fails -------------------------------------------------------------------------------


def test_inputs_that_were_never_used_fail(app: App) -> None:
    """All that is left is named, with the reason."""
    app.replies(read("one"))

    result = call(app, "--press", "1#,2#", "--say", "hello")

    assert 1 == result.exit_code
    assert (
        "Not used: --press 2#, --say hello. Cannot press 2#: nothing accepts keys; the call is over."
    ) in result.stdout


def test_answering_what_was_not_dialled_fails(app: App) -> None:
    """--answer-after without a dialled party is an option that had no effect."""
    result = call(app, "--answer-after", "5")

    assert 1 == result.exit_code
    assert "--answer-after was not used: nobody was dialled.\n" in result.stdout


def test_a_hangup_that_was_not_needed_is_a_note(app: App) -> None:
    """The call was over before: nothing failed."""
    result = call(app, "--hang-up-after", "1h")

    assert 0 == result.exit_code
    assert "--hang-up-after was not needed: the call was over before.\n" in result.stdout


def test_an_app_that_breaks_the_protocol_fails(app: App) -> None:
    """Violations are listed, in JSON too."""
    app.replies(b"nonsense")
    plain = call(app)
    app.replies(b"nonsense")
    report = json.loads(call(app, "--format", "json").stdout)

    assert 1 == plain.exit_code
    assert "error NOT_JSON in turn 1" in plain.stdout
    assert ("plivo-rt-bridge/call", 1, []) == (
        report["format"],
        report["version"],
        report["unused"],
    )
    assert "error NOT_JSON in turn 1" in report["violations"][0]


def test_what_is_worth_a_note_fails_nothing(app: App) -> None:
    """Warnings of the protocol checks are printed."""
    app.replies(command("play", media_id="0", volume=3))

    result = call(app)

    assert 0 == result.exit_code
    assert "warning UNKNOWN_PARAMETER in turn 1" in result.stdout


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--pres", "1"], "No such option '--pres'"),
        (["--press", "1,x"], "--press must be keys of a phone: 0 to 9, * and #, but is “x”."),
        (["--press", "1,"], "--press must be keys of a phone: 0 to 9, * and #, but is “”."),
        (["--say", " "], "--say must not be empty."),
        (
            ["--speak", "x"],
            "--speak must be a duration such as 10s, 1.5s, 500ms or 2m, but is “x”.",
        ),
        (["--answer-after", "x"], "--answer-after must be a duration"),
        (["--hang-up-after", "-1"], "--hang-up-after must be a duration"),
        (["--from", "123"], "--from must be a number with + and country code"),
        (["--to", "anonymous"], "--to must be a number with + and country code"),
        (["--var", "cli_name"], "--var cli_name: write NAME=VALUE"),
        (
            ["--var", "cli_nam=x"],
            "--var cli_nam: RT.Request has no such field. Did you mean `cli_name`?",
        ),
        (["--var", "xyz=x"], "You can set `cli_name`, `cli_number`, `date_started`, `number`."),
        (
            ["--var", "variables=x"],
            "--var variables: the bridge decides about this field. You can set cli_name, cli_number,",
        ),
        (["--var", "number=x"], "--var number must be a number with + and country code"),
        (["--var", "date_started=now"], "--var date_started must be UTC such as"),
        (["--fault", "dup"], "“dup” is no fault"),
        (["--app", "nowhere"], "--app is “nowhere”, but must be an absolute URL"),
        (["--app", ""], "No app is named: give its URL with --app"),
    ],
)
def test_wrong_options_are_2(app: App, options: list[str], sentence: str) -> None:
    """Unknown and unusable options end with 2 and a sentence, and nobody is called."""
    result = call(app, *options)

    assert (2, "") == (result.exit_code, result.stdout)
    assert sentence in result.stderr
    assert [] == app.requests


def test_an_app_that_cannot_be_reached_is_3() -> None:
    """A process of its own ends with 3 and one sentence."""
    done = cli("call", "--app", "http://127.0.0.1:1/")

    assert (3, b"") == (done.returncode, done.stdout)
    assert b"The app at http://127.0.0.1:1/ cannot be reached: " in done.stderr
    assert 1 == len(done.stderr.splitlines())


def test_the_app_can_be_started() -> None:
    """--app-command starts the app for one call."""
    command_line = f"{sys.executable} -m examples.ivr --port {{port}}"

    done = cli("call", "--app-command", command_line, "--app", "/", "--press", "42#,9")

    assert 0 == done.returncode, done.stdout + done.stderr
    assert "“You are 42.”" in done.stdout.decode()
