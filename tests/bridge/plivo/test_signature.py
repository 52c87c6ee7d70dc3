"""The V3 check accepts what Plivo signs, and nothing else, whatever the request holds."""

from __future__ import annotations

import random
from collections import defaultdict
from urllib.parse import quote, quote_plus

import pytest
from plivo.utils import validate_v3_signature

from bridge.plivo.signature import base_string, sign, verify

_TOKEN = "test_auth_token_0123456789"
_HOST = "https://proxy.example.com"
_BODY = [
    ("CallUUID", "9d1cfa0a-1c3a-4c0e-8d6a-6f0b9d3b7a11"),
    ("From", "33612345678"),
    ("To", "33187654321"),
    ("Direction", "inbound"),
]

# method, url, params, nonce, base, signature
_Vector = tuple[str, str, list[tuple[str, str]], str, str, str]

_VECTORS: list[_Vector] = [
    (
        "POST",
        f"{_HOST}/plivo/answer",
        [*_BODY, ("CallStatus", "ringing"), ("Event", "StartApp")],
        "12345678901234567890",
        (
            f"{_HOST}/plivo/answer?CallStatusringingCallUUID9d1cfa0a-1c3a-4c0e-8d6a-6f0b9d3b7a11"
            "DirectioninboundEventStartAppFrom33612345678To33187654321"
        ),
        "jM98WHbjhd/NHjleIx1orzVw80SrYF2LsDamqPzO7EU=",
    ),
    (
        "POST",
        f"{_HOST}:8443/plivo/action?call=42&seq=7",
        [*_BODY, ("CallStatus", "in-progress"), ("Event", "Redirect"), ("Digits", "1234")],
        "98765432109876543210",
        (
            f"{_HOST}:8443/plivo/action?call=42&seq=7.CallStatusin-progress"
            "CallUUID9d1cfa0a-1c3a-4c0e-8d6a-6f0b9d3b7a11Digits1234DirectioninboundEventRedirect"
            "From33612345678To33187654321"
        ),
        "L5YN2fOUimyILMQmBJyScmirl9sIILcbfVITbLQiOT0=",
    ),
    (
        "GET",
        f"{_HOST}/plivo/answer?b=2&a=1&a=0",
        [],
        "11112222333344445555",
        f"{_HOST}/plivo/answer?a=0&a=1&b=2",
        "QNBuYe3vNS94wTAKfAtg41q5HAAKv3e/j4ZmCiPI2oQ=",
    ),
    (
        "GET",
        f"{_HOST}/plivo/answer",
        [],
        "11112222333344445555",
        f"{_HOST}/plivo/answer",
        "jTWD0yQCD8GTZ/iQiRemOCE8kD0mfojS9YpDyM/49Xo=",
    ),
    (
        "POST",
        f"{_HOST}/plivo/answer",
        [],
        "11112222333344445555",
        f"{_HOST}/plivo/answer",
        "jTWD0yQCD8GTZ/iQiRemOCE8kD0mfojS9YpDyM/49Xo=",
    ),
    (
        "POST",
        f"{_HOST}/plivo/answer?x=1",
        [],
        "11112222333344445555",
        f"{_HOST}/plivo/answer?x=1",
        "gSAVqcCplcJ9Ys1EggU895K3hbR/XuxFgMYi4Uu/EjA=",
    ),
    (
        "GET",
        f"{_HOST}/a?q=hello%20world&plus=a+b&pct=%2B33",
        [],
        "n1",
        f"{_HOST}/a?pct=+33&plus=a b&q=hello world",
        "T/yqbwJs4a7IRuB+R4aV9kpH88y3iPxmbSPi2El1ZzQ=",
    ),
    (
        "POST",
        f"{_HOST}/a",
        [("Speech", "é")],
        "n1",
        f"{_HOST}/a?Speeché",
        "sA1w6VGTpU1k2rkLUceHBTW2myaGfPzfsfRk0yt8p+E=",
    ),
    (
        "POST",
        f"{_HOST}/a",
        [("k", "b"), ("k", "a"), ("z", "1"), ("e", "")],
        "n1",
        f"{_HOST}/a?ekakbz1",
        "8TbFeXsyN0Nyo/iyTY+bW7KKbYKP85L71cuQ/iRIwi4=",
    ),
    (
        "GET",
        f"{_HOST}/a?e=&f",
        [],
        "n1",
        f"{_HOST}/a?e=&f=",
        "M1erxkEbi9jPPlgVWAPQfzpkvNS0L/erB9lfjWP/MPU=",
    ),
    (
        "POST",
        f"{_HOST}/a?x=1#rt=3000&rc=2",
        [("A", "1")],
        "n1",
        f"{_HOST}/a?x=1.A1",
        "giUYo1b4C7qNwR5v3jM8uv/TV8mGY6MwZ//8w8y710U=",
    ),
]

# Published with the vendor's Go SDK: one call's parameters, signed in four ways.
_GO_URL = "https://plivobin.non-prod.plivops.com/api/v1/validate_signature03.xml"
_GO_TOKEN = "Y2Q2ZDgxZmY5YWRiOTI5YmQ1Njg0MTAxZWIyOTc4"
_GO_NONCE = "31627761595286130198"
_GO_UUID = "3e82ae9d-2c78-4d85-b1a4-6eae7dbafb36"
_GO_USER = "sip:PlivoSignature382029104058171078704104"
_GO_PARAMS = [
    ("Direction", "outbound"),
    ("From", "19792014278"),
    ("ALegUUID", _GO_UUID),
    ("CallStatus", "in-progress"),
    ("BillRate", "0.002"),
    ("ParentAuthID", "MANWVLYTK4ZWU1YTY4QA"),
    ("To", f"{_GO_USER}@phone-qa.voice.plivodev.com"),
    ("ALegRequestUUID", _GO_UUID),
    ("CallUUID", _GO_UUID),
    ("RequestUUID", _GO_UUID),
    ("SIP-H-To", f"<{_GO_USER}@52.9.11.55;transport=udp>;tag=1"),
    ("SessionStart", "2020-04-08 11:34:33.238707"),
    ("Event", "StartApp"),
]


@pytest.mark.parametrize("vector", _VECTORS, ids=range(len(_VECTORS)))
def test_each_reference_request_has_its_base_and_signature(vector: _Vector) -> None:
    """Base and signature equal those the official SDK computes for the same request."""
    method, url, params, nonce, base, signature = vector
    assert base_string(method, url, params) == base
    assert sign(method, url, params, nonce, _TOKEN) == signature
    assert verify(method, url, params, nonce, signature, [_TOKEN]) is True


@pytest.mark.parametrize(
    ("method", "suffix", "signature"),
    [
        ("POST", "/?a=b&c=d", "k7Pusd4OxCIjR5IfA9iedDNu/h/gbdYqdzG/MiYtd1c="),
        ("GET", "/?a=b&c=d", "UBq8jAtd32wR8EK9VgxbBn4n5rpI/l1H9iN4WfSEHFQ="),
        ("POST", "", "iAjE5QqI37mbkYe4w3jTMudqEzbDufdqi7sYwTu64e0="),
        ("GET", "", "i/MQsaQSAd6fiKhOh2qeeeLHZ9faldADSb3/7+Akfbc="),
    ],
)
def test_the_vectors_of_the_go_sdk_verify(method: str, suffix: str, signature: str) -> None:
    """A real call's parameters verify in the body, and joined to the query of a GET."""
    assert sign(method, _GO_URL + suffix, _GO_PARAMS, _GO_NONCE, _GO_TOKEN) == signature
    assert verify(method, _GO_URL + suffix, _GO_PARAMS, _GO_NONCE, signature, [_GO_TOKEN]) is True


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTPS://Proxy.Example.com/A", "https://Proxy.Example.com/A"),
        ("https://h.example", "https://h.example"),
        ("https://h.example?x=1", "https://h.example?x=1"),
        ("https://h.example:443/a//b/../c%2Fd", "https://h.example:443/a//b/../c%2Fd"),
        ("https://h.example/a;v=1/b;w=2?x=1", "https://h.example/a;v=1/b?x=1"),
        ("https://h.example/a;w", "https://h.example/a"),
        ("https://h.example/a?&&x=1&", "https://h.example/a?x=1"),
        ("https://h.example/a?=v&x", "https://h.example/a?=v&x="),
        ("https://h.example/a?x=1?y=2", "https://h.example/a?x=1?y=2"),
        ("https://h.example/a?", "https://h.example/a"),
        ("wss://h.example/s?t=1", "wss://h.example/s?t=1"),
        ("https://h.example/a?n=Zo%C3%AB", "https://h.example/a?n=Zoë"),
    ],
)
def test_the_url_is_taken_as_written(url: str, expected: str) -> None:
    """Only the scheme's case, path parameters and the query's order and encoding are touched."""
    assert base_string("GET", url) == expected


def test_a_name_of_the_query_wins_over_a_field_passed_with_get() -> None:
    """A field joined to a GET never replaces or doubles a name of the query."""
    base = base_string("get", "https://h.example/a?x=1", [("x", "2"), ("w", "3")])
    assert base == "https://h.example/a?w=3&x=1"


def _random_request(rng: random.Random) -> tuple[str, str, list[tuple[str, str]]]:
    ascii_text = "abcXYZ019-_.~!*'()$&+=/?:@,;<> \"%"
    any_text = ascii_text + "éßŁ日本語🙂\u00a0\n\t\x7f"

    def text(alphabet: str, most: int) -> str:
        return "".join(rng.choices(alphabet, k=rng.randint(0, most)))

    names = ["From", "To", "Digits", "CallUUID", "X-PH-a", "a", "A", "_", "k v", "é"]
    path = "".join(f"/{quote(text(ascii_text, 6), safe='~')}" for _ in range(rng.randint(0, 4)))
    port = rng.choice(["", "", ":443", ":8443"])
    url = f"{rng.choice(['https', 'http'])}://{rng.choice(['proxy.example.com', 'Bridge.Example.org'])}{port}{path}"
    if path and rng.random() < 0.6:
        encode = rng.choice([quote, quote_plus])
        fields = []
        for _ in range(rng.randint(1, 5)):
            name = rng.choice(["q", "r", "s", "Q", "q r"])
            value = encode(text(ascii_text, 8))
            fields.append(rng.choice([f"{encode(name)}={value}", encode(name)]))
        url += "?" + rng.choice(["&", "&", "&&"]).join(fields)
    if rng.random() < 0.3:
        return "GET", url, []
    fields_of_body = [(rng.choice(names), text(any_text, 12)) for _ in range(rng.randint(0, 14))]
    return "POST", url, fields_of_body


def _mutated(
    rng: random.Random,
    method: str,
    url: str,
    params: list[tuple[str, str]],
) -> tuple[str, str, list[tuple[str, str]]]:
    changed = list(params)
    kinds = ["path", "field", "host"]
    if params:
        kinds += ["value", "dropped"]
    match rng.choice(kinds):
        case "path":
            head, question, query = url.partition("?")
            url = f"{head}/x{question}{query}"
        case "host":
            url = url.replace("xample", "xampIe", 1)
        case "field":
            if method == "GET":
                url += ("&" if "?" in url else "?") + "zz=1"
            else:
                changed.append(("zz", "1"))
        case "value":
            index = rng.randrange(len(changed))
            changed[index] = (changed[index][0], changed[index][1] + "1")
        case _:
            changed.pop(rng.randrange(len(changed)))
    return method, url, changed


def _official(method: str, url: str, params: list[tuple[str, str]], signature: str) -> bool:
    grouped: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in params:
        grouped[name].append(value)
    return bool(validate_v3_signature(method, url, "n0", _TOKEN, signature, dict(grouped)))


def test_the_official_sdk_agrees_on_500_random_requests() -> None:
    """What we sign the official SDK accepts, and both refuse it once the request is altered."""
    rng = random.Random(20240229)
    verdicts: list[tuple[bool, bool, bool, bool]] = []
    for _ in range(500):
        method, url, params = _random_request(rng)
        signature = sign(method, url, params, "n0", _TOKEN)
        altered = _mutated(rng, method, url, params)
        verdicts.append(
            (
                verify(method, url, params, "n0", signature, [_TOKEN]),
                _official(method, url, params, signature),
                verify(*altered, "n0", signature, [_TOKEN]),
                _official(*altered, signature),
            )
        )
    assert verdicts == [(True, True, False, False)] * 500


_GOOD = sign("POST", f"{_HOST}/a", [("A", "1")], "n1", _TOKEN)


@pytest.mark.parametrize(
    "signatures",
    [
        _GOOD,
        f"bm90IGl0,{_GOOD}",
        f"bm90IGl0, {_GOOD} ,x",
        ["", _GOOD],
        ["bm90IGl0", f"x, {_GOOD}"],
    ],
)
def test_one_matching_value_among_several_is_enough(signatures: str | list[str]) -> None:
    """A header may hold several values, with spaces, and several headers may be given."""
    assert verify("post", f"{_HOST}/a", [("A", "1")], "n1", signatures, ["old", _TOKEN]) is True


def test_a_single_token_may_be_given_bare() -> None:
    """A token alone means that token, not its letters."""
    assert verify("POST", f"{_HOST}/a", [("A", "1")], "n1", _GOOD, _TOKEN) is True


@pytest.mark.parametrize(
    "signatures",
    ["", ",", " , ", [], [""], _GOOD[:-1], _GOOD + "=", _GOOD.lower(), "é", "\udcff"],
)
def test_no_matching_value_is_refused(signatures: str | list[str]) -> None:
    """Missing, cut, altered and non-ASCII signatures are refused without an exception."""
    assert verify("POST", f"{_HOST}/a", [("A", "1")], "n1", signatures, [_TOKEN]) is False


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long a comparison takes says nothing of what is right: all go through `compare_digest`."""
    seen: list[bytes] = []

    def compare(one: bytes, other: bytes) -> bool:
        seen.append(other)
        return one is other

    monkeypatch.setattr("bridge.plivo.signature.hmac.compare_digest", compare)
    given = f"{_GOOD}, x"

    assert verify("POST", f"{_HOST}/a", [("A", "1")], "n1", given, [_TOKEN, "other"]) is False
    assert [_GOOD.encode(), b"x"] * 2 == seen


@pytest.mark.parametrize("tokens", [[], [""], "", ["other"], [_TOKEN[:-1]]])
def test_only_a_token_of_ours_counts(tokens: str | list[str]) -> None:
    """Other tokens, and above all the empty one anybody could sign with, never verify."""
    forged = sign("POST", f"{_HOST}/a", [("A", "1")], "n1", "")
    both = f"{_GOOD},{forged}"
    assert verify("POST", f"{_HOST}/a", [("A", "1")], "n1", both, tokens) is False


def test_a_missing_nonce_is_refused() -> None:
    """Plivo always sends a nonce, so a request without one is not Plivo's."""
    signature = sign("POST", f"{_HOST}/a", [], "", _TOKEN)
    assert verify("POST", f"{_HOST}/a", [], "", signature, [_TOKEN]) is False


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", ""])
def test_another_method_is_never_verified(method: str) -> None:
    """Plivo signs GET and POST alone; anything else is refused, and signing it is an error."""
    assert verify(method, f"{_HOST}/a", [], "n1", _GOOD, [_TOKEN]) is False
    with pytest.raises(ValueError, match="GET and POST only"):
        base_string(method, f"{_HOST}/a")


@pytest.mark.parametrize(
    ("url", "params"),
    [
        (f"{_HOST}/a?x=%FF%FE", []),
        (f"{_HOST}/a?x=%E9t%E9", [("A", "1")]),
        (f"{_HOST}/a?x=%", []),
        (f"{_HOST}/a?x=%zz&%", []),
        (f"{_HOST}/a\udcff?x=\udcfe", []),
        (f"{_HOST}/a", [("A", "\udcff")]),
        (f"{_HOST}/a", [("\ud800", "\udfff")]),
        ("", []),
        ("not a url", []),
        ("https://[::1", [("A", "1")]),
    ],
)
def test_malformed_text_is_signed_as_it_came(url: str, params: list[tuple[str, str]]) -> None:
    """Invalid UTF-8 and broken URLs are computed with, refused when unsigned, and never raise."""
    signature = sign("POST", url, params, "n1", _TOKEN)
    assert verify("POST", url, params, "n1", signature, [_TOKEN]) is True
    assert verify("POST", url, params, "n1", _GOOD, [_TOKEN]) is False


def test_percent_encoded_bytes_are_signed_unchanged() -> None:
    """Bytes that are no UTF-8 reach the signature as those bytes, not as replacement marks."""
    base = base_string("GET", f"{_HOST}/a?x=%E9")
    assert base.encode(errors="surrogateescape") == f"{_HOST}/a?x=".encode() + b"\xe9"
