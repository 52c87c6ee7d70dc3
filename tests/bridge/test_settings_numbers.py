"""The settings of an app that provisioning reads: its numbers and its application at Plivo."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.errors import SettingsError
from bridge.settings import describe, load_settings

MINIMAL = {
    "BRIDGE_PUBLIC_URL": "https://voice.example.com",
    "BRIDGE_APP_URL": "http://127.0.0.1:8000/rt",
    "BRIDGE_PLIVO_AUTH_ID": "MAXXXXXXXXXXXXXXXXXX",
    "BRIDGE_PLIVO_AUTH_TOKEN": "tok-1",
}


def problems(environ: dict[str, str]) -> list[str]:
    """Load settings that must fail and give the sentences."""
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    return list(caught.value.problems)


def test_an_app_has_no_numbers_unless_it_is_given_some() -> None:
    """Nobody's number is assigned by default, and the application is named after the hash."""
    app = load_settings(MINIMAL).settings.apps["DEFAULT"]

    assert ((), None) == (app.numbers, app.plivo_application)


def test_numbers_in_the_environment() -> None:
    """They are separated by commas."""
    given = {"BRIDGE_APP_NUMBERS": "+33187654321, +33187654322"}

    app = load_settings({**MINIMAL, **given}).settings.apps["DEFAULT"]

    assert ("+33187654321", "+33187654322") == app.numbers


def test_numbers_in_toml(tmp_path: Path) -> None:
    """They are a list."""
    config = tmp_path / "bridge.toml"
    config.write_text(
        'app_url = "http://127.0.0.1:8000/rt"\n'
        '[apps.SALES]\nurl = "http://127.0.0.1:8001/rt"\n'
        'numbers = ["+33187654321"]\nplivo_application = "sales-line"\n'
    )
    environ = {name: text for name, text in MINIMAL.items() if name != "BRIDGE_APP_URL"}

    app = load_settings({**environ, "BRIDGE_CONFIG": str(config)}).settings.apps["SALES"]

    assert (("+33187654321",), "sales-line") == (app.numbers, app.plivo_application)


def test_numbers_are_shown_masked() -> None:
    """`rt-bridge config` shows of each number what other numbers show."""
    given = {"BRIDGE_APP_NUMBERS": "+33187654321,+33187654322"}

    rows = {row.name: row.value for row in describe(load_settings({**MINIMAL, **given}))}

    assert "+331*****21, +331*****22" == rows["apps.DEFAULT.numbers"]


@pytest.mark.parametrize(
    ("value", "phrase"),
    [
        ("0187654321", "must be a number in E.164 form, for example +33123456789"),
        ("+33187654321 +33187654321", "must name each number once"),
    ],
)
def test_numbers_that_are_none(value: str, phrase: str) -> None:
    """What is wrong with the list is said in a sentence."""
    assert [f"BRIDGE_APP_NUMBERS is {value!r}, but {phrase}."] == problems(
        {**MINIMAL, "BRIDGE_APP_NUMBERS": value}
    )


def test_names_that_plivo_does_not_take() -> None:
    """An application's name has letters, digits, - and _ only."""
    (problem,) = problems({**MINIMAL, "BRIDGE_APP_PLIVO_APPLICATION": "Sales line"})

    assert problem.endswith("must be a name of 1 to 60 letters, digits, _ or -, as Plivo takes it.")


def test_a_number_belongs_to_one_app(tmp_path: Path) -> None:
    """The same number in two apps is a fault that names both."""
    config = tmp_path / "bridge.toml"
    config.write_text(
        '[apps.A]\nurl = "http://127.0.0.1:1/"\nnumbers = ["+33187654321"]\n'
        '[apps.B]\nurl = "http://127.0.0.1:2/"\nnumbers = ["+33187654321"]\n'
    )
    environ = {name: text for name, text in MINIMAL.items() if name != "BRIDGE_APP_URL"}

    assert [
        "+33187654321 is among the numbers of A and of B; a number belongs to one app."
    ] == problems({**environ, "BRIDGE_CONFIG": str(config)})


def test_numbers_of_a_wrong_type(tmp_path: Path) -> None:
    """A table is no list of numbers."""
    config = tmp_path / "bridge.toml"
    config.write_text('[apps.A]\nurl = "http://127.0.0.1:1/"\nnumbers = 33187654321\n')
    environ = {name: text for name, text in MINIMAL.items() if name != "BRIDGE_APP_URL"}

    (problem,) = problems({**environ, "BRIDGE_CONFIG": str(config)})

    assert problem.endswith("must be text: numbers in E.164 form, separated by commas.")
