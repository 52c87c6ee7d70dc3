"""What holds of any input, with the smallest one that breaks it: signatures, forms, XML, excerpts."""

from __future__ import annotations

import os
import re
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lxml import etree
from playbook_expectations import Addresses

from bridge.plivo.signature import sign, verify
from bridge.redaction import redact_excerpt
from bridge.webhooks import _pairs
from mappings._plivo.render import render
from mappings._plivo.verbs import Speak
from mappings._rt.reader import ReplyError, RtResponse, read_response

EXAMPLES: Final = min(5000, int(os.environ.get("RT_BRIDGE_FUZZ", "60")))
TEXTS: Final = st.text(max_size=30)
ENCODED: Final = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
PAIRS: Final = st.lists(st.tuples(TEXTS, TEXTS), max_size=4)
TOKENS: Final = st.text(min_size=1, max_size=20)
often = settings(max_examples=EXAMPLES, deadline=None)


@often
@given(PAIRS, PAIRS, TOKENS, TOKENS, TOKENS)
def test_a_signature_is_for_one_request(
    pairs: Any, others: Any, token: str, other: str, nonce: str
) -> None:
    """What was signed verifies; with other fields, another token or another nonce it does not."""
    url = "https://bridge.example.com/plivo/A/answer"
    good = sign("POST", url, pairs, nonce, token)
    assert verify("POST", url, pairs, nonce, good, token)
    assume(token != other)
    assert not verify("POST", url, pairs, nonce, good, other)
    assert not verify("POST", url, pairs, nonce + "1", good, token)

    def signed(fields: Any) -> str:
        # Fields without any text still come behind a question mark, no fields do not.
        return "?" * bool(fields) + "".join(name + value for name, value in sorted(fields))

    assert (signed(pairs) == signed(others)) is verify("POST", url, others, nonce, good, token)


@often
@given(st.lists(st.tuples(ENCODED, ENCODED), max_size=6))
def test_forms_come_back(pairs: list[tuple[str, str]]) -> None:
    """A form is read as it was written, as the standard library reads it."""
    encoded = urlencode(pairs).encode()

    found = _pairs(encoded)

    assert parse_qsl(encoded.decode(), keep_blank_values=True) == found
    assert [pair for pair in pairs if pair != ("", "")] == [p for p in found if p != ("", "")]


@often
@given(st.binary(max_size=40))
def test_any_bytes_as_a_form(encoded: bytes) -> None:
    """Whatever bytes there are, they are read as the standard library reads them."""
    text = encoded.decode("utf-8", "replace")

    assert parse_qsl(text, keep_blank_values=True, errors="replace") == _pairs(encoded)


@often
@given(TEXTS, ENCODED)
def test_texts_never_become_markup(text: str, voice: str) -> None:
    """A document says the text and nothing else, whatever is in it."""
    root = etree.fromstring(render((Speak(text, voice, "en-GB"),), Addresses()))

    assert ["Speak", "Redirect"] == [element.tag for element in root]
    dropped = "[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]"
    assert re.sub(dropped, "", text) == (root[0].text or "")
    expected = {"voice": re.sub(dropped, "", voice), "language": "en-GB"}
    assert expected == dict(root[0].attrib)


@often
@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:\\ue1-.0tfn \ufeff', max_size=60))
def test_any_reply_is_read_or_refused(reply: bytes | str) -> None:
    """Whatever an app answers, it is a response or has a sentence that says why not."""
    body = reply if isinstance(reply, bytes) else reply.encode()
    outcome: RtResponse | ReplyError
    try:
        outcome = read_response(body)
    except ReplyError as error:
        outcome = error

    assert isinstance(outcome, RtResponse) or outcome.sentence.endswith((".", "?"))


@often
@given(TEXTS, st.text(st.sampled_from("0123456789"), min_size=4, max_size=9), ENCODED, ENCODED)
def test_excerpts_hide_what_was_typed(before: str, pin: str, name: str, after: str) -> None:
    """Digits that a caller typed and values of JSON are not in an excerpt, wherever they were."""
    assume(pin not in before)
    assert pin not in redact_excerpt(f"{before}{pin}")
    secret = "Rosalind Quux"
    quoted = f'{name}{{"cli_name": "{secret}"}}{after}'
    assume(not {'"', "'", "\\"} & set(name))

    assert secret not in redact_excerpt(quoted)
