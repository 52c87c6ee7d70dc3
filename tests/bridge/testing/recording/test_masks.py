from __future__ import annotations

import re

import pytest

from bridge.testing.recording.masks import Masks

KEY = b"a key of these tests"


@pytest.fixture
def masks() -> Masks:
    """Masks that are the same in every run."""
    return Masks(KEY)


@pytest.mark.parametrize(
    ("number", "shape"),
    [
        ("+33612345678", r"\+336[0-9]{8}"),
        ("33612345678", r"336[0-9]{8}"),
        ("0033612345678", r"00336[0-9]{8}"),
        ("+33 6 12.34-56 78", r"\+33 6 [0-9]{2}\.[0-9]{2}-[0-9]{2} [0-9]{2}"),
        ("+14155552671", r"\+14[0-9]{9}"),
        ("+442079460101", r"\+442[0-9]{9}"),
        ("+3531234567", r"\+3531[0-9]{6}"),
        ("0612345678", r"0[0-9]{9}"),
        ("1234567", r"12[0-9]{5}"),
        ("1001", r"[1-9][0-9]{3}"),
        ("7", r"[0-9]"),
        ("sip:1001@pbx.example.com", r"sip:[0-9]{4}@pbx\.example\.com"),
        ("sip:alice@pbx.example.com", r"sip:caller-[a-z]{4}@pbx\.example\.com"),
    ],
)
def test_masked_number_keeps_its_shape(masks: Masks, number: str, shape: str) -> None:
    """Country code, the digit after it, length and separators stay; the number itself does not."""
    mask = masks.number(number)

    assert re.fullmatch(shape, mask)
    assert number != mask


@pytest.mark.parametrize("word", ["", "anonymous", "BLOCKED", "+"])
def test_words_are_no_numbers(masks: Masks, word: str) -> None:
    """What has no digit stays."""
    assert word == masks.number(word)
    assert word == masks.digits(word)


def test_spellings_of_a_number_share_a_mask(masks: Masks) -> None:
    """With plus, with 00, bare, spaced or national: one number has one mask."""
    mask = masks.number("+33612345678")

    assert mask[1:] == masks.number("33612345678")
    assert f"00{mask[1:]}" == masks.number("0033612345678")
    assert mask == masks.number("+33 6 12 34 56 78").replace(" ", "")
    assert f"0{mask[3:]}" == masks.number("06 12 34 56 78").replace(" ", "")


def test_equal_values_stay_equal_and_different_ones_different(masks: Masks) -> None:
    """Two digits, all ninety of them, get ninety masks, none of them its own value."""
    values = [str(value) for value in range(10, 100)]

    first = [masks.digits(value) for value in values]

    assert first == [masks.digits(value) for value in values]
    assert len(values) == len(set(first))
    assert [] == [value for value, mask in zip(values, first, strict=True) if value == mask]


def test_more_values_than_masks_share_masks(masks: Masks) -> None:
    """All hundred PINs of two digits are masked, although only ninety masks begin as they do."""
    for value in range(100):
        pin = f"{value:02}"

        assert re.fullmatch("[0-9]{2}", masks.digits(pin))
        assert pin != masks.digits(pin)


def test_leading_zero_tells_whether_a_mask_has_one(masks: Masks) -> None:
    """A masked JSON number keeps its length, and a text of digits its leading zero."""
    assert not any(masks.digits(str(value)).startswith("0") for value in range(1000, 1100))
    assert all(masks.digits(f"0{value}").startswith("0") for value in range(100, 200))


def test_keys_keep_their_hash(masks: Masks) -> None:
    """`#` and `*` are no secret; only the digits between them change."""
    assert re.fullmatch(r"\*[0-9]{4}#", masks.digits("*1234#"))
    assert masks.digits("1234") == masks.digits("1234#").removesuffix("#")


def test_key_repeats_masks() -> None:
    """The same key gives the same masks, another or none gives others."""
    number = "+33612345678"

    assert Masks(KEY).number(number) == Masks(KEY).number(number)
    assert 3 == len({Masks(KEY).number(number), Masks(b"x").number(number), Masks().number(number)})


def test_kept_numbers_stay_in_every_spelling() -> None:
    """A number to keep is not masked, whichever way it is written."""
    masks = Masks(KEY, ("+33 1 87 65 43 21",))

    assert "+33187654321" == masks.number("+33187654321")
    assert "33187654321" == masks.number("33187654321")
    assert "0187654321" == masks.number("0187654321")


def test_name_becomes_another_name(masks: Masks) -> None:
    """Names get the same mask again; a number shown as a name is masked as a number."""
    mask = masks.name("Jean Dupont")

    assert re.fullmatch("Caller [a-z]{4}", mask)
    assert mask == masks.name("Jean Dupont")
    assert mask != masks.name("Jean Durand")
    assert masks.number("+33612345678") == masks.name("+33612345678")
