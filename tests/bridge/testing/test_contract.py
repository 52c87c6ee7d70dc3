from __future__ import annotations

import json
import re
from itertools import count
from random import Random
from typing import Any

import pytest
from fuzz.replies import WAV, random_reply

from bridge.settings_model import Settings
from bridge.testing import contract
from bridge.testing.contract import CODES, Contract, Violation, violations
from bridge.testing.turns import Turn
from bridge.transaction import MAX_ERRORS
from mappings._kernel.errors import CommandRefused
from mappings._rt.reader import ReplyError, read_response
from mappings.registry import newest

_numbers = count(1)


def turn(
    reply: object = b'{"command":"hangup"}',
    *,
    status: int | None = 200,
    call_status: str = "UP",
    error: str = "",
    call: int = 7,
    ms: float = 12.0,
    failure: str = "",
    content_type: str = "application/json",
) -> Turn:
    """Make a turn; a reply that is no bytes is written as JSON."""
    request = {"app": "APP1", "callid": call, "call_status": call_status, "command_error": error}
    return Turn(
        next(_numbers),
        1.5,
        call,
        "APP1",
        request,
        json.dumps(request).encode(),
        status,
        reply if isinstance(reply, bytes) else json.dumps(reply).encode(),
        content_type,
        failure,
        ms,
    )


def command(name: str, **params: Any) -> dict[str, Any]:
    """Make a reply."""
    return {"command": name, "command_id": 1, "params": params, "variables": {}}


def only(found: Turn, **options: Any) -> Violation:
    """Give the one violation of a turn."""
    (violation,) = violations([found], **options)
    return violation


def codes(*turns: Turn, **options: Any) -> list[str]:
    """Give the codes of all violations."""
    return [violation.code for violation in violations(turns, **options)]


# --- no violation -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "found",
    [
        turn(),
        turn(command("read", media_id="TTS|V|Hello", max_digits="2")),
        turn(command("wait", seconds=3), content_type="text/html; charset=iso-8859-1"),
        turn(command("send_dtmf", digit=5), content_type=""),
        turn(command("wait_for_silence", timeout_ms="3")),
        turn(b'\xef\xbb\xbf{"command":"hangup","params":[],"variables":[]}\r\n'),
        turn({"command": "hangup", "command_id": None, "params": None, "variables": None}),
        turn({"command": "hangup", "debug": True}),
        turn(command("play_wav_data", audio_data=WAV)),
        turn(command("play"), ms=4000.0),
        turn(command("play"), call_status="INCOMING_CALL"),
        turn(b"", call_status="HANGUP"),
        turn(b"<br />Warning", call_status="HANGUP"),
        turn({"command": ""}, call_status="HANGUP"),
        turn(b"[]", call_status="BUSY"),
    ],
    ids=lambda found: found.body.decode("utf-8", "replace")[:40],
)
def test_apps_that_keep_to_the_protocol_have_no_violations(found: Turn) -> None:
    """Every tolerated dialect passes, and any body may answer the final request."""
    assert [] == violations([found])


def test_what_an_app_is_free_to_do_is_no_violation() -> None:
    """Variables may vanish between turns and command ids may be anything."""
    first = turn(command("play") | {"command_id": "ask", "variables": {"step": 1}})
    second = turn(command("play") | {"command_id": [1], "variables": {}})

    assert [] == violations([first, second])


# --- the way of the reply ---------------------------------------------------------------------


def test_no_reply_is_told_with_its_reason() -> None:
    """A refused connection is the app's error, and the sentence says so."""
    violation = only(turn(b"", status=None, failure="connection refused."))

    assert ("NO_REPLY", "error", "$") == (violation.code, violation.severity, violation.path)
    assert "The app did not reply: connection refused." == violation.sentence
    assert "a complete reply within 5 s" == violation.expected


def test_no_reply_without_a_reason_has_a_sentence_too() -> None:
    """Whoever listened may not know why."""
    assert "the connection ended without a reply" in only(turn(b"", status=None)).sentence


def test_reply_that_broke_off_is_no_reply() -> None:
    """A status alone is not a reply."""
    assert ["NO_REPLY"] == codes(turn(b'{"comm', failure="the body broke off"))


@pytest.mark.parametrize(
    ("ms", "status", "expected"),
    [
        (4000.0, 200, []),
        (4001.0, 200, ["SLOW_REPLY"]),
        (5000.0, 200, ["SLOW_REPLY"]),
        (5001.0, 200, ["OVER_BUDGET"]),
        (4990.0, None, ["OVER_BUDGET"]),
        (5200.0, None, ["OVER_BUDGET"]),
        (4000.0, None, ["NO_REPLY"]),
        (4500.0, 500, ["SLOW_REPLY", "NOT_200"]),
    ],
)
def test_budget_is_five_seconds(ms: float, status: int | None, expected: list[str]) -> None:
    """More than 5 s is an error, more than 4 s a warning; giving up counts as too slow."""
    failure = "" if status else "the bridge closed the connection"

    assert expected == codes(turn(ms=ms, status=status, failure=failure))


def test_budget_may_be_another() -> None:
    """The bridge's setting decides."""
    assert ["OVER_BUDGET"] == codes(turn(ms=1001.0), budget_s=1)
    assert "The reply took 0.9 s of 1 s." == only(turn(ms=900.0), budget_s=1).sentence


def test_final_request_has_the_same_budget() -> None:
    """A slow answer to HANGUP makes the bridge ask again."""
    assert ["OVER_BUDGET"] == codes(turn(b"", call_status="HANGUP", ms=6000.0))
    assert ["NO_REPLY"] == codes(turn(b"", call_status="HANGUP", status=None, failure="refused"))


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (201, "with status 201."),
        (302, "with status 302: redirects are not followed"),
        (401, "does the app ask for a login the bridge does not have?"),
        (403, "the app refuses the bridge."),
        (404, "does the URL lead to the app, and does it take POST?"),
        (405, "does it take POST?"),
        (503, "the app's own log says why. It begins: Oops"),
    ],
)
def test_other_statuses_are_errors_with_a_hint(status: int, words: str) -> None:
    """Only 200 is an answer, and each status has its usual cause."""
    violation = only(turn(b"Oops", status=status))

    assert ("NOT_200", "error", "status 200") == (
        violation.code,
        violation.severity,
        violation.expected,
    )
    assert words in violation.sentence


def test_error_status_to_hangup_is_an_error_of_its_own() -> None:
    """A non-200 answer to the final request can be allowed apart from others."""
    found = turn(b"", status=500, call_status="HANGUP")

    assert ["HANGUP_NOT_200"] == codes(found)
    assert "answered the final request with status 500" in only(found).sentence


@pytest.mark.parametrize("call_status", ["HANGUP", "NOANSWER", "BUSY", "CONGESTION", "REJECTED"])
def test_command_after_the_end_is_a_warning(call_status: str) -> None:
    """It is ignored, and so are its faults."""
    violation = only(turn({"command": "end", "params": "x"}, call_status=call_status))

    assert ("ANSWERED_HANGUP", "warning", "$.command") == (
        violation.code,
        violation.severity,
        violation.path,
    )
    assert '"end" is ignored' in violation.sentence


def test_reply_may_not_be_larger_than_the_bridge_reads() -> None:
    """One byte more is too much; what it says does not matter then."""
    body = b'{"command":"hangup"}'

    assert [] == codes(turn(body), max_reply_bytes=len(body))
    assert ["TOO_LARGE"] == codes(turn(body + b" "), max_reply_bytes=len(body))


def test_limits_are_those_of_the_bridge() -> None:
    """Test and bridge agree on the largest reply and on when a loop ends."""
    assert Settings.model_fields["max_app_reply_bytes"].default == contract.MAX_REPLY_BYTES
    assert Settings.model_fields["app_timeout_s"].default == contract.BUDGET_S
    assert MAX_ERRORS == contract.LOOP


# --- the body ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "The reply is empty"),
        (b"hello", "The reply is not JSON. It begins: hello"),
        (b'{"command":"play",}', "not valid JSON"),
        (b'{"command":NaN}', "NaN, which JSON does not know"),
        (b'{"command":"\xff"}', "not UTF-8"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"command":"hangup"}bye', "Text follows the JSON object"),
        (b"<!DOCTYPE html><p>500", "It is an HTML page"),
        (b"Traceback (most recent call last):\n  File", "It holds a Python traceback."),
    ],
)
def test_what_is_no_json_is_told_with_its_beginning(body: bytes, words: str) -> None:
    """The reader's own sentence, what it looks like, and its first characters."""
    violation = only(turn(body))

    assert ("NOT_JSON", "error", "$") == (violation.code, violation.severity, violation.path)
    assert words in violation.sentence


@pytest.mark.parametrize(
    "noise",
    [
        b"PHP Warning:  Undefined variable $x in /srv/app.php on line 12\n",
        b"\nWarning: Undefined variable $x in /srv/app.php on line 12\n",
        b"<br />\n<b>Warning</b>:  Undefined variable $x in <b>/srv/app.php</b> on line <b>12</b>",
    ],
)
def test_php_warnings_before_and_after_the_json_are_named(noise: bytes) -> None:
    """The commonest fault of a PHP app is recognised wherever it is printed."""
    before = only(turn(noise + b'{"command":"hangup"}'))
    after = only(turn(b'{"command":"hangup"}' + noise))

    assert ["NOT_JSON", "NOT_JSON"] == [before.code, after.code]
    assert "characters of text precede the JSON object" in before.sentence
    assert "PHP prints a Warning into the reply: switch display_errors off" in before.sentence
    assert "PHP prints a Warning into the reply: switch display_errors off" in after.sentence


def test_only_the_first_200_characters_are_shown() -> None:
    """A whole page does not drown the report."""
    sentence = only(turn(b"x" * 5000)).sentence

    assert "x" * 200 in sentence
    assert "x" * 201 not in sentence


@pytest.mark.parametrize(("body", "kind"), [(b"[1]", "a list"), (b'"x"', "a string"), (b"7", "a")])
def test_json_that_is_no_object(body: bytes, kind: str) -> None:
    """A list, a text or a number is JSON and still no RT.Response."""
    violation = only(turn(body))

    assert "NOT_AN_OBJECT" == violation.code
    assert f"The reply is {kind}" in violation.sentence


def test_params_and_variables_have_to_be_objects() -> None:
    """Both are told at once, each with its place and what was sent."""
    first, second = violations([turn({"command": "play", "params": [1], "variables": "step 1"})])

    assert ("PARAMS_NOT_OBJECT", "$.params", "params is [1].") == (
        first.code,
        first.path,
        first.sentence,
    )
    assert ("VARIABLES_NOT_OBJECT", "$.variables", 'variables is "step 1".') == (
        second.code,
        second.path,
        second.sentence,
    )
    assert "an object, such as {}" == second.expected


def test_params_nested_too_deeply_are_invalid() -> None:
    """The reader refuses what no command has."""
    deep = b'{"command":"play","params":{"a":' + b"[" * 150 + b"]" * 150 + b"}}"

    assert ("INVALID_PARAMETER", "$.params") == (only(turn(deep)).code, only(turn(deep)).path)


def test_misspelt_field_is_a_warning_with_the_right_name() -> None:
    """A field that would silently be lost is pointed out."""
    violation = only(turn({"command": "play", "param": {"media_id": 1}}))

    assert ("UNKNOWN_FIELD", "warning", "$.param") == (
        violation.code,
        violation.severity,
        violation.path,
    )
    assert 'Did you mean "params"?' in violation.sentence


# --- commands and params ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Play", 'There is no command "Play". Did you mean "play"?'),
        ("hang_up", 'Did you mean "hangup"?'),
        ("xyzzy", 'There is no command "xyzzy".'),
        ("", "The reply has no command."),
        (None, "The reply has no command."),
        (3, 'There is no command "3".'),
        ("\ud800", 'There is no command "\ufffd".'),
    ],
)
def test_unknown_command_is_an_error_with_a_suggestion(name: object, words: str) -> None:
    """The sentence quotes it, proposes the nearest, and the expectation lists all."""
    violation = only(turn({"command": name}))

    assert ("UNKNOWN_COMMAND", "error", "$.command") == (
        violation.code,
        violation.severity,
        violation.path,
    )
    assert words in violation.sentence
    assert violation.expected.startswith("one of conference, dialout, hangup, ")


def test_unknown_parameter_is_a_warning_with_a_suggestion() -> None:
    """It is ignored by the protocol, so nobody would notice otherwise."""
    violation = only(turn(command("read", max_digit=2)))

    assert ("UNKNOWN_PARAMETER", "warning", "$.params.max_digit") == (
        violation.code,
        violation.severity,
        violation.path,
    )
    assert (
        'read has no parameter "max_digit"; it is ignored. Did you mean "max_digits"?'
        == violation.sentence
    )
    assert "one of media_id, max_digits, attempts, timeout_ms" == violation.expected


def test_command_without_parameters_says_so() -> None:
    """A parameter of hangup cannot be a misspelt one."""
    assert "no parameters" == only(turn(command("hangup", delay=3))).expected


def test_names_that_need_quotes_get_them_in_the_path() -> None:
    """A JSON path can name any key."""
    assert '$.params["max digits"]' == only(turn(command("read", **{"max digits": 2}))).path


def test_parameters_of_targets_are_checked_too() -> None:
    """The path leads into the list."""
    found = violations(
        [
            turn(
                command(
                    "dialout",
                    targets=[{"number": "+33612345678"}, {"number": "x", "time_out": 3}, 7],
                )
            )
        ]
    )

    assert [
        ("UNKNOWN_PARAMETER", "$.params.targets[1].time_out"),
        ("INVALID_PARAMETER", "$.params.targets[1].number"),
        ("INVALID_PARAMETER", "$.params.targets[2]"),
    ] == [(violation.code, violation.path) for violation in found]
    assert "dialout.targets.2 is 7: an object is expected." == found[2].sentence
    assert (
        'an object with number: an international number such as "+33612345678", '
        "timeout: a whole number from 5 to 300" == found[2].expected
    )


@pytest.mark.parametrize(
    ("reply", "path", "sentence", "expected"),
    [
        (
            command("read", max_digits=21),
            "$.params.max_digits",
            "read.max_digits is 21: input should be less than or equal to 20.",
            "a whole number from 1 to 20; 20 when left out",
        ),
        (
            command("wait", seconds="soon"),
            "$.params.seconds",
            'wait.seconds is "soon": input should be a valid integer',
            "a whole number from 1 to 30; 1 when left out",
        ),
        (
            command("play", media_id="hello"),
            "$.params.media_id",
            'play.media_id is "hello": a media id (a number)',
            'rt_media: a media id (a number), 0 or "" for no media, or "TTS|VOICE|text"',
        ),
        (
            command("simple_conference", id="1", auto_leave_when_alone="maybe"),
            "$.params.auto_leave_when_alone",
            'simple_conference.auto_leave_when_alone is "maybe"',
            "true or false; true when left out",
        ),
        (
            command("dialout", targets=[]),
            "$.params.targets",
            "dialout.targets is []: 1 to 100 targets are expected, not 0.",
            "a list of 1 to 100 objects",
        ),
        (
            command("play_wav_data", audio_data="UklGRg=="),
            "$.params.audio_data",
            "play_wav_data.audio_data cannot be played: not a RIFF WAVE file.",
            "base64 of a RIFF WAVE file: PCM, 8000 Hz, 16 bit, mono",
        ),
    ],
)
def test_wrong_values_are_told_with_what_is_expected(
    reply: dict[str, Any], path: str, sentence: str, expected: str
) -> None:
    """Place, value, reason and the documented shape."""
    violation = only(turn(reply))

    assert ("INVALID_PARAMETER", "error", path, expected) == (
        violation.code,
        violation.severity,
        violation.path,
        violation.expected,
    )
    assert violation.sentence.startswith(sentence)


def test_long_values_are_cut() -> None:
    """A report stays readable whatever an app sends."""
    assert len(only(turn(command("play", media_id="x" * 9000))).sentence) < 300


@pytest.mark.parametrize("params", [{}, {"digits": ""}, {"digits": None, "digit": ""}])
def test_missing_parameter_is_an_error(params: dict[str, Any]) -> None:
    """Left out, null and "" are the same, and the documented name is asked for."""
    violation = only(turn(command("send_dtmf", **params)))

    assert ("MISSING_PARAMETER", "error", "$.params.digits", "send_dtmf.digits is missing.") == (
        violation.code,
        violation.severity,
        violation.path,
        violation.sentence,
    )


@pytest.mark.slow
def test_checks_and_bridge_never_disagree() -> None:
    """Of seeded replies exactly those have an error whose command the bridge refuses."""
    verdicts = {True: 0, False: 0}
    for seed in range(1500):
        body = random_reply(Random(seed))
        try:
            response = read_response(body)
            newest(response.command).read_params(response.params)
        except (ReplyError, CommandRefused):
            refused = True
        else:
            refused = False
        errors = [
            violation
            for violation in violations([turn(body)])
            if violation.severity == "error" and violation.path != "$.params.audio_data"
        ]
        verdicts[refused] += 1
        assert refused == bool(errors) or b"audio_data" in body, (seed, body[:300])
        for violation in errors:
            str(violation).encode()

    assert min(verdicts.values()) > 200


# --- loops ------------------------------------------------------------------------------------


def test_same_bad_command_five_times_is_a_loop() -> None:
    """The fifth is told once, in the turn that sends it."""
    turns = [turn(command("plai", n=number)) for number in range(7)]
    found = [
        violation for violation in violations(turns) if violation.code == "REPEATED_BAD_COMMAND"
    ]

    assert [turns[4].number] == [violation.turn for violation in found]
    assert '"plai" 5 times in a row' in found[0].sentence


def test_four_bad_commands_are_no_loop() -> None:
    """The app may still recover, and then counts anew."""
    bad, good = command("wait", wait=99), command("play")
    turns = [turn(reply) for reply in [bad] * 4 + [good] + [bad] * 4]

    assert "REPEATED_BAD_COMMAND" not in codes(*turns)


def test_other_bad_commands_are_no_loop() -> None:
    """An app that tries something else is not stuck."""
    turns = [turn({"command": f"bad{number % 2}"}) for number in range(12)]

    assert "REPEATED_BAD_COMMAND" not in codes(*turns)


def test_missing_command_can_loop_too() -> None:
    """No command at all is always the same one."""
    assert "REPEATED_BAD_COMMAND" in codes(*[turn({}) for _ in range(5)])


def test_command_that_fails_in_the_call_can_loop_too() -> None:
    """Failures the app hears of count, the last of them in the final request."""
    play = command("play_talk_detect", media_id=404)
    error = "MEDIA_NOT_FOUND: 404"
    turns = [turn(play), *[turn(play, error=error) for _ in range(4)]]
    end = turn(b"", call_status="HANGUP", error=error)

    assert [] == codes(*turns)
    assert [] == codes(*turns, turn(b"", call_status="HANGUP"))
    assert ["REPEATED_BAD_COMMAND"] == codes(*turns, end)


def test_calls_loop_apart() -> None:
    """Five callers with one error each are no loop, and a call that ended is forgotten."""
    assert "REPEATED_BAD_COMMAND" not in codes(*[turn({}, call=call) for call in range(1, 6)])

    ended = [turn({}) for _ in range(4)] + [turn(b"", call_status="HANGUP"), turn({})]
    assert "REPEATED_BAD_COMMAND" not in codes(*ended)


def test_no_reply_breaks_a_loop() -> None:
    """Failures to answer are told as such and not counted as bad commands."""
    turns = [turn({}) for _ in range(4)] + [turn(b"", status=None), turn({})]

    assert "REPEATED_BAD_COMMAND" not in codes(*turns)


# --- the checker ------------------------------------------------------------------------------


def test_feeding_turn_by_turn_finds_the_same() -> None:
    """The incremental form and the function agree."""
    turns = [turn({"command": "x"}), turn(command("read", x=1)), turn(status=500)]
    checks = Contract()

    assert violations(turns) == [found for each in turns for found in checks.feed(each)]
    assert violations(turns) == checks.found


def test_violation_names_turn_and_call() -> None:
    """A report leads back to the moment, in one line."""
    found = turn(command("read", max_digits=0), call=3)
    violation = only(found)

    assert (found.number, 3) == (violation.turn, violation.call)
    assert (
        f"error INVALID_PARAMETER in turn {found.number} of call 3 at $.params.max_digits: "
        "read.max_digits is 0: input should be greater than or equal to 1. "
        "Expected: a whole number from 1 to 20; 20 when left out." == str(violation)
    )
    assert " at " not in str(only(turn(status=500)))


def test_allowed_codes_do_not_fail_and_are_remembered() -> None:
    """What was expected is told apart, and so is what never came."""
    checks = Contract(allow={"UNKNOWN_PARAMETER", "SLOW_REPLY"})
    new = checks.feed(turn(command("read", x=1, max_digits=0)))

    assert ["INVALID_PARAMETER"] == [violation.code for violation in new]
    assert ["INVALID_PARAMETER"] == [violation.code for violation in checks.found]
    assert ["UNKNOWN_PARAMETER"] == [violation.code for violation in checks.allowed]
    assert ("SLOW_REPLY",) == checks.never_occurred


def test_codes_can_be_allowed_afterwards() -> None:
    """A test may say at its end what it expected."""
    checks = Contract()
    checks.feed(turn(status=500))
    checks.allow("NOT_200")

    assert [] == checks.found
    assert () == checks.never_occurred


def test_warnings_are_told_from_errors() -> None:
    """Only errors are among the errors."""
    checks = Contract()
    checks.feed(turn(command("read", x=1)))
    checks.feed(turn(b"x"))

    assert ["UNKNOWN_PARAMETER", "NOT_JSON"] == [violation.code for violation in checks.found]
    assert ["NOT_JSON"] == [violation.code for violation in checks.errors]


def test_allowing_what_does_not_exist_is_an_error() -> None:
    """A misspelt code would allow nothing for ever."""
    with pytest.raises(ValueError, match=r'Did you mean "UNKNOWN_PARAMETER"\?'):
        Contract(allow=["UNKNOWN_PARAMETERS"])


def test_codes_are_those_of_the_documented_table() -> None:
    """The table that opens the module lists every code with its severity."""
    rows = re.findall(r"^\| ([A-Z0-9_]+) \| (\w+) \| .+ \|$", contract.__doc__ or "", re.MULTILINE)

    assert list(CODES.items()) == rows


def test_cost_of_a_turn_does_not_grow_with_the_call() -> None:
    """What is kept between turns is one counter per live call."""
    checks = Contract()
    for _ in range(50):
        checks.feed(turn(command("play"), call=1))
    assert 1 == len(checks._streaks)

    checks.feed(turn(b"", call=1, call_status="HANGUP"))
    assert {} == checks._streaks
