"""The stored form of an intent, and the URLs that name it."""

from __future__ import annotations

import json
import re

import pytest

from bridge.outbound.intents import Intent, Phase, dump, entry_url, load, new_hash

INTENT = Intent("A1B2C3D4", "SHOP", "+33612345678", "+33187654321", 30, 100.0, "42")


@pytest.mark.parametrize("phase", Phase)
def test_an_intent_is_read_as_it_was_written(phase: Phase) -> None:
    """Every field survives the store, the version comes from it."""
    intent = Intent(
        "H", "A", "+331", "+332", 5, 1.0, "x", phase, 2.0, "request", "call", 7, version=3
    )

    assert intent == load(dump(intent), 3)


def test_fields_of_a_newer_release_are_ignored() -> None:
    """A process of this release can go on with what a newer one wrote."""
    blob = json.dumps({**json.loads(dump(INTENT)), "colour": "red"}).encode()

    assert INTENT == load(blob, 0)


def test_hashes_look_like_those_of_the_rt_page() -> None:
    """A hash has 8 capitals and digits, and is never the same twice in a row."""
    made = {new_hash() for _ in range(200)}

    assert 200 == len(made)
    assert all(re.fullmatch("[A-Z0-9]{8}", one) for one in made)


def test_urls_end_with_the_hash_and_are_retried() -> None:
    """Plivo asks below the app for this one call, and asks again when we do not answer."""
    url = entry_url("https://bridge.test/rt", INTENT, "ring")

    assert url.startswith("https://bridge.test/rt/plivo/SHOP/ring/A1B2C3D4#")
    assert "rc=5" in url


@pytest.mark.parametrize(
    ("phase", "done"),
    [
        (Phase.QUEUED, False),
        (Phase.SENDING, False),
        (Phase.DIALLED, False),
        (Phase.ADOPTED, True),
        (Phase.OVER, True),
    ],
)
def test_done_intents(phase: Phase, done: bool) -> None:
    """Only a call, or the end without one, leaves nothing to be done."""
    intent = Intent("H", "A", "+331", "+332", 5, 1.0, phase=phase)

    assert done == intent.done
