from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from lxml import etree
from support_serve import EXAMPLES, TEXT, cli

from bridge.rt_client import RtApp
from bridge.settings import Settings
from bridge.settings_model import MediaSettings
from bridge.translate import EXAMPLE, _NoApp, _notes, _wish, translate_main
from mappings._kernel.actions import HangUpCall, RestAction, StartRecording, StopRecording
from mappings.registry import COMMANDS


def reply(command: str, **params: Any) -> bytes:
    """Write an RT.Response."""
    return json.dumps({"command": command, "command_id": 1, "params": params}).encode()


def translated(command: str, settings: Settings | None = None, **params: Any) -> tuple[str, int]:
    """Translate in this process."""
    return translate_main(reply(command, **params), app=None, settings=settings)


def settings_of(**values: Any) -> Settings:
    """Make settings with one app."""
    return Settings.model_validate(
        {
            "public_url": "https://voice.example.com",
            "plivo_auth_id": "MAXXXXXXXXXXXXXXXXXX",
            "plivo_auth_tokens": ["token"],
            "apps": {"SHOP": {"url": "http://127.0.0.1:9/"}},
            **values,
        }
    )


CONFIG = """\
public_url = "https://voice.example.com/rt"
plivo_auth_id = "MAXXXXXXXXXXXXXXXXXX"
plivo_auth_token = "token"
default_voice = "Polly.Amy"

[voices]
TTS_FR-FR_AUDREY = "Polly.Celine"

[media.library]
42 = "https://media.example.com/hello.mp3"

[apps.SHOP]
url = "http://127.0.0.1:9/"
blocked_caller_id = "+33900000001"

[apps.BANK]
url = "http://127.0.0.1:9/"
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    """Write a settings file with voices, media and two apps; gives its path."""
    path = tmp_path / "bridge.toml"
    path.write_text(CONFIG)
    return str(path)


# --- the command in a process of its own --------------------------------------------------------


def test_document_is_alone_on_standard_output() -> None:
    """The XML of a command goes to standard output, status 0, and nothing else is said."""
    done = cli("translate", stdin=reply("play", media_id=TEXT))

    assert (0, b"") == (done.returncode, done.stderr)
    speak, redirect = etree.fromstring(done.stdout)
    assert ("Speak", "Hello") == (speak.tag, speak.text)
    assert ("WOMAN", "en-GB") == (speak.get("voice"), speak.get("language"))
    assert "Redirect" == redirect.tag


def test_what_is_worth_knowing_goes_to_standard_error() -> None:
    """A voice that had to be replaced is told beside the XML, which stays well-formed."""
    done = cli("translate", stdin=reply("play", media_id="TTS|TTS_XX-YY_NOBODY|Hi"))

    assert 0 == done.returncode
    assert "Speak" == etree.fromstring(done.stdout)[0].tag
    sentence = "The voice 'TTS_XX-YY_NOBODY' names no language Plivo speaks; the default "
    assert f"Note: {sentence}WOMAN/en-US is used.\n" == done.stderr.decode()


def test_error_of_the_app_is_its_code_and_sentence() -> None:
    """What the app would hear as command_error is printed as it is, status 1."""
    done = cli("translate", stdin=reply("read", max_digits=99))

    assert 1 == done.returncode
    assert b"INVALID_PARAMS: read.max_digits: " in done.stdout
    assert b"" == done.stderr


def test_reply_that_is_no_json_is_shown() -> None:
    """Invalid JSON is status 1 with what is wrong, where, and what was read."""
    done = cli("translate", stdin=b'Notice: x\n{"command":"hangup"}')

    assert (1, b"") == (done.returncode, done.stderr)
    first, second = done.stdout.decode().splitlines()
    assert first.startswith("APP_INVALID_REPLY: 10 characters of text precede the JSON object")
    assert 'Notice: x {"command":"hangup"}' == second


def test_app_that_is_not_configured() -> None:
    """`--app` with an unknown hash is wrong usage, status 2, and names the apps there are."""
    done = cli("translate", "--app", "NOPE", stdin=reply("hangup"))

    sentence = "There is no app 'NOPE' in the settings; there is DEFAULT.\n"
    assert (2, sentence, b"") == (done.returncode, done.stdout.decode(), done.stderr)


def test_settings_file_is_used(config: str) -> None:
    """Voices, media library and the caller id of the named app come from the TOML file."""

    def run(app: str, command: str, **params: Any) -> Any:
        done = cli(
            "translate", "--app", app, stdin=reply(command, **params), env={"BRIDGE_CONFIG": config}
        )
        assert (0, b"") == (done.returncode, done.stderr)
        return etree.fromstring(done.stdout)

    speak, redirect = run("SHOP", "play", media_id="TTS|TTS_FR-FR_AUDREY|Bonjour")
    assert ("Polly.Celine", "fr-FR") == (speak.get("voice"), speak.get("language"))
    assert redirect.text.startswith("https://voice.example.com/rt/plivo/SHOP/")
    assert "https://media.example.com/hello.mp3" == run("BANK", "play", media_id=42)[0].text
    targets = [{"number": "+33123456789"}]
    assert "33900000001" == run("SHOP", "dialout", targets=targets)[0].get("callerId")
    assert "33100000000" == run("BANK", "dialout", targets=targets)[0].get("callerId")


def test_settings_that_cannot_be_used(tmp_path: Path) -> None:
    """A settings file with a fault is status 2 and a sentence, without a traceback."""
    path = tmp_path / "bridge.toml"
    path.write_text("pubic_url = 1\n")
    done = cli("translate", stdin=reply("hangup"), env={"BRIDGE_CONFIG": str(path)})

    assert (2, b"") == (done.returncode, done.stdout)
    assert b"pubic_url" in done.stderr
    assert b"Traceback" not in done.stderr


# --- every command ------------------------------------------------------------------------------


def test_there_is_an_example_of_every_command() -> None:
    """No command of the registry is left out below."""
    assert {command.name for command in COMMANDS} == set(EXAMPLES)


@pytest.mark.parametrize("rest", [True, False])
@pytest.mark.parametrize("command", sorted(EXAMPLES))
def test_every_command_reads_well(command: str, rest: bool) -> None:
    """Each command gives XML, or a sentence that says what happens instead."""
    settings = settings_of(plivo_rest=rest)
    text, status = translated(command, settings, **EXAMPLES[command])

    if text.startswith("<Response>"):
        assert 0 == status
        assert len(etree.fromstring(text)) > 0
    elif status == 0:
        assert text.startswith("No document: the command asks Plivo's REST API to ")
    else:
        assert not rest
        assert f"REST_UNAVAILABLE: {command} needs Plivo's REST API, but " in text


def test_requests_to_the_rest_api_are_told_in_words() -> None:
    """Commands that begin with a REST request say what they ask for and of whom."""
    asks = "No document: the command asks Plivo's REST API to "

    assert (f"{asks}hang up call 7.\n", 0) == translated("hangup_callid", callid=7)
    assert (
        f"{asks}stop the recording 11111111-1111-1111-1111-111111111111 of the call.\n",
        0,
    ) == translated("stop_call_recording")


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (HangUpCall(7), "hang up call 7"),
        (StartRecording(60, stereo=True, transcribe=False), "record the call for at most 60 s"),
        (StopRecording("abc"), "stop the recording abc of the call"),
    ],
)
def test_every_rest_action_has_words(action: RestAction, expected: str) -> None:
    """Each action of the closed union reads as the end of a sentence."""
    assert expected == _wish(action)


def test_recording_is_taken_as_known(capsys: pytest.CaptureFixture[str]) -> None:
    """play_record is shown as it goes for a recording that exists, and says so."""
    text, status = translated("play_record", media_file="mabc")

    assert 0 == status
    assert "<Play>https://bridge.example.com/media/mabc.mp3</Play>" in text
    assert "Note: the recording mabc is taken as known to the bridge.\n" == capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "params", "expected"),
    [
        ("play", {"media_id": 0}, '"0"'),
        ("play", {"media_id": 7}, '"1"'),
        ("play_wav_data", {"audio_data": "abcd"}, '"1"'),
        ("play_record", {"media_file": ""}, '"0"'),
    ],
)
def test_result_without_a_document(command: str, params: dict[str, Any], expected: str) -> None:
    """A command that is over at once shows its result as the app's JSON would have it."""
    text, status = translated(command, **params)

    assert (f"No document: the command returns {expected} at once.\n", 0) == (text, status)


def test_diagnostics_of_a_command_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """What a command would log while it runs is told with its code."""
    translated("play_wav_data", audio_data="abcd")
    translated("start_call_recording", ner=True)

    assert [
        "Note: play_wav_data.audio_data: not a RIFF WAVE file (INVALID_PARAMS).",
        "Note: ner, pii and sentiment have no counterpart at Plivo (NOT_SUPPORTED).",
    ] == capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "APP_INVALID_REPLY: The reply is empty"),
        (b"[]", "APP_INVALID_REPLY: The reply is a list"),
        (b"\xff", "APP_INVALID_REPLY: The reply is not UTF-8"),
        (b"{}", "UNKNOWN_COMMAND: there is no command ''"),
        (b'{"command":"evaporate"}', "UNKNOWN_COMMAND: there is no command 'evaporate'"),
        (reply("conference", id="a", welcome=7), "MEDIA_NOT_FOUND: "),
        (reply("play", media_id="TTS|TTS_EN-GB_SERENA|" + 100_000 * "x"), "INVALID_PARAMS: play"),
    ],
)
def test_refusals_are_status_one(body: bytes, expected: str) -> None:
    """Whatever the app would hear as an error, or could not be read, is status 1."""
    text, status = translate_main(body, app=None, settings=None)

    assert 1 == status
    assert text.startswith(expected)


def test_mapping_that_fails_is_the_app_s_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in a mapping is what the app would hear, not a traceback."""
    wait = next(command for command in COMMANDS if command.name == "wait")

    def broken(*_: object) -> object:
        yield 1 / 0

    monkeypatch.setitem(wait.__dict__, "flow", broken)

    assert (
        "BRIDGE_ERROR: a fault in the bridge ended the command; the call goes on\n",
        1,
    ) == translated("wait")


@pytest.fixture
def _restore_logs() -> Iterator[None]:
    """Leave the process-wide configuration of logs as it comes."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("_restore_logs")
@pytest.mark.parametrize("configured", [False, True])
def test_logs_become_notes_for_a_while(
    configured: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Warnings of the shell are told as sentences, lesser lines not; then all is as before."""
    processors = [structlog.processors.KeyValueRenderer()]
    if configured:
        structlog.configure(processors=processors)
    log = structlog.get_logger()

    with _notes():
        log.info("voice.found", why="It is there.")
        log.warning("voice.replaced", why="It is not there.")
        log.error("media.directory")

    assert ("", "Note: It is not there.\nNote: media.directory\n") == capsys.readouterr()
    assert configured is structlog.is_configured()
    assert configured is (processors == structlog.get_config()["processors"])


# --- settings -----------------------------------------------------------------------------------


def test_first_app_is_taken_when_none_is_named() -> None:
    """Without `--app` the first app of the settings is used."""
    text, _ = translated("wait", settings_of())
    named = translate_main(reply("wait"), app="SHOP", settings=settings_of())
    unknown, status = translate_main(reply("wait"), app="DEFAULT", settings=settings_of())

    assert "/plivo/SHOP/" in text
    assert (text, 0) == named
    assert ("There is no app 'DEFAULT' in the settings; there is SHOP.\n", 2) == (unknown, status)


def test_folder_of_the_media_library_is_used(tmp_path: Path) -> None:
    """A file of the library is hosted under the public URL."""
    (tmp_path / "7.wav").write_bytes(b"RIFF")
    settings = settings_of(media=MediaSettings(directory=tmp_path))
    play = etree.fromstring(translated("play", settings, media_id=7)[0])[0]

    assert "Play" == play.tag
    assert (play.text or "").startswith("https://voice.example.com/media/")
    assert (play.text or "").endswith(".wav")


def test_no_app_is_asked() -> None:
    """The example settings name an app, which a translation can never reach."""
    app = RtApp("DEFAULT", EXAMPLE["BRIDGE_APP_URL"])
    coroutine = _NoApp().ask(app, b"{}", 1.0)

    with pytest.raises(AssertionError, match="RtApp"):
        coroutine.send(None)
