from __future__ import annotations

import pytest

from bridge.operators.moments import moment, shown, written

NOW = 1_717_164_000.0  # 2024-05-31T14:00:00Z


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-05-31", 1_717_113_600.0),
        ("2024-05-31T14:00", NOW),
        (" 2024-05-31 14:00:00 ", NOW),
        ("2024-05-31T16:00:00+02:00", NOW),
        ("2024-05-31T14:00:00.250Z", NOW + 0.25),
        ("90m", NOW - 5400),
        ("12h", NOW - 43_200),
        ("7d", NOW - 604_800),
        ("0s", NOW),
        ("1w", NOW - 604_800),
    ],
)
def test_times_are_read(text: str, expected: float) -> None:
    """A date, a time with or without a zone (UTC), and how long ago are understood."""
    assert expected == moment(text, NOW)


@pytest.mark.parametrize("text", ["", "yesterday", "7", "-1h", "2024-13-01", "1.5h", "31/05/2024"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """Anything else is a sentence with examples."""
    with pytest.raises(ValueError, match="is no time: write 2024-05-31"):
        moment(text, NOW)


def test_times_are_written() -> None:
    """Programs get milliseconds and Z, people a plain time, and nothing stays nothing."""
    assert ("2024-05-31T14:00:00.250Z", "") == (written(NOW + 0.25), written(None))
    assert ("2024-05-31 14:00:00", "-") == (shown(NOW), shown(None))
    assert NOW == moment(written(NOW), 0)
