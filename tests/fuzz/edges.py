"""The edges where bytes of strangers become values of ours, one input at a time, without sockets.

An edge takes a source of chance, makes up one input, feeds it, and checks what must hold of any. It
gives a word for what became of the input, so that a test can tell whether all of it was reached.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, Final, get_args
from urllib.parse import parse_qsl, quote, urlencode

from aiohttp import web
from fuzz import hostile
from fuzz.replies import random_reply
from fuzz.trees import Trees
from lxml import etree
from playbook_expectations import Addresses
from pydantic_core import from_json, to_json

from bridge.plivo.signature import sign, verify
from bridge.redaction import mask_url, redact_event, redact_text
from bridge.webhooks import MOST_FIELDS, _pairs
from mappings._kernel.errors import CODES, CommandRefused
from mappings._kernel.facts import dump_event, load_event
from mappings._plivo import callbacks
from mappings._plivo.numbers import is_e164, to_e164
from mappings._plivo.render import render, render_sounds
from mappings._plivo.verbs import DTMF, NextKind, Speak
from mappings._rt.reader import ReplyError, excerpt, read_response
from mappings._rt.request import RtRequest, write_request
from mappings._rt.wav import WavError, decode_wav
from mappings.registry import newest

Edge = Callable[[Random], Awaitable[str]]

TOKEN: Final = "fuzz-token-of-plivo"
KINDS: Final[tuple[NextKind, ...]] = get_args(NextKind)
#: Names of form fields that mean something.
FIELDS: Final = (
    *("CallUUID", "Digits", "Speech", "RecordUrl", "RecordingID", "RecordingDuration", "Event"),
    *(
        "RecordingDurationMs",
        "DialStatus",
        "DialHangupCause",
        "ConferenceUUID",
        "CallStatus",
        "From",
    ),
)
_PARSER: Final = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)


def junk(rng: Random, longest: int = 200) -> bytes:
    """Make up bytes: of any kind, of hostile characters, or a damaged piece of JSON."""
    whim = rng.random()
    if whim < 0.3:
        return rng.randbytes(rng.randrange(longest))
    if whim < 0.6:
        return hostile.text(rng).encode("utf-8", "surrogatepass")
    written = bytearray(hostile.to_text(hostile.value(rng), rng).encode("utf-8", "surrogatepass"))
    for _ in range(rng.randrange(4)):
        if written:
            at = rng.randrange(len(written))
            written[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
    return bytes(written)


def possible(text: str) -> str:
    """Drop the characters that no XML document can hold (XML 1.0, production Char)."""
    return "".join(
        one
        for one in text
        if one in "\t\n\r"
        or " " <= one <= "\ud7ff"
        or "\ue000" <= one <= "\ufffd"
        or one > "\uffff"
    )


async def replies(rng: Random) -> str:
    """Read what an app answers: a response whose parts can be used, or a sentence why not."""
    body = random_reply(rng) if rng.random() < 0.8 else junk(rng)
    try:
        reply = read_response(body)
    except ReplyError as error:
        return _refused(error)
    assert isinstance(json.loads(reply.variables, parse_int=str), dict)
    to_json(reply.params)
    try:
        command = newest(reply.command)
        params = command.read_params(reply.params)
    except CommandRefused as refused:
        return _code(refused)
    assert params == command.read_params(from_json(to_json(reply.params))), body
    return "command"


def _refused(error: ReplyError) -> str:
    assert error.sentence
    assert len(error.excerpt) <= 200
    assert error.excerpt.isprintable()
    return "refused"


def _code(refused: CommandRefused) -> str:
    code, _, sentence = str(refused).partition(": ")
    assert code in CODES
    assert sentence
    return code


async def requests(rng: Random) -> str:
    """Write what an app is asked: JSON that says the same again, whatever callers and apps put in."""
    texts = [hostile.text(rng).encode("utf-8", "replace").decode() for _ in range(8)]
    variables = hostile.to_text({"a": hostile.value(rng, 1)}, rng)
    # As the reader gives it: what was decoded holds no lone surrogates.
    variables = variables.encode("utf-8", "replace").decode()
    written = write_request(
        RtRequest(
            app="FUZZ",
            callid=rng.randrange(2**63),
            request_hash=rng.choice((None, texts[0])),
            cli_name=texts[1],
            cli_number=texts[2],
            date_started="2026-01-01 00:00:00",
            number=texts[3],
            command=texts[4],
            command_id=rng.choice(("0", '"x"', "[1]")),
            command_result=rng.choice((texts[5], 0, 10**30)),
            command_error=texts[6],
            call_status="UP",
            cdr_field=texts[7],
            variables=variables,
        )
    )
    read = json.loads(written, parse_int=str)
    assert texts[1:5] == [read[name] for name in ("cli_name", "cli_number", "number", "command")]
    assert json.loads(variables, parse_int=str) == read["variables"]
    return "written"


async def documents(rng: Random) -> str:
    """Write verbs as XML: one document, of the elements meant, whose texts say what was meant."""
    trees = Trees(rng)
    addresses = Addresses()
    verbs = trees.verbs()
    root = etree.fromstring(render(verbs, addresses), _PARSER)
    assert "Response" == root.tag
    assert [type(verb).__name__ for verb in verbs] == [one.tag for one in root][: len(verbs)], verbs
    assert len(root) - len(verbs) in {0, 1}
    for verb, element in zip(verbs, root, strict=False):
        match verb:
            case Speak():
                meant = [verb.text, verb.voice, verb.language]
                assert [*map(possible, meant)] == [element.text or "", *element.attrib.values()][:3]
            case DTMF():
                assert possible(verb.digits) == (element.text or "")
            case _:
                pass
    spoken = etree.fromstring(render_sounds(trees.sounds(), addresses), _PARSER)
    assert {one.tag for one in spoken} <= {"Speak", "Play", "Wait"}
    return "ends" if len(root) == len(verbs) else "comes back"


async def forms(rng: Random) -> str:
    """Read a form or a query as the standard library does, or refuse it."""
    whim = rng.random()
    if whim < 0.5:
        pairs = [(rng.choice(FIELDS), hostile.text(rng)) for _ in range(rng.randrange(6))]
        encoded = urlencode(pairs, errors="surrogatepass").encode()
    elif whim < 0.6:
        encoded = b"&".join([b"a=1"] * rng.randrange(2 * MOST_FIELDS))
    else:
        encoded = bytes(rng.choices(b"&=%+;a1F\xff\x00\xc3\xa9", k=rng.randrange(60)))
    try:
        found = _pairs(encoded)
    except web.HTTPBadRequest:
        assert encoded.count(b"&") >= MOST_FIELDS
        return "refused"
    text = encoded.decode("utf-8", "replace")
    assert parse_qsl(text, keep_blank_values=True, errors="replace") == found, encoded
    return "read"


async def signatures(rng: Random) -> str:
    """Take a signature for what was signed, and for nothing that differs in one single place."""
    method = rng.choice(("GET", "POST"))
    path = quote(hostile.text(rng, 10), errors="replace")
    query = rng.choice(("", "?a=1&b=2", "?" + junk(rng, 20).decode("latin-1")))
    url = f"https://bridge.example.com/plivo/{path}{query}".replace("#", "")
    pairs = [(rng.choice(FIELDS), hostile.text(rng)) for _ in range(rng.randrange(4))]
    nonce = str(rng.randrange(1, 10**20))
    good = sign(method, url, pairs, nonce, TOKEN)
    header = rng.choice((good, f"x, {good}", f"{good},{hostile.text(rng, 5)}"))
    assert verify(method, url, pairs, nonce, [header], ["other", TOKEN]), (url, pairs)
    wrong: tuple[tuple[Any, ...], ...] = (
        (method, url + "x", pairs, nonce, good, TOKEN),
        (method, url, [*pairs, ("Digits", "1")], nonce, good, TOKEN),
        (method, url, pairs, nonce + "1", good, TOKEN),
        (method, url, pairs, "", good, TOKEN),
        (method, url, pairs, nonce, good, TOKEN + "x"),
        (method, url, pairs, nonce, good, ""),
        (method, url, pairs, nonce, good[:-2] + "A=" if good[-2] != "A" else good[1:], TOKEN),
        (method, url, pairs, nonce, hostile.text(rng), TOKEN),
        (rng.choice(("PUT", "", "\x00")), url, pairs, nonce, good, TOKEN),
    )
    chosen = rng.choice(wrong)
    assert not verify(*chosen), chosen
    return f"wrong {wrong.index(chosen)}"


async def events(rng: Random) -> str:
    """Read Plivo's callbacks: an event that is stored and read back as the same."""
    form = {name: hostile.text(rng) for name in rng.sample(FIELDS, rng.randrange(6))}
    form = {name: text.encode("utf-8", "replace").decode() for name, text in form.items()}
    event = callbacks.continuation(rng.choice(KINDS), form, rng.randrange(10**9))
    stored = to_json(dump_event(event))
    assert event == load_event(from_json(stored)), form
    assert len(stored) < 30_000, form
    return type(event).__name__


async def texts(rng: Random) -> str:
    """Mask, show and read texts: numbers, URLs, sound files and log lines never fail."""
    text = hostile.text(rng)
    secret = str(rng.randrange(10**9, 10**15))
    shown = json.dumps(
        redact_event(
            None,
            "info",
            {
                "a": f"{text} {secret} {text}",
                "digits": secret,
                "from": f"+{secret}",
                "password": text,
            },
        )
    )
    assert secret not in shown, shown
    assert secret not in redact_text(f"https://user:{secret}@host/?pin={secret}")
    assert secret not in mask_url(f"http://h{text}/?k={secret}")
    assert excerpt(text.encode("utf-8", "replace")).isprintable()
    number = to_e164(text)
    assert not number or ":" in number or is_e164(number) or number[1:].isdigit(), text
    try:
        decode_wav(base64.b64encode(b"RIFF" + junk(rng)).decode() if rng.random() < 0.5 else text)
    except WavError:
        return "no sound"
    return "sound"


#: Those that need no bridge; that of JSON-RPC is in `fuzz.rpc`.
EDGES: Final[dict[str, Edge]] = {
    "replies": replies,
    "requests": requests,
    "documents": documents,
    "forms": forms,
    "signatures": signatures,
    "events": events,
    "texts": texts,
}
