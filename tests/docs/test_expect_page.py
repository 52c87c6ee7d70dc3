"""docs/expect.md is written from the code."""

from __future__ import annotations

from bridge.testing.call import Call
from bridge.testing.expect_doc import TARGET, page


def test_the_page_is_current() -> None:
    """`python -m bridge.testing.expect_doc` would change nothing."""
    assert page() == TARGET.read_text(encoding="utf-8")


def test_the_page_has_every_method() -> None:
    """Nothing that a call can do is left out."""
    text = page()

    for name in dir(Call):
        if not name.startswith("_") and name not in {"line", "rig"}:
            assert f"| `{name}" in text, name
