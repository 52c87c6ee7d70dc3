from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Annotated, Any, Final

import pytest
from click.testing import CliRunner
from fuzz import hostile
from fuzz.replies import MAKERS, PARAMS, WAV, random_reply
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from pydantic import AfterValidator, Field

from bridge.__main__ import main
from bridge.rt_schema import Message, request_schema, response_schema, schema, schema_text
from bridge.rt_schema.__main__ import main as write_files
from bridge.rt_schema.kinds import kind_of
from bridge.rt_schema.params import Definitions, expectation, params_schema, spellings
from bridge.rt_schema.patterns import decimal
from mappings._kernel.command import Command
from mappings._kernel.errors import CommandRefused
from mappings._rt.media import NoMedia
from mappings._rt.params import Params, RtMedia
from mappings._rt.reader import ReplyError, read_response
from mappings._rt.request import FIELDS, RtRequest, rt_date, write_request
from mappings.registry import COMMANDS, newest

ROOT: Final = Path(__file__).resolve().parents[2]
HISTORIES: Final = sorted((ROOT / "tests" / "histories").glob("*/v1/*.json"))
REQUEST: Final = RtRequest(
    "APP1", 7, None, "", "+33612345678", rt_date(0), "+33187654321", "", "0", "", "", "UP", "", "{}"
)
#: What a param of each command needs to be accepted.
NEEDED: Final[dict[str, dict[str, Any]]] = {
    "conference": {"id": "1"},
    "dialout": {"targets": [{"number": "+33612345678"}]},
    "hangup_callid": {"callid": 1},
    "send_dtmf": {"digits": "1"},
    "simple_conference": {"id": "1"},
}
#: Params whose digits the reader wants to see.
DIGITS: Final = {"pin_code", "cdr_field", "digits", "digit", "number", "cli"}
each_command = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
each_message = pytest.mark.parametrize("message", ["request", "response"])
each_reading = pytest.mark.parametrize("strict", [False, True], ids=["tolerant", "strict"])


def _pattern(
    _validator: Any, pattern: str, instance: object, _schema: Any
) -> Iterator[ValidationError]:
    """Match as ECMA-262 does, whose `$` knows no line feed at the end."""
    if isinstance(instance, str) and re.search(re.sub(r"\$$", r"\\Z", pattern), instance) is None:
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


Validator: Final = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]
TOLERANT: Final = Validator(response_schema())
STRICT: Final = Validator(response_schema(strict=True))
VALUES: Final[list[Any]] = [
    *hostile.TEXTS,
    *hostile.NUMBERS,
    *(True, False, None, [], {}, [[]], [None], [{}], {"0": {}}, ["a"]),
    *(" 3 ", "03", "+3", "3.0", "3.00", "3.", ".0", "3.5", "1e2", "-0", "-0.0", "+0", "+-0", "- 3"),
    *("\u00a03", "3\u0085", "3\x1f", "3\n", "\ufeff3", "3 0", "9999999999", "10000000000", "１"),
    *("y", "n", "T", "f", " On", "OFF\n", "yes", "no", "nope", "2", "1.0", "\x1ftrue"),
    *("MUSIC", "music", "RING", "both", "leg_a", "a" * 200, "a" * 201, "é" * 200, "😀" * 200),
    *("TTS|a|b", " tts |a|b", "TTS|a", "TTSa|b|c", "TTS |", "  42 ", "0" * 60 + "1", str(2**64)),
    *(str(2**64 - 1), "0042", "x42", "33612345678", "0033 6.12-34.56.78", "+ 33 612 345 678", "0"),
    *("+0033612345678", "+336123", "+33612", "1" * 15, "1" * 16, "\u201033612345678", "blocked "),
    *(
        33612345678,
        -33612345678,
        33612345678.0,
        -33612345678.0,
        33612345678.5,
        1e300,
        999_999,
        1_000_000,
        10**15,
        10**15 - 1,
        10**10,
        10**32,
        2**64 - 1,
    ),
]


def accepted(body: bytes) -> bool:
    """Tell whether the bridge starts a command with this reply."""
    try:
        response = read_response(body)
        newest(response.command).read_params(response.params)
    except (ReplyError, CommandRefused):
        return False
    return True


def reply(command: str, params: Any, **more: Any) -> dict[str, Any]:
    """Make a reply that lacks nothing."""
    return {"command": command, "command_id": 1, "params": params, "variables": {}} | more


def beyond(found: object, name: str = "") -> bool:
    """Tell whether the reader looks at what JSON Schema cannot see, as the page on it says."""
    if isinstance(found, dict):
        return any(beyond(item, key) for key, item in found.items())
    if isinstance(found, list):
        return any(beyond(item, name) for item in found)
    if isinstance(found, str):
        return re.search(r"[0-9]_[0-9]", found) is not None
    if isinstance(found, int):
        return abs(found) >= 10**200
    return isinstance(found, float) and (name in DIGITS or abs(found) >= 2**63)


# --- the documents ----------------------------------------------------------------------------


@each_message
@each_reading
def test_schemas_are_valid_json_schema(message: Message, strict: bool) -> None:
    """Every document satisfies the metaschema of draft 2020-12 and names it."""
    document = schema(message, strict=strict)

    Draft202012Validator.check_schema(document)
    assert "https://json-schema.org/draft/2020-12/schema" == document["$schema"]
    assert f"urn:plivo-rt-bridge:rt-{message}{':strict' if strict else ''}" == document["$id"]


@each_reading
def test_every_reference_leads_somewhere(strict: bool) -> None:
    """No `$ref` is broken and no definition is left over."""
    text = schema_text("response", strict=strict)

    assert set(response_schema(strict=strict)["$defs"]) == set(
        re.findall(r'"\$ref": "#/\$defs/(\w+)"', text)
    )


@each_reading
def test_all_sixteen_commands_are_told_apart(strict: bool) -> None:
    """The union has one branch per command, named like it."""
    document = response_schema(strict=strict)
    branches = [branch["$ref"].rpartition("/")[2] for branch in document["oneOf"]]

    assert 16 == len(branches)
    assert [command.name for command in COMMANDS] == branches


@each_command
def test_every_param_is_described(command: Command[Any]) -> None:
    """Each documented param has the words of its row and, where there is one, its default."""
    document = response_schema(strict=True)["$defs"][command.name]
    properties = document["properties"]["params"]["properties"]

    assert set(command.params.model_fields) == set(properties)
    assert document["description"].endswith(".")
    for name, found in properties.items():
        default = command.params.model_fields[name].default
        assert name == "targets" or found["description"].endswith(".")
        assert (type(default) in {bool, int, str}) == ("default" in found)


def test_descriptions_are_sentences_with_units() -> None:
    """A unit that opens a row of the tables is spelled so that it can open a sentence."""
    params = response_schema(strict=True)["$defs"]["wait"]["properties"]["params"]

    assert params["properties"]["wait"]["description"].startswith("At Plivo: Wait length. In s, 1")


def test_schema_files_are_current(tmp_path: Path) -> None:
    """docs/schema holds what `python -m bridge.rt_schema` writes, and --check sees a difference."""
    assert 0 == write_files(["--check"])
    assert 1 == write_files(["--check"], tmp_path)
    assert 0 == write_files([], tmp_path)
    assert 0 == write_files(["--check"], tmp_path)
    assert sorted(path.name for path in (ROOT / "docs" / "schema").glob("*.json")) == sorted(
        path.name for path in tmp_path.iterdir()
    )


def test_files_show_every_character() -> None:
    """White space that editors do not show is written as an escape."""
    text = schema_text("response")

    assert "\\u00a0" in text
    assert [] == re.findall("[\x7f-\xa0\u2000-\u200f\u2028-\u202f\u3000]", text)


# --- RT.Response, tolerant --------------------------------------------------------------------


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_recorded_commands_are_accepted(path: Path) -> None:
    """What calls of earlier releases answered is valid."""
    _, name, _, command_id, params, *_ = json.loads(path.read_text())["start"]
    recorded = reply(name, params, command_id=json.loads(command_id))

    assert accepted(json.dumps(recorded).encode())
    assert [] == [error.message for error in TOLERANT.iter_errors(recorded)]


@pytest.mark.parametrize(
    ("found", "valid"),
    [
        ({"command": "hangup"}, True),
        ({"command": " hangup\n"}, True),
        ({"command": "hang up"}, False),
        ({"command": "Hangup"}, False),
        ({"command": ""}, False),
        ({"command": None}, False),
        ({"command": 3}, False),
        ({}, False),
        ([], False),
        ({"command": "hangup", "command_id": None, "params": None, "variables": None}, True),
        ({"command": "hangup", "params": [], "variables": []}, True),
        ({"command": "hangup", "params": [1]}, False),
        ({"command": "hangup", "params": "x"}, False),
        ({"command": "hangup", "variables": [1]}, False),
        ({"command": "hangup", "variables": ""}, False),
        ({"command": "hangup", "command_id": {"a": [1]}, "more": 1, "params": {"x": 1}}, True),
        ({"command": "send_dtmf"}, False),
        ({"command": "send_dtmf", "params": []}, False),
        ({"command": "send_dtmf", "params": {"digits": None, "digit": 5}}, True),
        ({"command": "send_dtmf", "params": {"digits": "", "digit": ""}}, False),
        ({"command": "send_dtmf", "params": {"digits": "x", "digit": "1"}}, False),
        ({"command": "send_dtmf", "params": {"digits": "1", "digit": "x"}}, True),
        ({"command": "wait", "params": {"wait": 1, "seconds": "x"}}, True),
        ({"command": "wait", "params": {"wait": "", "seconds": "x"}}, False),
        ({"command": "wait", "params": {"seconds": "30"}}, True),
        ({"command": "conference"}, False),
        ({"command": "conference", "params": {"id": 42, "pin_code": 1234}}, True),
        ({"command": "dialout", "params": {"targets": [{"number": 33612345678}]}}, True),
        ({"command": "dialout", "params": {"targets": []}}, False),
    ],
)
def test_envelopes_are_accepted_as_the_reader_does(found: Any, valid: bool) -> None:
    """The dialects of legacy apps are valid, and reader and schema agree on each."""
    assert valid == accepted(json.dumps(found).encode())
    assert valid == TOLERANT.is_valid(found)


@each_command
def test_reader_and_schema_agree_on_every_value_of_every_param(command: Command[Any]) -> None:
    """Whatever a param is set to, both accept it or both refuse it."""
    definitions = Definitions(strict=False)
    params = params_schema(command.params, definitions)
    validator = Validator(params | {"$defs": definitions.schemas})
    verdicts: Counter[bool] = Counter()
    disagreed = []
    for name in PARAMS[command.name]:
        for value in VALUES:
            sent = NEEDED.get(command.name, {}) | {name: value}
            if name == "digit":
                del sent["digits"]
            if beyond(sent):
                continue
            body = json.dumps(reply(command.name, sent)).encode("utf-8", "surrogatepass")
            verdict = accepted(body)
            verdicts[verdict] += 1
            if verdict != validator.is_valid(sent):
                disagreed.append((name, value, verdict))

    assert [] == disagreed
    assert command.name in {"hangup", "play_record", "play_wav_data"} or min(verdicts.values()) > 40


def test_reader_and_schema_agree_on_every_value_of_a_target() -> None:
    """The objects in the list of targets are checked as closely as the params."""
    verdicts: Counter[bool] = Counter()
    disagreed = []
    for value in VALUES:
        for target in (value, {"number": value}, {"number": "+33612345678", "timeout": value}):
            sent = reply("dialout", {"targets": [target]})
            if beyond(sent):
                continue
            verdict = accepted(json.dumps(sent).encode())
            verdicts[verdict] += 1
            if verdict != TOLERANT.is_valid(sent):
                disagreed.append((target, verdict))

    assert [] == disagreed
    assert min(verdicts.values()) > 20


@pytest.mark.slow
def test_reader_and_schema_agree_on_random_replies() -> None:
    """Seeded replies, some mangled, are valid exactly when the bridge starts their command."""
    verdicts: Counter[bool] = Counter()
    for seed in range(1500):
        body = random_reply(Random(seed))
        try:
            found = json.loads(body.decode().strip())
        except (ValueError, RecursionError):
            continue
        if not isinstance(found, dict) or b'"deep"' in body or beyond(found.get("params")):
            continue
        verdict = accepted(body)
        verdicts[verdict] += 1
        assert verdict == TOLERANT.is_valid(found), (seed, body[:500])

    assert verdicts[True] > 400
    assert verdicts[False] > 200


@pytest.mark.parametrize("count", [0, 1, 100, 101])
def test_number_of_targets_is_the_readers(count: int) -> None:
    """The schema allows as many targets as dialout does."""
    sent = reply("dialout", {"targets": [{"number": "+33612345678"}] * count})

    assert accepted(json.dumps(sent).encode()) == TOLERANT.is_valid(sent)
    assert TOLERANT.is_valid(sent) == STRICT.is_valid(sent)


def test_schema_is_blind_to_how_a_number_is_written() -> None:
    """The page's example of a limit holds: 12.0 is 12 to JSON Schema and no PIN to the reader."""
    sent = reply("conference", {"id": "1", "pin_code": 12.0})

    assert not accepted(json.dumps(sent).encode())
    assert TOLERANT.is_valid(sent)


# --- RT.Response, strict ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "command"),
    [
        ({"media_id": "TTS|TTS_FR-FR_AUDREY|Bonjour", "max_digits": 1, "attempts": 1}, "read"),
        ({"wait": 30}, "wait"),
        ({"media_id": 42}, "play"),
        ({"media_id": "42"}, "play"),
        ({"media_id": ""}, "play"),
        ({"digits": "123#", "duration_ms": 1, "timeout_ms": 0}, "send_dtmf"),
        ({"callid": 2**64 - 1}, "hangup_callid"),
        ({}, "hangup"),
        ({"audio_data": WAV}, "play_wav_data"),
        ({"feeds": "leg_b", "locale": "en_US", "ner": True}, "start_call_recording"),
        (
            {
                "targets": [{"number": "+16467890800", "timeout": 20}],
                "cli": "BLOCKED",
                "ringtone": "MUSIC",
                "whisper": "0",
                "cdr_field": "000CUSTOM42",
            },
            "dialout",
        ),
    ],
)
def test_what_the_page_documents_is_strictly_valid(params: dict[str, Any], command: str) -> None:
    """Documented types and ranges pass, and the bridge accepts them."""
    sent = reply(command, params)

    assert [] == [error.message for error in STRICT.iter_errors(sent)]
    assert accepted(json.dumps(sent).encode())


@pytest.mark.parametrize(
    "sent",
    [
        {"command": "hangup"},
        reply("hangup", []),
        reply("hangup", {"x": 1}),
        reply("hangup", {}, command_id="ask"),
        reply("hangup", {}, variables=None),
        reply("hangup", {}, more=1),
        reply(" hangup", {}),
        reply("wait", {"wait": "3"}),
        reply("wait", {"seconds": 3}),
        reply("wait", {"wait": None}),
        reply("wait", {"wait": 31}),
        reply("send_dtmf", {"digit": "1"}),
        reply("conference", {"id": 42}),
        reply("conference", {"id": "42", "auto_leave_when_alone": 1}),
        reply("conference", {}),
        reply("play", {"media_id": "hello"}),
        reply("play", {"media_id": "tts|a|b"}),
        reply("dialout", {"targets": [{"number": "33612345678"}]}),
        reply("dialout", {"targets": [{"number": "+33612345678", "prio": 1}]}),
        reply("dialout", {"targets": [{"number": "+33612345678"}], "cli": "blocked"}),
    ],
    ids=json.dumps,
)
def test_tolerated_spellings_are_not_strictly_valid(sent: dict[str, Any]) -> None:
    """App authors are told of everything that only tolerance lets pass."""
    assert not STRICT.is_valid(sent)


def short(digits: str) -> int | str:
    """Read a whole number, unless it is longer than Python reads."""
    return int(digits) if len(digits) < 4000 else digits


@pytest.mark.slow
def test_strictly_valid_replies_are_accepted() -> None:
    """The strict reading never allows what the bridge refuses."""
    good: Counter[str] = Counter()
    rng = Random(7)
    for _ in range(4000):
        name = rng.choice(COMMANDS).name
        params = dict(NEEDED.get(name, {}))
        for param in spellings(newest(name).params):
            make: Callable[[Random], Any] = MAKERS.get(param) or MAKERS[f"{name}.{param}"]
            if rng.random() < 0.4:
                params[param] = make(rng)
        sent = json.loads(hostile.to_text(reply(name, params), rng), parse_int=short)
        if not beyond(sent) and STRICT.is_valid(sent):
            good[name] += 1
            assert accepted(json.dumps(sent).encode()), sent

    assert set(PARAMS) == set(good)


# --- RT.Request -------------------------------------------------------------------------------


def test_request_has_the_fields_the_bridge_writes() -> None:
    """All 14 fields are required, in the order in which they are written."""
    document = request_schema()

    assert list(FIELDS) == list(document["properties"])
    assert list(FIELDS) == document["required"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"request_hash": "4260XMAQ", "call_status": "NOANSWER"},
        {"command": "send_dtmf", "command_result": 0, "command_id": '"ask"'},
        {"command": "play", "command_error": "MEDIA_NOT_FOUND: x", "variables": '{"a":[null]}'},
        {"call_status": "HANGUP", "command": "no such command", "command_id": "[1]"},
        {"call_status": "INCOMING_CALL", "cli_number": "sip:a@example.com"},
    ],
)
def test_requests_are_valid(changes: dict[str, Any]) -> None:
    """What the bridge writes satisfies its own schema."""
    written = json.loads(write_request(RtRequest(**(vars_of(REQUEST) | changes))))

    assert [] == [error.message for error in Validator(request_schema()).iter_errors(written)]


def vars_of(request: RtRequest) -> dict[str, Any]:
    """Give the fields of a request."""
    return {name: getattr(request, name) for name in FIELDS}


@pytest.mark.parametrize(
    ("changes", "valid"),
    [
        ({}, True),
        ({"command": "read", "command_id": "3"}, True),
        ({"command_id": '"ask"'}, False),
        ({"command": "reed"}, False),
    ],
)
def test_strict_requests_carry_what_the_page_knows(changes: dict[str, Any], valid: bool) -> None:
    """An app that answers by the page gets its own integer and a documented command."""
    written = json.loads(write_request(RtRequest(**(vars_of(REQUEST) | changes))))

    assert valid == Validator(request_schema(strict=True)).is_valid(written)


@pytest.mark.parametrize("name", FIELDS)
def test_request_without_a_field_is_not_valid(name: str) -> None:
    """A mock that forgets a field is found out."""
    written = json.loads(write_request(REQUEST))
    del written[name]

    assert not Validator(request_schema()).is_valid(written)


# --- how it is made ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (1, 1),
        (1, 9),
        (1, 20),
        (17, 345),
        (123, 456),
        (5, 300),
        (100, 30_000),
        (7, 1234),
        (999, 1001),
        (1, 60_000),
    ],
)
def test_decimals_of_a_range(low: int, high: int) -> None:
    """The pattern of a range matches its numbers and no others."""
    shape = re.compile(decimal(low, high))
    matched = [number for number in range(high + 2000) if shape.fullmatch(str(number))]

    assert list(range(low, high + 1)) == matched


def test_decimals_of_the_largest_range() -> None:
    """64 bits are covered to the last number."""
    shape = re.compile(decimal(1, 2**64 - 1))
    rng = Random(3)
    inside = [rng.randint(1, 2**64 - 1) for _ in range(500)] + [2**64 - 1, 10**19, 10**18 - 1]
    outside = [rng.randint(2**64, 10**20) for _ in range(500)] + [0, 2**64, 10**20]

    assert [] == [number for number in inside if not shape.fullmatch(str(number))]
    assert [] == [number for number in outside if shape.fullmatch(str(number))]


def test_what_cannot_be_described_is_an_error() -> None:
    """A new kind of param fails loudly instead of being allowed anything."""

    class OddParams(Params):
        """Fields no command has."""

        ratio: float = 1.0
        even: Annotated[int, AfterValidator(abs)] = 0
        shout: Annotated[str, AfterValidator(str.upper)] = ""
        word: str = Field("", pattern="^[a-z]+$")

    for name, info in OddParams.model_fields.items():
        with pytest.raises(TypeError, match=name if name == "ratio" else "JSON Schema|described"):
            kind_of(name, info)


def test_bounds_may_be_exclusive() -> None:
    """Greater-than and less-than become the nearest whole numbers."""

    class OpenParams(Params):
        """A range without its ends."""

        size: int = Field(2, gt=1, lt=5)

    kind = expectation(OpenParams, "size")

    assert {"type": "integer", "minimum": 2, "maximum": 4} == kind.strict
    assert "a whole number from 2 to 4" == kind.words


def test_two_definitions_of_one_name_are_an_error() -> None:
    """A definition never silently stands for another one."""
    definitions = Definitions(strict=True)
    definitions.refer("a", {"const": 1})

    with pytest.raises(ValueError, match="two different definitions are called a"):
        definitions.refer("a", {"const": 2})


def test_spellings_put_the_documented_name_first() -> None:
    """Aliases follow the name the RT page has."""
    assert {"wait": ("wait", "seconds")} == spellings(newest("wait").params)


def test_media_are_found_in_any_model() -> None:
    """rt_media is recognised by its type, whatever the field is called."""

    class SongParams(Params):
        """A field of another name."""

        song: RtMedia = NoMedia()

    assert "rt_media" == expectation(SongParams, "song").name


# --- the command ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message", "strict"),
    [
        ([], "response", False),
        (["response"], "response", False),
        (["request"], "request", False),
        (["--strict"], "response", True),
        (["request", "--strict"], "request", True),
    ],
)
def test_schema_command_prints_the_document(
    arguments: list[str], message: Message, strict: bool
) -> None:
    """`rt-bridge schema` prints what the files in docs/schema hold, and needs no settings."""
    result = CliRunner().invoke(main, ["schema", *arguments])

    assert (0, schema_text(message, strict=strict)) == (result.exit_code, result.output)


def test_schema_command_refuses_other_messages() -> None:
    """A message that does not exist is wrong usage."""
    assert 2 == CliRunner().invoke(main, ["schema", "responses"]).exit_code
