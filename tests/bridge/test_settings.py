from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from bridge import settings_doc
from bridge.errors import BridgeError, SettingsError
from bridge.settings import (
    AppSettings,
    Listen,
    Row,
    Settings,
    describe,
    load_settings,
    warnings,
)

MINIMAL = {
    "BRIDGE_PUBLIC_URL": "https://voice.example.com",
    "BRIDGE_APP_URL": "http://127.0.0.1:8000/rt",
    "BRIDGE_PLIVO_AUTH_ID": "MAXXXXXXXXXXXXXXXXXX",
    "BRIDGE_PLIVO_AUTH_TOKEN": "tok-1",
}
Write = Callable[[str], dict[str, str]]


@pytest.fixture
def toml(tmp_path: Path) -> Write:
    """Write a TOML file and give the variable that names it."""

    def write(text: str) -> dict[str, str]:
        path = tmp_path / "bridge.toml"
        path.write_text(text)
        return {"BRIDGE_CONFIG": str(path)}

    return write


def problems(environ: dict[str, str]) -> list[str]:
    """Load settings that must fail and give the sentences."""
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    return list(caught.value.problems)


def rows(environ: dict[str, str]) -> dict[str, Row]:
    """Describe settings that must load, by name."""
    return {row.name: row for row in describe(load_settings(environ))}


# --- values -----------------------------------------------------------------------------------


def test_four_variables_are_enough() -> None:
    """Public URL, one app and the Plivo credentials make valid settings with safe defaults."""
    s = load_settings(MINIMAL).settings

    assert "https://voice.example.com" == s.public_url
    assert Listen("127.0.0.1", 8080) == s.listen
    assert Listen("127.0.0.1", 8081) == s.admin_listen
    assert (True, True) == (s.verify_signatures, s.plivo_rest)
    assert "https://api.plivo.com" == s.plivo_api_url
    assert "sqlite:///bridge.db" == s.store
    assert Path("bridge.db") == s.store_path
    assert ["DEFAULT"] == list(s.apps)
    assert "http://127.0.0.1:8000/rt" == s.apps["DEFAULT"].url
    assert "hangup" == s.apps["DEFAULT"].on_failure
    assert (8.0, 5.0) == (s.webhook_budget_s, s.app_timeout_s)
    assert (1_048_576, 262_144) == (s.max_app_reply_bytes, s.max_webhook_bytes)


def test_settings_cannot_be_changed() -> None:
    """Settings are frozen after loading."""
    s = load_settings(MINIMAL).settings

    with pytest.raises(ValidationError, match="frozen"):
        s.public_url = "https://other.example.com"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://voice.example.com/", "https://voice.example.com"),
        ("https://voice.example.com:8443/plivo/rt/", "https://voice.example.com:8443/plivo/rt"),
        (" http://127.0.0.1:9 ", "http://127.0.0.1:9"),
        ("https://Voice.Example.com", "https://Voice.Example.com"),
    ],
)
def test_public_url_keeps_its_prefix_and_loses_the_last_slash(given: str, expected: str) -> None:
    """The public URL may have port and path prefix; only a trailing slash is dropped."""
    assert expected == load_settings(MINIMAL | {"BRIDGE_PUBLIC_URL": given}).settings.public_url


@pytest.mark.parametrize(
    "given",
    [
        "voice.example.com",
        "ftp://voice.example.com",
        "https://",
        "https://voice.example.com?x=1",
        "https://voice.example.com/#top",
        "https://voice.example.com:99999",
        "https://voice.example.com:0",
        "https://[voice",
        "https://voice example.com",
        "https://me:pw@voice.example.com",
    ],
)
def test_public_url_must_be_a_plain_base(given: str) -> None:
    """A public URL that Plivo could not be given is refused in one sentence with its name."""
    (sentence,) = problems(MINIMAL | {"BRIDGE_PUBLIC_URL": given})

    assert sentence.startswith("BRIDGE_PUBLIC_URL is '")
    assert "but must be an absolute URL" in sentence
    assert "pw" not in sentence


@pytest.mark.parametrize(
    ("given", "expected", "loopback"),
    [
        ("0.0.0.0:80", Listen("0.0.0.0", 80), False),
        ("[::1]:0", Listen("::1", 0), True),
        ("localhost:8080", Listen("localhost", 8080), True),
        ("bridge-1.internal:65535", Listen("bridge-1.internal", 65535), False),
    ],
)
def test_listen_reads_host_and_port(given: str, expected: Listen, loopback: bool) -> None:
    """A listening address is a name, IPv4 or bracketed IPv6 address and a port, and prints back."""
    listen = load_settings(MINIMAL | {"BRIDGE_LISTEN": given}).settings.listen

    assert expected == listen
    assert given == str(listen)
    assert loopback == listen.is_loopback


@pytest.mark.parametrize(
    "given", ["8080", ":8080", "127.0.0.1", "127.0.0.1:x", "h:65536", "::1:80", "[h]:80", "h:-1"]
)
def test_listen_refuses_anything_else(given: str) -> None:
    """An address without host, port or brackets is refused with examples."""
    (sentence,) = problems(MINIMAL | {"BRIDGE_LISTEN": given})

    assert sentence.startswith(f"BRIDGE_LISTEN is '{given}', but must be host:port with a port")


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("memory:", None),
        ("sqlite:///calls.db", Path("calls.db")),
        ("sqlite:////var/lib/calls.db", Path("/var/lib/calls.db")),
    ],
)
def test_store_is_a_file_or_memory(given: str, path: Path | None) -> None:
    """Three slashes name a relative file, four an absolute one, and memory: none."""
    assert path == load_settings(MINIMAL | {"BRIDGE_STORE": given}).settings.store_path


@pytest.mark.parametrize("given", ["sqlite:///", "sqlite:calls.db", "calls.db", "sqlite:///a?b"])
def test_store_refuses_other_urls(given: str) -> None:
    """A store URL that names no file is refused."""
    (sentence,) = problems(MINIMAL | {"BRIDGE_STORE": given})

    assert "must be sqlite:///file (relative)" in sentence


@pytest.mark.parametrize(
    "given",
    [
        "redis://db",
        "rediss://user:hunter2@db:6380/3?prefix=voice",
        "redis+sentinel://s1:26379,s2/primary/1",
        "redis://[::1]:6379/0?password_file=/run/secrets/redis",
    ],
)
def test_redis_store_is_no_file(given: str) -> None:
    """A Redis URL is taken as it is, has no path, and is shown without its password."""
    loaded = load_settings(MINIMAL | {"BRIDGE_STORE": given})

    assert (given, None) == (loaded.settings.store, loaded.settings.store_path)
    assert "hunter2" not in str(describe(loaded))


def test_wrong_redis_store_is_refused_without_its_password() -> None:
    """The sentence about a Redis URL that cannot be says what is wrong, and no secret."""
    (sentence,) = problems(MINIMAL | {"BRIDGE_STORE": "redis://:hunter2@db/zero"})

    assert "must be redis://host:6379/0" in sentence
    assert "a database is a number" in sentence
    assert "hunter2" not in sentence


@pytest.mark.parametrize(
    ("name", "value", "rest"),
    [
        ("BRIDGE_PLIVO_REST", "maybe", "must be true or false"),
        ("BRIDGE_APP_TIMEOUT_S", "6", "must be at most 5"),
        ("BRIDGE_RECORDING_GRACE_S", "-1", "must be at least 0"),
        ("BRIDGE_MEDIA_TTL_S", "nan", "must be a number"),
        ("BRIDGE_MEDIA_TTL_S", "1h", "must be a number"),
        ("BRIDGE_MAX_WEBHOOK_BYTES", "1.5", "must be a whole number"),
        ("BRIDGE_STORE_DURABILITY", "max", "must be 'normal' or 'full'"),
        ("BRIDGE_LOG_LEVEL", "loud", "must be 'debug', 'info', 'warning' or 'error'"),
        ("BRIDGE_PLIVO_AUTH_ID", "../x", "must be letters and digits only"),
        ("BRIDGE_RPC_LOGIN", "a:b", "must be a login without a colon"),
        ("BRIDGE_DEFAULT_VOICE", "xx", "must be a voice or a language Plivo lists"),
        ("BRIDGE_DEFAULT_VOICE", "fr-BE", "must be a voice or a language Plivo lists"),
        ("BRIDGE_MEDIA_URL_TEMPLATE", "https://s/x.mp3", "that contains {id} once"),
        ("BRIDGE_MEDIA_DIRECTORY", "/no/such", "must be a directory that exists"),
        ("BRIDGE_APP_URL", "https://a/#***", "without a fragment"),
        ("BRIDGE_APP_LOGIN", "x\x00", "must be a login"),
        ("BRIDGE_APP_BLOCKED_CALLER_ID", "0612345678", "must be a number in E.164 form"),
        ("BRIDGE_APP_ON_FAILURE", "cry", "must be 'hangup', 'say' or 'fallback_url'"),
    ],
)
def test_a_bad_value_is_named_with_what_to_do(name: str, value: str, rest: str) -> None:
    """Each fault is one sentence: variable, value, and what it must be."""
    found = problems(MINIMAL | {name: value, "BRIDGE_RPC_PASSWORD": "x"})

    assert any(line.startswith(f"{name} is {value!r}, but") and rest in line for line in found)


def test_blank_word_is_refused() -> None:
    """A text of blanks is not a value."""
    assert "must not be empty" in problems(MINIMAL | {"BRIDGE_APP_FAILURE_MESSAGE": " "})[0]


def test_log_level_is_read_in_any_case() -> None:
    """Levels and formats may be written in capitals."""
    s = load_settings(MINIMAL | {"BRIDGE_LOG_LEVEL": "DEBUG", "BRIDGE_LOG_FORMAT": "Json"}).settings

    assert ("debug", "json") == (s.log_level, s.log_format)


def test_several_tokens_may_be_given() -> None:
    """Commas and blanks separate Auth Tokens; the order is kept because REST uses the first."""
    s = load_settings(MINIMAL | {"BRIDGE_PLIVO_AUTH_TOKEN": "new, old\n"}).settings

    assert ["new", "old"] == [token.get_secret_value() for token in s.plivo_auth_tokens]


def test_a_list_of_only_commas_holds_no_token() -> None:
    """Separators without a secret are a fault."""
    (sentence,) = problems(MINIMAL | {"BRIDGE_PLIVO_AUTH_TOKEN": " , "})

    assert (
        "BRIDGE_PLIVO_AUTH_TOKEN must hold at least one secret; several are separated by commas."
        == sentence
    )


def test_an_empty_variable_is_not_set() -> None:
    """An empty variable leaves the default in place."""
    assert (
        load_settings(MINIMAL).settings == load_settings(MINIMAL | {"BRIDGE_LISTEN": ""}).settings
    )


# --- names ------------------------------------------------------------------------------------


def test_unknown_variable_suggests_the_nearest_name() -> None:
    """A misspelt variable is an error with the likely name."""
    assert ["BRIDGE_PUBLIC_URI is not a setting; did you mean BRIDGE_PUBLIC_URL?"] == problems(
        MINIMAL | {"BRIDGE_PUBLIC_URI": "x"}
    )


def test_unknown_variable_without_a_neighbour_points_to_the_page() -> None:
    """A name near nothing is an error that says where the names are."""
    assert ["BRIDGE_QQQ is not a setting; remove it, or see docs/settings.md."] == problems(
        MINIMAL | {"BRIDGE_QQQ": "x"}
    )


def test_table_cannot_be_given_as_a_variable() -> None:
    """Tables exist only in the TOML file, and the sentence says so."""
    (sentence,) = problems(MINIMAL | {"BRIDGE_VOICES": "{}"})

    assert sentence.startswith("BRIDGE_VOICES cannot be given in the environment; write the table")


def test_kubernetes_service_links_are_ignored() -> None:
    """Variables that Kubernetes adds for a Service called bridge are not settings."""
    links = {
        "BRIDGE_SERVICE_HOST": "10.0.0.7",
        "BRIDGE_SERVICE_PORT": "80",
        "BRIDGE_SERVICE_PORT_HTTP": "80",
        "BRIDGE_PORT": "tcp://10.0.0.7:80",
        "BRIDGE_PORT_80_TCP": "tcp://10.0.0.7:80",
        "BRIDGE_PORT_80_TCP_ADDR": "10.0.0.7",
        "BRIDGE_ADMIN_SERVICE_HOST": "10.0.0.8",
    }

    assert load_settings(MINIMAL) == load_settings(MINIMAL | links)


def test_a_port_written_by_a_person_is_not_a_service_link() -> None:
    """BRIDGE_PORT=8080 is a mistake, not a Service link."""
    (sentence,) = problems(MINIMAL | {"BRIDGE_PORT": "8080"})

    assert sentence.startswith("BRIDGE_PORT is not a setting")


# --- secrets in files -------------------------------------------------------------------------


def test_secret_file_loses_only_its_line_end(tmp_path: Path) -> None:
    """A secret read from a file keeps its blanks and loses line ends at the end."""
    (tmp_path / "pw").write_text(" p w \r\n")
    environ = MINIMAL | {"BRIDGE_APP_LOGIN": "me", "BRIDGE_APP_PASSWORD_FILE": f"{tmp_path}/pw"}

    app = load_settings(environ).settings.apps["DEFAULT"]

    assert SecretStr(" p w ") == app.password
    assert (
        f"file {tmp_path}/pw (BRIDGE_APP_PASSWORD_FILE)"
        == (load_settings(environ).origins["apps.DEFAULT.password"])
    )


def test_secret_and_its_file_exclude_each_other() -> None:
    """A secret given twice in one source is an error, and nothing else is reported for it."""
    both = (
        "BRIDGE_PLIVO_AUTH_TOKEN and BRIDGE_PLIVO_AUTH_TOKEN_FILE are both set; keep one of them."
    )

    assert [both] == problems(MINIMAL | {"BRIDGE_PLIVO_AUTH_TOKEN_FILE": "/run/secrets/token"})


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"", "is empty or larger than 64 KiB"),
        (b"\n", "is empty or larger than 64 KiB"),
        (b"x" * 70_000, "is empty or larger than 64 KiB"),
        (b"\xff\xfe", "is not a UTF-8 text file"),
    ],
)
def test_unusable_secret_file_is_one_problem(
    tmp_path: Path, content: bytes | None, expected: str
) -> None:
    """A secret file that is missing, empty, huge or binary is reported once, by variable."""
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    environ = MINIMAL | {"BRIDGE_PLIVO_AUTH_TOKEN_FILE": str(file)}
    del environ["BRIDGE_PLIVO_AUTH_TOKEN"]

    (sentence,) = problems(environ)

    assert sentence.startswith(f"BRIDGE_PLIVO_AUTH_TOKEN_FILE names {file}, which ")
    assert expected in sentence


def test_secret_in_place_of_its_file_name_is_not_repeated() -> None:
    """Somebody who gives the secret where a path is due does not find it in the error."""
    environ = MINIMAL | {"BRIDGE_PLIVO_AUTH_TOKEN_FILE": "s3cr3t"}
    del environ["BRIDGE_PLIVO_AUTH_TOKEN"]

    (sentence,) = problems(environ)

    assert "s3cr3t" not in sentence


# --- TOML -------------------------------------------------------------------------------------


def test_toml_file_holds_everything(toml: Write, tmp_path: Path) -> None:
    """Every kind of value can come from the file alone: apps, media, voices, secrets, lists."""
    (tmp_path / "pw").write_text("pw\n")
    environ = toml(f"""
        public_url = "https://voice.example.com"
        listen = "0.0.0.0:80"
        plivo_auth_id = "MAXXXXXXXXXXXXXXXXXX"
        plivo_auth_token = ["new", "old"]
        webhook_budget_s = 9
        [apps.SHOP]
        url = "http://127.0.0.1:8000/rt?k=1"
        login = "me"
        password_file = "{tmp_path}/pw"
        share_rooms = true
        [apps.SUPPORT]
        url = "http://127.0.0.1:8001/"
        on_failure = "fallback_url"
        fallback_url = "https://voice.example.com/sorry.xml"
        [media]
        url_template = "https://sounds.example.com/{{id}}.mp3"
        directory = "{tmp_path}"
        library = {{ 12 = "https://sounds.example.com/hello.wav" }}
        [voices]
        TTS_FR-FR_AUDREY = "Polly.Lea"
    """)

    s = load_settings(environ).settings

    assert Listen("0.0.0.0", 80) == s.listen
    assert ["new", "old"] == [token.get_secret_value() for token in s.plivo_auth_tokens]
    assert 9.0 == s.webhook_budget_s
    assert ["SHOP", "SUPPORT"] == list(s.apps)
    assert SecretStr("pw") == s.apps["SHOP"].password
    assert s.apps["SHOP"].share_rooms
    assert "https://voice.example.com/sorry.xml" == s.apps["SUPPORT"].fallback_url
    assert "https://sounds.example.com/{id}.mp3" == s.media.url_template
    assert tmp_path == s.media.directory
    assert {"12": "https://sounds.example.com/hello.wav"} == s.media.library
    assert {"TTS_FR-FR_AUDREY": "Polly.Lea"} == s.voices


def test_environment_wins_over_the_file(toml: Write) -> None:
    """A variable replaces the same value of the file, for an app field by field."""
    environ = MINIMAL | toml("""
        listen = "127.0.0.1:9000"
        default_voice = "fr-FR"
        [apps.SHOP]
        url = "http://127.0.0.1:1/"
        partial_read = "exact"
    """)
    environ |= {"BRIDGE_APP_HASH": "SHOP", "BRIDGE_LISTEN": "127.0.0.1:9001"}

    loaded = load_settings(environ)

    assert Listen("127.0.0.1", 9001) == loaded.settings.listen
    assert "fr-FR" == loaded.settings.default_voice
    assert ["SHOP"] == list(loaded.settings.apps)
    assert "http://127.0.0.1:8000/rt" == loaded.settings.apps["SHOP"].url
    assert "exact" == loaded.settings.apps["SHOP"].partial_read
    config = environ["BRIDGE_CONFIG"]
    assert "environment BRIDGE_APP_URL" == loaded.origins["apps.SHOP.url"]
    assert f"{config} apps.SHOP.partial_read" == loaded.origins["apps.SHOP.partial_read"]
    assert f"{config} default_voice" == loaded.origins["default_voice"]
    assert "default" == loaded.origins["store"]


def test_variable_replaces_an_unreadable_file_value(toml: Write) -> None:
    """A secret in the environment makes a broken secret file of the TOML file harmless."""
    environ = MINIMAL | toml('plivo_auth_token_file = "/no/such"')

    (sentence,) = problems(environ)

    assert "BRIDGE_PLIVO_AUTH_TOKEN_FILE (plivo_auth_token_file in" in sentence


def test_app_shorthand_works_in_the_file(toml: Write) -> None:
    """The keys app_url and app_hash of the file are the lower-case forms of the variables."""
    environ = MINIMAL | toml('app_hash = "SHOP"\napp_url = "http://127.0.0.1:1/"')
    del environ["BRIDGE_APP_URL"]

    assert "http://127.0.0.1:1/" == load_settings(environ).settings.apps["SHOP"].url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("listen = [", "which is not valid TOML"),
        ('lisen = "x"', "lisen in {config} is not a setting; did you mean listen?"),
        ("apps = 3", "apps in {config} must be a table; write [apps]."),
        ("[apps]\nSHOP = 1", "apps.SHOP in {config} must be a table; write [apps.SHOP]."),
        ("[apps.SHOP]\nulr = 1", "apps.SHOP.ulr in {config} is not a setting; did you mean url?"),
        ("[apps.SHOP]\nlogin = 'x'", "apps.SHOP.url is missing; set it to the URL of the RT app."),
        ("[apps.'a b']\nurl = 'http://a/'", "apps.a b is 'a b', but must be an app hash of"),
        ("app_hash = 1", "app_hash in {config} must be text in quotes."),
        ("listen = 8080", "BRIDGE_LISTEN (listen in {config}) is '8080', but must be host:port"),
        ("store = 1", "BRIDGE_STORE (store in {config}) is '1', but must be text in quotes."),
        ("plivo_auth_token_file = 1", "must be the path of a file, in quotes."),
        ("rpc_api_keys = 5", "BRIDGE_RPC_API_KEYS (rpc_api_keys in {config}) must be text"),
        ("[media]\nlibrary = 1", "media.library in {config} is '1', but must be a table."),
        ("[media.library]\n0 = 'http://a/'", "media.library.0 in {config} is"),
        ("[media.library]\n7 = 'a'", "media.library.7 in {config} is 'a', but must be an absolute"),
        ("[voices]\nX = 'Polly.Nobody'", "voices.X in {config} is 'Polly.Nobody', but must be a"),
        ("[voices]\nX = 'MAN/fr-CA'", "voices.X in {config} is 'MAN/fr-CA', but must be a voice"),
        (
            "rpc_password = 'x'\nrpc_password_file = 'y'",
            "rpc_password and rpc_password_file in {config} are both set; keep one of them.",
        ),
        (
            "app_login = 'x'\n[apps.DEFAULT]\nlogin = 'y'",
            "app_login and apps.DEFAULT.login in {config} set the same value; keep one of them.",
        ),
    ],
)
def test_fault_of_the_file_names_key_and_file(toml: Write, text: str, expected: str) -> None:
    """Each fault in the TOML file is one sentence with the key, the file and what to do."""
    environ = MINIMAL | toml(text)

    found = problems(environ)

    assert any(expected.format(config=environ["BRIDGE_CONFIG"]) in line for line in found), found


def test_value_given_twice_is_not_also_reported_as_missing(toml: Write) -> None:
    """A required value that cannot be decided is one fault, not two."""
    environ = MINIMAL | toml("""
        app_url = "http://127.0.0.1:1/"
        [apps.DEFAULT]
        url = "http://127.0.0.1:2/"
        partial_read = "keys"
    """)
    del environ["BRIDGE_APP_URL"]

    (sentence,) = problems(environ)

    assert sentence.startswith("app_url and apps.DEFAULT.url in ")


def test_secret_of_the_wrong_kind_is_not_repeated(toml: Write) -> None:
    """A number where a secret is due is refused without being shown."""
    environ = MINIMAL | toml('rpc_login = "me"\nrpc_password = 20771\nrpc_api_keys = [20772]')

    found = problems(environ)

    assert 2 == len(found)
    assert "2077" not in "".join(found)


def test_login_has_a_length_limit() -> None:
    """A rule without a phrase of its own is told in the words of the model."""
    (sentence,) = problems(MINIMAL | {"BRIDGE_RPC_LOGIN": "x" * 257, "BRIDGE_RPC_PASSWORD": "y"})

    assert sentence.endswith("but must be corrected: string should have at most 256 characters.")


def test_missing_config_file_is_reported_beside_other_faults(tmp_path: Path) -> None:
    """An unreadable BRIDGE_CONFIG does not hide what else is wrong."""
    environ = MINIMAL | {"BRIDGE_CONFIG": f"{tmp_path}/none.toml", "BRIDGE_LISTEN": "x"}

    first, second = problems(environ)

    assert f"BRIDGE_CONFIG names {tmp_path}/none.toml, which cannot be read" in first
    assert second.startswith("BRIDGE_LISTEN is 'x'")


def test_config_file_in_another_encoding_is_reported(tmp_path: Path) -> None:
    """A file that is not UTF-8 gets its own sentence."""
    (tmp_path / "b.toml").write_bytes(b'default_voice = "\xe9"')

    (sentence,) = problems(MINIMAL | {"BRIDGE_CONFIG": f"{tmp_path}/b.toml"})

    assert "which is not UTF-8 text" in sentence


# --- what must fit together -------------------------------------------------------------------


def test_every_fault_is_reported_at_once() -> None:
    """Names, single values, missing values and conflicts appear in one error."""
    found = problems(
        {
            "BRIDGE_LISTN": "x",
            "BRIDGE_ADMIN_LISTEN": "x",
            "BRIDGE_APP_PASSWORD": "s3cr3t",
            "BRIDGE_APP_TIMEOUT_S": "9",
            "BRIDGE_RPC_LOGIN": "me",
        }
    )

    assert [
        "BRIDGE_LISTN",
        "BRIDGE_PUBLIC_URL",
        "BRIDGE_ADMIN_LISTEN",
        "BRIDGE_APP_URL",
        "BRIDGE_APP_TIMEOUT_S",
        "BRIDGE_PLIVO_AUTH_ID",
        "BRIDGE_PLIVO_AUTH_TOKEN",
        "BRIDGE_RPC_LOGIN",
    ] == [sentence.split()[0] for sentence in found]
    assert "s3cr3t" not in "\n".join(found)


def test_nothing_set_names_what_is_required() -> None:
    """Without any variable the required ones are named."""
    url, app, auth_id, token = problems({})

    assert url.startswith("BRIDGE_PUBLIC_URL is missing; set it to the base URL under which Plivo")
    assert app.startswith("No app is configured; set BRIDGE_APP_URL")
    assert auth_id.startswith("BRIDGE_PLIVO_AUTH_ID is missing; copy it from the Plivo console")
    assert token.startswith("BRIDGE_PLIVO_AUTH_TOKEN is missing; copy it from the Plivo console")


def test_credentials_are_not_needed_without_signatures_and_rest() -> None:
    """Only a bridge that neither checks signatures nor calls REST runs without credentials."""
    environ = {key: value for key, value in MINIMAL.items() if "PLIVO" not in key}
    off = {"BRIDGE_VERIFY_SIGNATURES": "false"}

    s = load_settings(environ | off | {"BRIDGE_PLIVO_REST": "false"}).settings

    assert (None, ()) == (s.plivo_auth_id, s.plivo_auth_tokens)
    assert all("or set BRIDGE_PLIVO_REST to false." in p for p in problems(environ | off))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"BRIDGE_RPC_PASSWORD": "x"}, "BRIDGE_RPC_LOGIN and BRIDGE_RPC_PASSWORD belong together"),
        (
            {"BRIDGE_ADMIN_LISTEN": "127.0.0.1:8080"},
            "BRIDGE_LISTEN and BRIDGE_ADMIN_LISTEN are both 127.0.0.1:8080",
        ),
        (
            {"BRIDGE_WEBHOOK_BUDGET_S": "5"},
            "BRIDGE_WEBHOOK_BUDGET_S (5) must be greater than BRIDGE_APP_TIMEOUT_S (5)",
        ),
        (
            {"BRIDGE_CALL_RETENTION_S": "86410"},
            "BRIDGE_CALL_RETENTION_S (86410) must be greater than BRIDGE_HANGUP_RETRY_FOR_S (86400)",
        ),
        (
            {"BRIDGE_APP_ON_FAILURE": "fallback_url"},
            "apps.DEFAULT must have a fallback_url, because on_failure is fallback_url.",
        ),
        ({"BRIDGE_APP_LOGIN": "me"}, "apps.DEFAULT must have both login and password, or neither."),
        (
            {"BRIDGE_APP_TRANSCRIPT_SECRET": "x" * 16},
            "apps.DEFAULT must have a transcript_url, because it has a transcript_secret.",
        ),
        (
            {"BRIDGE_APP_HASH": "no spaces"},
            "BRIDGE_APP_HASH is 'no spaces', but must be an app hash of 1 to 64 letters",
        ),
    ],
)
def test_values_that_do_not_fit_together(change: dict[str, str], expected: str) -> None:
    """A conflict between values is one sentence that names both."""
    (sentence,) = problems(MINIMAL | change)

    assert sentence.startswith(expected)


@pytest.mark.parametrize("name", ["BRIDGE_ADMIN_TOKEN", "BRIDGE_APP_TRANSCRIPT_SECRET"])
def test_secret_that_opens_something_by_itself_is_long(name: str) -> None:
    """A token or signing key of 15 characters is refused without being shown, 16 are enough."""
    given = MINIMAL | {"BRIDGE_APP_TRANSCRIPT_URL": "https://a.example.com/"}
    expected = f"{name} must have 16 characters or more, so that nobody guesses it."

    assert [expected] == problems(given | {name: "x" * 15})
    assert "********" == next(
        row.value
        for row in describe(load_settings(given | {name: "x" * 16}))
        if row.name in {name, "apps.DEFAULT.transcript_secret"} and row.value != "(not set)"
    )


def test_calls_kept_longer_than_their_final_request_is_tried() -> None:
    """A second more than the time for repetitions and the grace time is enough."""
    change = {"BRIDGE_CALL_RETENTION_S": "86411"}

    assert 86_411 == load_settings(MINIMAL | change).settings.call_retention_s


def test_two_free_ports_do_not_conflict() -> None:
    """Port 0 twice means two free ports."""
    change = {"BRIDGE_LISTEN": "127.0.0.1:0", "BRIDGE_ADMIN_LISTEN": "127.0.0.1:0"}

    assert 0 == load_settings(MINIMAL | change).settings.listen.port


def test_model_checks_conflicts_when_built_directly() -> None:
    """Settings built in code obey the same rules as loaded ones."""
    with pytest.raises(ValidationError, match="No app is configured"):
        Settings(public_url="https://a", verify_signatures=False, plivo_rest=False)


def test_model_can_be_built_directly() -> None:
    """Code may build settings without any source, from values of the right type."""
    s = Settings(
        public_url="https://a",
        listen=Listen("127.0.0.1", 0),
        apps={"A": AppSettings(url="http://a/")},
        verify_signatures=False,
        plivo_rest=False,
    )

    assert Listen("127.0.0.1", 0) == s.listen


def test_validation_error_hides_values() -> None:
    """An error of the model itself does not print what was given."""
    with pytest.raises(ValidationError) as caught:
        AppSettings.model_validate({"url": "http://a/", "password": ["hunter2"]})

    assert "hunter2" not in str(caught.value)


def test_error_is_a_bridge_error_with_all_sentences() -> None:
    """SettingsError prints one sentence per line."""
    error = SettingsError(["A is wrong.", "B is wrong."])

    assert isinstance(error, BridgeError)
    assert "A is wrong.\nB is wrong." == str(error)


# --- showing ----------------------------------------------------------------------------------


def test_describe_lists_every_value_once_with_its_origin() -> None:
    """Each setting is a row, named as it is set, with the default or the variable as origin."""
    table = rows(MINIMAL)

    assert Row("BRIDGE_LISTEN", "127.0.0.1:8080", "default") == table["BRIDGE_LISTEN"]
    assert "environment BRIDGE_PUBLIC_URL" == table["BRIDGE_PUBLIC_URL"].origin
    assert "true" == table["BRIDGE_PLIVO_REST"].value
    assert "604800" == table["BRIDGE_CALL_RETENTION_S"].value
    assert "(not set)" == table["BRIDGE_RPC_LOGIN"].value
    assert "http://127.0.0.1:8000/rt" == table["apps.DEFAULT.url"].value


def test_describe_hides_secrets_numbers_and_queries(toml: Write) -> None:
    """No secret, full number or query value is shown; the number of tokens is."""
    environ = MINIMAL | {
        "BRIDGE_PLIVO_AUTH_TOKEN": "tok-1,tok-2",
        "BRIDGE_APP_URL": "https://app.example.com/rt?key=k-3",
        "BRIDGE_APP_LOGIN": "me",
        "BRIDGE_APP_PASSWORD": "pw-4",
        "BRIDGE_APP_BLOCKED_CALLER_ID": "+33612345678",
    }
    environ |= toml("""
        [media.library]
        12 = "https://sounds.example.com/a.wav?sig=s-5"
        [voices]
        X = "Polly.Lea"
    """)

    table = rows(environ)

    assert "********, ********" == table["BRIDGE_PLIVO_AUTH_TOKEN"].value
    assert "********" == table["apps.DEFAULT.password"].value
    assert "https://app.example.com/rt?key=***" == table["apps.DEFAULT.url"].value
    assert "+336*****78" == table["apps.DEFAULT.blocked_caller_id"].value
    assert "https://sounds.example.com/a.wav?sig=***" == table["media.library.12"].value
    assert "Polly.Lea" == table["voices.X"].value
    text = repr(table)
    assert [] == [s for s in ("tok-1", "tok-2", "k-3", "pw-4", "s-5", "612345") if s in text]


def test_settings_print_without_secrets() -> None:
    """The repr of the settings, as in a traceback, shows no secret."""
    assert "tok-1" not in repr(load_settings(MINIMAL).settings)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        (
            {"BRIDGE_VERIFY_SIGNATURES": "false"},
            ["BRIDGE_VERIFY_SIGNATURES is false: anybody"],
        ),
        ({"BRIDGE_PUBLIC_URL": "http://voice.example.com"}, ["BRIDGE_PUBLIC_URL is not https"]),
        ({"BRIDGE_PUBLIC_URL": "http://127.0.0.1:8080"}, ["BRIDGE_PUBLIC_URL is on loopback"]),
        (
            {"BRIDGE_PUBLIC_URL": "http://[::1]:1", "BRIDGE_PLIVO_API_URL": "http://localhost:1"},
            [],
        ),
        ({"BRIDGE_PLIVO_API_URL": "http://api.example.com"}, ["BRIDGE_PLIVO_API_URL is not https"]),
        ({"BRIDGE_PLIVO_AUTH_ID": "MA1"}, ["BRIDGE_PLIVO_AUTH_ID does not look like one"]),
        ({"BRIDGE_ADMIN_LISTEN": "0.0.0.0:8081"}, ["BRIDGE_ADMIN_LISTEN is not on loopback"]),
        ({"BRIDGE_STORE": "memory:"}, ["BRIDGE_STORE is memory"]),
    ],
)
def test_risky_settings_are_warned_about(change: dict[str, str], expected: list[str]) -> None:
    """Settings that work but are dangerous give one warning each; good ones give none."""
    found = warnings(load_settings(MINIMAL | change).settings)

    assert len(expected) == len(found)
    assert all(line.startswith(start) for line, start in zip(found, expected, strict=True))


# --- the page ---------------------------------------------------------------------------------


def test_the_page_is_current() -> None:
    """docs/settings.md says what the model says."""
    assert 0 == settings_doc.main(["--check"])


def test_the_page_is_written_and_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing or old page fails the check, writing it makes the check pass."""
    target = tmp_path / "settings.md"

    assert 1 == settings_doc.main(["--check"], target)
    assert "is out of date; run python -m bridge.settings_doc" in capsys.readouterr().err
    assert 0 == settings_doc.main([], target)
    assert 0 == settings_doc.main(["--check"], target)


def test_the_page_names_every_setting() -> None:
    """Every variable and every table of the model is on the page."""
    page = settings_doc.page()

    missing = [row.name for row in describe(load_settings(MINIMAL)) if row.name not in page]
    assert [] == [name for name in missing if not name.startswith(("apps.", "media."))]
    assert "| `BRIDGE_APP_PARTIAL_READ` | `keys` |" in page
    assert "| `url_template`, `BRIDGE_MEDIA_URL_TEMPLATE` | - |" in page


def test_the_example_of_the_page_is_valid(tmp_path: Path) -> None:
    """The TOML example of the page loads as it stands, given its two secret files."""
    example = settings_doc.page().partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "secret").write_text("x")
    for name in ("plivo_auth_token", "support_password"):
        example = example.replace(f"/run/secrets/{name}", f"{tmp_path}/secret")
    (tmp_path / "bridge.toml").write_text(example)

    s = load_settings({"BRIDGE_CONFIG": f"{tmp_path}/bridge.toml"}).settings

    assert ["SHOP", "SUPPORT"] == list(s.apps)


def test_the_page_module_runs() -> None:
    """`python -m bridge.settings_doc --check` is the command the page names."""
    done = subprocess.run([sys.executable, "-m", "bridge.settings_doc", "--check"], check=False)

    assert 0 == done.returncode


@pytest.mark.parametrize("name", ["BRIDGE_RPC_PASSWORD", "BRIDGE_STORE_KEY"])
@pytest.mark.parametrize(("secret", "warned"), [("x" * 15, True), ("x" * 16, False)])
def test_short_secret_is_warned_about(name: str, secret: str, warned: bool) -> None:
    """A secret that could be guessed is mentioned, and not repeated."""
    change = {"BRIDGE_RPC_LOGIN": "a", "BRIDGE_RPC_PASSWORD": "y" * 16, name: secret}

    found = warnings(load_settings(MINIMAL | change).settings)

    assert warned == any(w.startswith(f"{name} is short") for w in found)
    assert all(secret not in w for w in found)


def test_credentials_of_the_api_stand_in_for_an_app() -> None:
    """Whoever can make apps while running needs none in the settings."""
    environ = {k: v for k, v in MINIMAL.items() if not k.startswith("BRIDGE_APP_")}

    assert {} == load_settings(environ | {"BRIDGE_RPC_API_KEYS": "k" * 32}).settings.apps
