"""V3 webhook signatures: what Plivo signs, and the check that a request came from Plivo.

The signature is ``base64(HMAC-SHA256(auth token, base + "." + nonce))``.  Plivo's prose describes
the base loosely; the rules here are those the official SDKs execute, which their published test
vectors confirm (plivo-go ``utils_test.go``).  The base is built from the URL exactly as Plivo
requested it, so callers pass the configured public base followed by the raw path and query.

This runs before anything else on every webhook, so it is written for speed, and it never raises on
hostile input: text that is not valid UTF-8 is signed byte for byte as it arrived.
"""

from __future__ import annotations

import hmac
from binascii import b2a_base64
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["base_string", "sign", "verify"]

_METHODS = frozenset({"GET", "POST"})
_LOWER_CASE_SCHEMES = ("https://", "http://", "wss://", "ws://")


def base_string(method: str, url: str, params: Sequence[tuple[str, str]] = ()) -> str:
    """Return the text that is signed, without the nonce.

    ``method`` is GET or POST in any case; ``url`` is absolute and not normalised; ``params`` are
    the decoded form fields in any order, with repeated names and blank values kept.  Fields passed
    with GET join the query, where a name of the query wins.

    Raises ``ValueError`` for any other method: Plivo sends no other.
    """
    verb = method.upper()
    if verb not in _METHODS:
        raise ValueError(f"Plivo signs GET and POST only, not {method[:20]!r}")
    head, _, raw_query = url.partition("?")
    if "#" in url:
        head, _, raw_query = url.partition("#")[0].partition("?")
    if ";" in head:
        head = _without_path_params(head)
    if not head.startswith(_LOWER_CASE_SCHEMES):
        scheme, separator, rest = head.partition("://")
        head = f"{scheme.lower()}{separator}{rest}"
    query = _decoded(raw_query) if raw_query else []
    if params and verb == "POST":
        body = "".join([name + value for name, value in sorted(params)])
        return f"{head}?{_joined(query)}.{body}" if query else f"{head}?{body}"
    if params:
        own = {name for name, _ in query}
        query += [pair for pair in params if pair[0] not in own]
    return f"{head}?{_joined(query)}" if query else head


def sign(
    method: str,
    url: str,
    params: Sequence[tuple[str, str]],
    nonce: str,
    token: str,
) -> str:
    """Return the value of the signature header for this request.

    Takes the same ``method``, ``url`` and ``params`` as `base_string`, and raises as it does.
    """
    return _digest(token, _utf8(f"{base_string(method, url, params)}.{nonce}")).decode()


def verify(  # noqa: PLR0917 - the six inputs of the scheme, in the order they are signed
    method: str,
    url: str,
    params: Sequence[tuple[str, str]],
    nonce: str,
    signatures: str | Iterable[str],
    tokens: str | Iterable[str],
) -> bool:
    """Tell whether any signature given was made for this request with any of our tokens.

    ``signatures`` is a header value or several (V3 and Ma-V3 alike); each may hold more than one
    signature separated by commas, as Plivo sends while a token is being rotated.  An empty token
    or nonce never verifies, since anybody can sign with the empty key.  Every comparison takes
    constant time.  Never raises: what cannot have been signed by Plivo is simply not verified.
    """
    try:
        message = _utf8(f"{base_string(method, url, params)}.{nonce}")
    except ValueError:
        return False
    if not nonce:
        return False
    headers = (signatures,) if isinstance(signatures, str) else signatures
    candidates = [_utf8(part.strip()) for header in headers for part in header.split(",")]
    for token in (tokens,) if isinstance(tokens, str) else tokens:
        if not token:
            continue
        expected = _digest(token, message)
        for candidate in candidates:
            if hmac.compare_digest(expected, candidate):
                return True
    return False


@lru_cache(maxsize=16)
def _keyed(token: str) -> hmac.HMAC:
    # Setting up the key costs as much as hashing a webhook, and a deployment has a few tokens.
    return hmac.new(_utf8(token), digestmod="sha256")


def _digest(token: str, message: bytes) -> bytes:
    keyed = _keyed(token).copy()
    keyed.update(message)
    return b2a_base64(keyed.digest(), newline=False)


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        # surrogatepass alone would not restore bytes that a decoder smuggled in as surrogates,
        # and surrogateescape alone raises on any other surrogate.
        try:
            return text.encode(errors="surrogateescape")
        except UnicodeEncodeError:
            return text.encode(errors="surrogatepass")


def _joined(query: list[tuple[str, str]]) -> str:
    query.sort()
    return "&".join([f"{name}={value}" for name, value in query])


def _decoded(raw_query: str) -> list[tuple[str, str]]:
    pairs = []
    for field in raw_query.split("&"):
        if not field:
            continue
        name, _, value = field.partition("=")
        if "%" in field or "+" in field:
            # The official Python SDK raises on non-ASCII here; Plivo's own text is UTF-8.
            name = unquote_plus(name, errors="surrogateescape")
            value = unquote_plus(value, errors="surrogateescape")
        pairs.append((name, value))
    return pairs


def _without_path_params(head: str) -> str:
    scheme, separator, rest = head.partition("://")
    authority, slash, path = rest.partition("/")
    parent, last_slash, last = path.rpartition("/")
    return f"{scheme}{separator}{authority}{slash}{parent}{last_slash}{last.partition(';')[0]}"
