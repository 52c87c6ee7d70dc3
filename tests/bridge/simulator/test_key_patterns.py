from __future__ import annotations

import pytest

from bridge.simulator.key_patterns import KeyPatterns


@pytest.mark.parametrize(
    ("patterns", "keys", "found"),
    [
        ("12", "12", [("", ""), ("12", "")]),
        ("12", "112", [("", ""), ("", "1"), ("12", "")]),
        ("12", "13", [("", ""), ("", "13")]),
        ("#0,99,000", "9#0", [("", ""), ("", "9"), ("#0", "")]),
        ("9,99", "99", [("9", ""), ("9", "")]),
        ("001", "0001", [("", ""), ("", ""), ("", "0"), ("001", "")]),
        ("", "5", [("", "5")]),
    ],
)
def test_press(patterns: str, keys: str, found: list[tuple[str, str]]) -> None:
    """A key completes a pattern, may begin one, or is passed on."""
    collecting = KeyPatterns(patterns)

    assert found == [collecting.press(key, 1.0) for key in keys]


def test_slow_keys() -> None:
    """A key that comes late begins anew, and the earlier ones are passed on."""
    collecting = KeyPatterns("12")

    assert ("", "") == collecting.press("1", 1.0)
    assert ("", "12") == collecting.press("2", 9.0)
    assert ("", "") == collecting.press("1", 20.0)
    assert ("12", "") == collecting.press("2", 21.0)


def test_no_patterns() -> None:
    """Without patterns there is nothing to listen for."""
    assert not KeyPatterns("")
    assert KeyPatterns("1,2")
