from __future__ import annotations

import json
import random

import pytest

from mappings._rt.reader import ReplyError, RtResponse, excerpt, read_response

READ = RtResponse("read", "1", {"max_digits": 3}, '{"step": 2}')
PLAIN = b'{"command":"read","command_id":1,"params":{"max_digits":3},"variables":{"step": 2}}'


def failure(body: bytes) -> ReplyError:
    """Read a body that must be refused."""
    with pytest.raises(ReplyError) as caught:
        read_response(body)
    return caught.value


def test_the_reply_of_the_rt_page_is_read() -> None:
    """The example reply of the RT page gives its command, id, params and variables."""
    body = rb"""
    {
    "command":"read",
    "command_id":1,
    "params":{
    "media_id":"TTS|TTS_FR-FR_AUDREY|Bonjour, appuyez sur \u00e9toile",
    "max_digits":1,
    "attempts":1,
    "timeout_ms":4000
    },
    "variables":{}
    }
    """
    assert RtResponse(
        "read",
        "1",
        {
            "media_id": "TTS|TTS_FR-FR_AUDREY|Bonjour, appuyez sur étoile",
            "max_digits": 1,
            "attempts": 1,
            "timeout_ms": 4000,
        },
        "{}",
    ) == read_response(body)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\xef\xbb\xbf" + PLAIN, id="byte order mark"),
        pytest.param(b"\xef\xbb\xbf\xef\xbb\xbf" + PLAIN, id="one mark per included file"),
        pytest.param(b"\r\n \t" + PLAIN + b"\r\n\r\n", id="white space around"),
        pytest.param(b"\n\xef\xbb\xbf" + PLAIN + b"\xef\xbb\xbf\n", id="marks and white space"),
        pytest.param(PLAIN.replace(b",", b" ,\n\t").replace(b":1", b" : 1"), id="pretty printed"),
        pytest.param(PLAIN[:-1] + b',"more":{"a":[1]},"x":null}', id="unknown fields"),
        pytest.param(PLAIN.replace(b"command_id", rb"comm\u0061nd_id"), id="escaped key"),
        pytest.param(PLAIN.replace(b'"read"', b'" read\\n"'), id="white space around the command"),
        pytest.param(b'{"command":"play","params":[3],' + PLAIN[1:], id="the last duplicate wins"),
    ],
)
def test_dialects_of_the_envelope_mean_the_same(body: bytes) -> None:
    """However an app prints its reply, the same RT.Response is read."""
    assert READ == read_response(body)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("", RtResponse("play", "0", {}, "{}")),
        (',"command_id":null', RtResponse("play", "0", {}, "{}")),
        (',"params":null', RtResponse("play", "0", {}, "{}")),
        (',"variables":null', RtResponse("play", "0", {}, "{}")),
        (',"params":[]', RtResponse("play", "0", {}, "{}")),
        (',"variables":[ ]', RtResponse("play", "0", {}, "{}")),
        (',"variables":{}', RtResponse("play", "0", {}, "{}")),
        (',"params":{"media_id":"3"}', RtResponse("play", "0", {"media_id": "3"}, "{}")),
        (',"params":{"id":42,"x":true}', RtResponse("play", "0", {"id": 42, "x": True}, "{}")),
        (',"params":{"id":null}', RtResponse("play", "0", {"id": None}, "{}")),
    ],
)
def test_fields_left_out_null_or_empty_lists_take_their_defaults(
    fields: str, expected: RtResponse
) -> None:
    """Missing, null and PHP's empty arrays mean 0 for command_id and {} for the others."""
    assert expected == read_response(f'{{"command":"play"{fields}}}'.encode())


@pytest.mark.parametrize(
    "raw",
    [
        "0",
        "-7",
        "9223372036854775808",
        "123456789012345678901234567890",
        "1.10",
        "1e400",
        '"ask_age"',
        '"\\u00e9t\\u00e9"',
        '"été ☎"',
        '""',
        "true",
        "false",
        '["a",1]',
        '{"a": 1}',
    ],
)
def test_command_id_is_kept_as_written(raw: str) -> None:
    """Any JSON value is kept as command_id, in the app's own spelling."""
    body = f'{{"command":"wait","command_id": {raw} ,"params":{{}}}}'
    assert raw == read_response(body.encode()).command_id


@pytest.mark.parametrize(
    "raw",
    [
        '{"big":9223372036854775808,"huge":1e400,"money":1.10}',
        '{"nested":{"a":[{"b":[[]]}],"c":null}}',
        '{"name":"\\u00c9lo\\u00efse","city":"Besançon","mood":"\\ud83d\\ude00 😀"}',
        '{"a":1,"a":2}',
        '{ "spaced" : [ 1 ,\n 2 ] }',
        '{"lone":"\\ud800"}',
        '{"quote":"\\"}{\\\\","brackets":"[]{}"}',
    ],
)
def test_variables_are_kept_as_written(raw: str) -> None:
    """Variables keep their text, whatever they hold."""
    body = f'{{"variables":{raw},"command":"wait"}}'
    assert raw == read_response(body.encode()).variables


def test_a_number_of_thousands_of_digits_is_kept() -> None:
    """An integer too long for Python to read is kept in variables and is text in params."""
    digits = "7" * 5000
    body = f'{{"command":"wait","params":{{"wait":{digits}}},"variables":{{"n":{digits}}}}}'
    assert RtResponse("wait", "0", {"wait": digits}, f'{{"n":{digits}}}') == read_response(
        body.encode()
    )


def test_an_infinite_number_is_text_in_params() -> None:
    """A param beyond the range of numbers stays text, so that it can be stored and named."""
    body = b'{"command":"wait","params":{"a":1e400,"b":-1e400,"c":1e3,"d":1.5}}'
    assert {"a": "1e400", "b": "-1e400", "c": 1000.0, "d": 1.5} == read_response(body).params


def test_lone_surrogates_in_params_become_replacement_characters() -> None:
    """Half a surrogate pair is replaced in params and command; whole pairs are read."""
    body = (
        rb'{"command":"pl\udc00ay","params":'
        rb'{"media_id":"TTS|V|\ud83d\ude00 \ud83d!","l":["\uDFFF",1],"o":{"\ud800":null}}}'
    )
    response = read_response(body)
    assert "pl\ufffday" == response.command
    assert {
        "media_id": "TTS|V|😀 \ufffd!",
        "l": ["\ufffd", 1],
        "o": {"\ufffd": None},
    } == response.params


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("", ""),
        ('"command":null,', ""),
        ('"command":"",', ""),
        ('"command":"  ",', ""),
        ('"command":5,', "5"),
        ('"command":false,', "false"),
        ('"command":["play"],', '["play"]'),
        ('"command":"Play",', "Play"),
    ],
)
def test_a_command_that_is_no_name_is_left_to_be_refused(field: str, expected: str) -> None:
    """A missing command is "", one of another type is its JSON text, and case is kept."""
    assert expected == read_response(f'{{{field}"command_id":1}}'.encode()).command


def test_the_text_of_a_command_of_another_type_is_cut() -> None:
    """At most 64 characters of a command that is not a string are kept."""
    body = json.dumps({"command": list(range(100))}).encode()
    assert json.dumps(list(range(100)))[:64] == read_response(body).command


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "The reply is empty; a JSON object is expected."),
        (b"\xef\xbb\xbf \r\n", "The reply is empty; a JSON object is expected."),
        (b"null", "The reply is null where a JSON object is expected."),
        (b"42", "The reply is a number where a JSON object is expected."),
        (b"true", "The reply is a boolean where a JSON object is expected."),
        (b'"hangup"', "The reply is a string where a JSON object is expected."),
        (b"[]", "The reply is a list where a JSON object is expected."),
        (b'[{"command":"hangup"}]', "The reply is a list where a JSON object is expected."),
        (b"OK", "The reply is not JSON."),
        (b"1 2", "The reply is not JSON."),
        (b"<html><body>Not Found</body></html>", "The reply is not JSON."),
        (
            b'<br />\n<b>Warning</b>:  x in {closure}\n{"command":"hangup"}',
            (
                "39 characters of text precede the JSON object; "
                "does the app print warnings into its reply?"
            ),
        ),
        (
            b'12 {"command":"hangup"}',
            (
                "3 characters of text precede the JSON object; "
                "does the app print warnings into its reply?"
            ),
        ),
        (b'{"command":"hangup"} x', "Text follows the JSON object, from character 20 on."),
        (b"{}{}", "Text follows the JSON object, from character 2 on."),
        (b'{"a":NaN}', "The reply contains NaN, which JSON does not know."),
        (
            b'{"variables":{"a":-Infinity}}',
            "The reply contains -Infinity, which JSON does not know.",
        ),
        (b'{"command":"caf\xe9"}', "The reply is not UTF-8: byte 15 is 0xe9."),
        (b'\xff\xfe{\x00"\x00', "The reply is not UTF-8: byte 0 is 0xff."),
        (b'{"a":"\xed\xa0\x80"}', "The reply is not UTF-8: byte 6 is 0xed."),
        (
            b'{"params":"x"}',
            "In the reply params is a string where a JSON object is expected.",
        ),
        (b'{"params":[1]}', "In the reply params is a list where a JSON object is expected."),
        (b'{"params":false}', "In the reply params is a boolean where a JSON object is expected."),
        (b'{"variables":[1]}', "In the reply variables is a list where a JSON object is expected."),
        (b'{"variables":7}', "In the reply variables is a number where a JSON object is expected."),
    ],
)
def test_what_is_not_a_reply_is_named(body: bytes, sentence: str) -> None:
    """A body that is no RT.Response is refused with a sentence that says why."""
    assert sentence == failure(body).sentence


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"a"}',
        b'{"a":}',
        b'{"a":1,}',
        b'{"a":1 "b":2}',
        b'{"a":1,,"b":2}',
        b"{'a':1}",
        b"{a:1}",
        b'{"a":01}',
        b'{"a":"b\nc"}',
        b'{"a\nb":1}',
        b'{"\\x":1}',
        b'{"a":"\\u12"}',
        b'{"a":[1,]}',
        b'{"command":"play","params":{"media_id":"TTS|V|cut off',
    ],
)
def test_broken_json_is_refused_with_its_place(body: bytes) -> None:
    """Broken JSON is refused, and the sentence names line and column."""
    sentence = failure(body).sentence
    assert sentence.startswith("The reply is not valid JSON: ")
    assert " line " in sentence
    assert " column " in sentence


def test_a_reply_nested_too_deeply_is_refused() -> None:
    """Nesting beyond what can be read is an error of the reply, not a crash."""
    depth = 200_000
    body = b'{"variables":{"a":' + b"[" * depth + b"]" * depth + b"}}"
    assert "The reply is nested too deeply." == failure(body).sentence


def test_params_may_nest_a_hundred_levels() -> None:
    """Params nest up to 100 levels, surrogates or not; one more is an error."""
    fits = '{"a":' * 99 + '{"b":"\\ud800"}' + "}" * 99
    assert fits.count("{") == 100
    assert "a" in read_response(f'{{"params":{fits}}}'.encode()).params
    beyond = '{"a":' + "[" * 100 + '"\\ud800"' + "]" * 100 + "}"
    assert (
        "In the reply params is nested more than 100 levels deep."
        == failure(f'{{"params":{beyond}}}'.encode()).sentence
    )


def test_the_excerpt_shows_two_hundred_printable_characters() -> None:
    """The excerpt is one line of at most 200 characters, whatever the bytes."""
    body = b"\xef\xbb\xbf\n<br />\x00\n\xe9" + "é☎😀".encode() * 100
    shown = failure(body).excerpt
    assert 200 == len(shown)
    assert shown.startswith("<br />  \ufffdé☎😀é☎😀")
    assert shown.isprintable()
    assert excerpt(body) == shown
    assert "" == excerpt(b" \n")


def test_reading_agrees_with_the_json_module() -> None:
    """Of 6000 broken and sound bodies the same are accepted as by the json module."""
    seeded = random.Random(3)
    pieces = ['"a"', '"\\""', ":", ",", "{", "}", "[", "]", "1", "-0.5e3", "null", " ", "\n", '""']
    accepted = 0
    for _ in range(6000):
        if seeded.random() < 0.5:
            text = "{" + "".join(seeded.choices(pieces, k=seeded.randrange(8))) + "}"
        else:
            cut = seeded.randrange(len(PLAIN))
            text = PLAIN.decode()[:cut] + seeded.choice(pieces) + PLAIN.decode()[cut + 1 :]
        try:
            value = json.loads(text)
        except ValueError:
            expected = None
        else:
            expected = value if isinstance(value, dict) else None
        if expected is None or not all(
            isinstance(expected.get(name, {}), dict) or expected[name] in ([], None)
            for name in ("params", "variables")
        ):
            with pytest.raises(ReplyError):
                read_response(text.encode())
            continue
        accepted += 1
        response = read_response(text.encode())
        assert (expected.get("params") or {}) == response.params
        assert (expected.get("variables") or {}) == json.loads(response.variables)
        command_id = expected.get("command_id")
        assert (0 if command_id is None else command_id) == json.loads(response.command_id)
    assert accepted > 500
