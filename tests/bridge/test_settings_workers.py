"""How many processes share the work, and what they need for it."""

from __future__ import annotations

import pytest

from bridge.errors import SettingsError
from bridge.settings import load_settings, warnings

MINIMAL = {
    "BRIDGE_PUBLIC_URL": "https://voice.example.com",
    "BRIDGE_APP_URL": "http://127.0.0.1:8000/rt",
    "BRIDGE_PLIVO_AUTH_ID": "MAXXXXXXXXXXXXXXXXXX",
    "BRIDGE_PLIVO_AUTH_TOKEN": "tok-1",
}
REDIS = {"BRIDGE_STORE": "redis://127.0.0.1:6379/0"}


def problems(**given: str) -> list[str]:
    """Load settings that must fail and give the sentences."""
    with pytest.raises(SettingsError) as caught:
        load_settings(MINIMAL | given)
    return list(caught.value.problems)


def test_one_process_unless_told_otherwise() -> None:
    """The default needs no shared store."""
    assert 1 == load_settings(MINIMAL).settings.workers


@pytest.mark.parametrize("store", ["memory:", "sqlite:///bridge.db"])
def test_a_store_of_one_process_has_no_room_for_more(store: str) -> None:
    """Several workers on a file or on memory are refused, with what to do about it."""
    expected = (
        f"BRIDGE_WORKERS is 2, and BRIDGE_STORE ({store}) has room for one process; set "
        "BRIDGE_STORE to a server that they can share, redis://host:6379/0, or BRIDGE_WORKERS to 1."
    )

    assert [expected] == problems(BRIDGE_WORKERS="2", BRIDGE_STORE=store)


def test_a_simulation_owns_the_time_of_one_process() -> None:
    """Several workers under a clock for tests are refused."""
    (sentence,) = problems(**REDIS, BRIDGE_WORKERS="2", BRIDGE_TEST_CLOCK="127.0.0.1:9000")

    assert "BRIDGE_TEST_CLOCK gives the time to one process" in sentence


@pytest.mark.parametrize(("given", "why"), [("0", "at least 1"), ("65", "at most 64")])
def test_number_out_of_range(given: str, why: str) -> None:
    """There is at least one worker, and no more than any machine has use for."""
    assert [f"BRIDGE_WORKERS is '{given}', but must be {why}."] == problems(
        **REDIS, BRIDGE_WORKERS=given
    )


def test_what_all_workers_get_is_divided() -> None:
    """A worker gets its part of a limit, rounded down so that they keep to it together."""
    settings = load_settings(MINIMAL | REDIS | {"BRIDGE_WORKERS": "3"}).settings

    assert [66, 1, 1] == [settings.each(total) for total in (200, 3, 2)]


def test_limit_that_cannot_be_divided_is_warned_about() -> None:
    """An app that takes fewer questions at once than there are workers gets one of each."""
    given = MINIMAL | REDIS | {"BRIDGE_WORKERS": "3", "BRIDGE_APP_MAX_QUESTIONS": "2"}
    told = warnings(load_settings(given).settings)

    expected = (
        "apps.DEFAULT.max_questions (2) is less than BRIDGE_WORKERS (3): each worker asks one "
        "question at once all the same."
    )
    assert expected in told
    assert expected not in warnings(load_settings(given | {"BRIDGE_WORKERS": "2"}).settings)
