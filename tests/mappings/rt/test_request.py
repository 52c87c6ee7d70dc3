from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest

from mappings._rt.reader import read_response
from mappings._rt.request import FIELDS, RtRequest, rt_date, write_request

FIRST = RtRequest(
    app="4346423A",
    callid=421889,
    request_hash="4260XMAQ",
    cli_name="",
    cli_number="",
    date_started="2012-01-09 17:27:55",
    number="+33612345678",
    cdr_field="000CUSTOMFIELD42",
)


def test_the_request_of_the_rt_page_is_written() -> None:
    """The first request has the fields, order, types and defaults of the RT page."""
    assert (
        b'{"app":"4346423A","callid":421889,"request_hash":"4260XMAQ","cli_name":"",'
        b'"cli_number":"","date_started":"2012-01-09 17:27:55","number":"+33612345678",'
        b'"command":"","command_id":0,"command_result":"","command_error":"",'
        b'"call_status":"UP","cdr_field":"000CUSTOMFIELD42","variables":{}}'
    ) == write_request(FIRST)


def test_the_fourteen_fields_are_those_of_the_dataclass() -> None:
    """Every field of the dataclass is written, in its order."""
    written = tuple(json.loads(write_request(FIRST)))
    assert FIELDS == written
    assert FIELDS == tuple(field.name for field in fields(RtRequest))
    assert 14 == len(FIELDS)


def test_an_inbound_call_has_a_null_request_hash() -> None:
    """request_hash is JSON null on inbound calls, not an empty string."""
    written = json.loads(write_request(replace(FIRST, request_hash=None)))
    assert written["request_hash"] is None


@pytest.mark.parametrize("result", ["0", "", "42", 0])
def test_a_result_keeps_its_type(result: str | int) -> None:
    """A string result is a JSON string and an integer result a JSON number."""
    written = json.loads(write_request(replace(FIRST, command_result=result)))
    assert (result, type(result)) == (written["command_result"], type(written["command_result"]))


@pytest.mark.parametrize(
    "raw",
    [
        "{}",
        '{"big":9223372036854775808,"huge":1e400,"money":1.10}',
        '{"nested":{"a":[{"b":[[]]}],"c":null},"c":"\\u00e9 é 😀"}',
        '{"a":1,"a":2}',
    ],
)
def test_variables_come_back_as_the_app_wrote_them(raw: str) -> None:
    """What read_response kept of variables and command_id is in the request byte for byte."""
    reply = read_response(f'{{"command":"wait","command_id":{raw},"variables":{raw}}}'.encode())
    request = replace(FIRST, command_id=reply.command_id, variables=reply.variables)
    written = write_request(request)
    assert f',"command_id":{raw},"command_result":'.encode() in written
    assert written.endswith(f',"variables":{raw}}}'.encode())


def test_texts_are_escaped() -> None:
    """Quotes, control characters and other scripts survive, and old parsers get plain ASCII."""
    text = 'a"b\\c\n\x00é☎😀\u2028'
    written = write_request(replace(FIRST, cli_name=text, command=text, command_error=text))
    assert written.isascii()
    parsed = json.loads(written)
    assert [text] * 3 == [parsed["cli_name"], parsed["command"], parsed["command_error"]]


def test_lone_surrogates_become_replacement_characters() -> None:
    """Half a surrogate pair, which PHP and .NET refuse, never reaches the app."""
    request = replace(
        FIRST, cli_name="a\ud800b", variables='{"a":"\udfff"}', command="\ud83d\ude00"
    )
    parsed = json.loads(write_request(request))
    assert ["a\ufffdb", {"a": "\ufffd"}, "😀"] == [
        parsed["cli_name"],
        parsed["variables"],
        parsed["command"],
    ]


@pytest.mark.parametrize(
    ("epoch_s", "expected"),
    [
        (0, "1970-01-01 00:00:00"),
        (1326130075, "2012-01-09 17:27:55"),
        (1326130075.75, "2012-01-09 17:27:55"),
        (951782400, "2000-02-29 00:00:00"),
        (253402300799, "9999-12-31 23:59:59"),
        (-62135596800, "0001-01-01 00:00:00"),
    ],
)
def test_dates_are_utc(epoch_s: float, expected: str) -> None:
    """date_started is the UTC time to the second, whatever the machine's time zone."""
    assert expected == rt_date(epoch_s)
