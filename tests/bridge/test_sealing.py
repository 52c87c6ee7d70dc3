"""Secrets at rest."""

from __future__ import annotations

import base64

import pytest

from bridge.sealing import SealBroken, derived_key, opened, seal

KEY = derived_key(b"secret of the store", "test")


@pytest.mark.parametrize("text", ["", "x", "pässwörd", "a" * 64, "b" * 65, "c" * 1000])
def test_sealed_text_is_opened(text: str) -> None:
    """The same key and context give the text back, whatever its length."""
    assert text == opened(KEY, seal(KEY, text, "SHOP"), "SHOP")


def test_nothing_of_the_text_is_visible() -> None:
    """The same text is sealed to something else each time, in which it does not occur."""
    sealed = {seal(KEY, "open sesame", "SHOP") for _ in range(50)}

    assert 50 == len(sealed)
    for one in sealed:
        raw = base64.urlsafe_b64decode(one.removeprefix("1."))
        assert b"open" not in raw
        assert b"sesame" not in raw


def test_another_key_does_not_open() -> None:
    """What was sealed with one key is refused with another, of the same secret too."""
    sealed = seal(KEY, "open sesame", "SHOP")
    for key in (derived_key(b"another", "test"), derived_key(b"secret of the store", "other")):
        with pytest.raises(SealBroken, match="another key"):
            opened(key, sealed, "SHOP")


def test_another_context_does_not_open() -> None:
    """A sealed password cannot be moved to another app."""
    with pytest.raises(SealBroken):
        opened(KEY, seal(KEY, "open sesame", "SHOP"), "OTHER")


def test_every_changed_byte_is_noticed() -> None:
    """No byte of nonce, tag or text can be changed."""
    raw = bytearray(base64.urlsafe_b64decode(seal(KEY, "sesame", "SHOP").removeprefix("1.")))
    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= 1
        with pytest.raises(SealBroken):
            opened(KEY, "1." + base64.urlsafe_b64encode(changed).decode(), "SHOP")


@pytest.mark.parametrize("text", ["", "sesame", "1.", "1.!!", "1.A", "1.AAAA", "2.AAAA"])
def test_what_was_never_sealed_is_refused(text: str) -> None:
    """Anything else ends in one error, not in a traceback."""
    with pytest.raises(SealBroken):
        opened(KEY, text, "SHOP")
