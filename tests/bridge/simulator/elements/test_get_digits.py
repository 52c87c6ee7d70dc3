"""GetDigits, attribute by attribute."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support_plivo import HANGUP, XmlApp, keys, wav

from bridge.simulator.inputs import HungUp, Input, Transferred
from bridge.simulator.profile import HOSTILE, NORMAL

#: A prompt of 30 characters, which takes 2 s.
PROMPT = "<Speak>123456789 123456789 1234567890</Speak>"
PROMPT_S = 2.0

Script = list[tuple[float, Input]]


def asking(attributes: str = "", prompts: str = "") -> str:
    """Write a GetDigits after which nothing was typed."""
    return (
        f'<GetDigits action="{{url}}/keys" {attributes}>{prompts}</GetDigits>'
        "<Redirect>{url}/nothing</Redirect>"
    )


@pytest.mark.parametrize(
    ("attributes", "script", "digits", "at"),
    [
        ("", keys("12#", 1), "12", 1.6),
        ("", keys("12", 1), "12", 1.3 + 2),
        ("", keys("1", 4.9), "1", 4.9 + 2),
        ('digitTimeout="7"', keys("12", 1), "12", 1.3 + 7),
        ('timeout="30"', keys("1#", 29), "1", 29.3),
        ('numDigits="2"', keys("123", 1), "12", 1.3),
        ('finishOnKey="5"', keys("125", 1), "12", 1.6),
        ('finishOnKey="none"', keys("1#*", 1), "1#*", 1.6 + 2),
        ('finishOnKey=""', keys("1#*", 1), "1#*", 1.6 + 2),
        ('finishOnKey="*"', keys("1#*", 1), "1#", 1.6),
        ('validDigits="12#" finishOnKey="#"', keys("12#", 1), "12", 1.6),
        ("", keys("0123456789" * 10, 1), ("0123456789" * 10)[:99], 1 + 98 * 0.3),
    ],
)
async def test_how_input_ends(
    app: XmlApp, attributes: str, script: Script, digits: str, at: float
) -> None:
    """Input ends with finishOnKey (#), numDigits (99) or 2 s of silence after the first key."""
    app.documents = {"/answer": asking(attributes), "/keys": HANGUP}
    life = await app.live(script)

    assert (digits, "POST", "Redirect") == (
        app.first("/keys")["Digits"],
        app.first("/keys").method,
        app.first("/keys")["Event"],
    )
    assert [round(at, 3)] == life.when("asks", label="action")


@pytest.mark.parametrize(("attributes", "at"), [("", 5.0), ('timeout="8"', 8.0)])
async def test_no_key(app: XmlApp, attributes: str, at: float) -> None:
    """Without a key for 5 s after the prompts the next element runs and no action is asked."""
    app.documents = {"/answer": asking(attributes, PROMPT), "/nothing": HANGUP}
    life = await app.live()

    assert [PROMPT_S + at] == [round(at, 1) for at in life.when("asks", label="redirect")]
    assert ["/answer", "/nothing", "/hangup"] == app.paths()


@pytest.mark.parametrize(("attributes", "attempts"), [("", 1), ('retries="3"', 3)])
async def test_retries_count_attempts(app: XmlApp, attributes: str, attempts: int) -> None:
    """The prompts are played once, or as often as there are attempts in all."""
    app.documents = {"/answer": asking(attributes, PROMPT), "/nothing": HANGUP}
    life = await app.live()

    assert attempts == len(life.when("hears", element="Speak"))
    assert [attempts * (PROMPT_S + 5)] == [
        round(at, 1) for at in life.when("asks", label="redirect")
    ]


async def test_a_key_in_the_second_attempt(app: XmlApp) -> None:
    """A later attempt takes keys like the first one."""
    app.documents = {"/answer": asking('retries="2"', PROMPT), "/keys": HANGUP}
    await app.live(keys("4#", 8))

    assert "4" == app.first("/keys")["Digits"]


async def test_the_first_key_stops_the_prompts(app: XmlApp) -> None:
    """After a key during a prompt nothing more is played, not even the beep."""
    prompts = PROMPT + PROMPT
    app.documents = {"/answer": asking('playBeep="true"', prompts), "/keys": HANGUP}
    life = await app.live(keys("12#", 1))

    assert ["Speak"] == [entry.data["element"] for entry in life.timeline.of("hears")]
    assert ("12", [1.6]) == (app.first("/keys")["Digits"], life.when("asks", label="action"))


@pytest.mark.parametrize(("attributes", "beeps"), [("", []), ('playBeep="true"', [2.5])])
async def test_the_beep_comes_after_the_prompts(
    app: XmlApp, attributes: str, beeps: list[float]
) -> None:
    """There is no beep by default; else it follows the last prompt."""
    prompts = f"{PROMPT}<Play>{app.url}/half.wav</Play>"
    app.sounds = {"/half.wav": wav(0.5)}
    app.documents = {"/answer": asking(attributes, prompts), "/nothing": HANGUP}
    life = await app.live()

    assert beeps == [round(at, 1) for at in life.when("hears", element="beep")]


@pytest.mark.parametrize(("reaches", "path"), [(True, "/keys"), (False, "/nothing")])
async def test_only_the_finishing_key(app: XmlApp, reaches: bool, path: str) -> None:
    """Whether the finishing key alone reaches the action, with no digits, is up to the profile."""
    app.documents = {"/answer": asking(), "/keys": HANGUP, "/nothing": HANGUP}
    await app.live(keys("#", 2), replace(NORMAL, empty_digits_reach_action=reaches))

    assert ["/answer", path, "/hangup"] == app.paths()
    assert [""] * reaches == [seen["Digits"] for seen in app.of("/keys")]


async def test_an_empty_parameter_may_be_left_out(app: XmlApp) -> None:
    """A platform may leave out empty parameters."""
    app.documents = {"/answer": asking(), "/keys": HANGUP}
    await app.live(keys("#", 2), replace(NORMAL, empty_parameters_omitted=True))

    assert "Digits" not in app.first("/keys").form


async def test_invalid_digits(app: XmlApp) -> None:
    """A key that is not valid uses up an attempt, after the sound for it; then all begins anew."""
    app.sounds = {"/no.wav": wav(3.0)}
    attributes = f'validDigits="12" retries="2" invalidDigitsSound="{app.url}/no.wav"'
    app.documents = {"/answer": asking(attributes, PROMPT), "/keys": HANGUP}
    life = await app.live([*keys("17#", 1), *keys("8", 3), *keys("12#", 6)])

    assert [1.6] == life.when("hears", element="Play")
    assert [0.0, 4.6] == life.when("hears", element="Speak")
    assert [3.0] == life.when("does", action="lost", keys="8")
    assert "12" == app.first("/keys")["Digits"]


async def test_invalid_digits_in_the_last_attempt(app: XmlApp) -> None:
    """When the attempts are used up, the next element runs; without a sound at once."""
    app.documents = {"/answer": asking('validDigits="12"'), "/nothing": HANGUP}
    life = await app.live(keys("7#", 1))

    assert ([1.3], []) == (life.when("asks", label="redirect"), app.of("/keys"))


@pytest.mark.parametrize(("whole", "paths"), [(True, []), (False, ["17"])])
async def test_how_much_is_validated(app: XmlApp, whole: bool, paths: list[str]) -> None:
    """Either every key must be valid or only the first one, by the profile."""
    app.documents = {"/answer": asking('validDigits="12"'), "/keys": HANGUP, "/nothing": HANGUP}
    await app.live(keys("17#", 1), replace(NORMAL, all_digits_validated=whole))

    assert paths == [seen["Digits"] for seen in app.of("/keys")]


async def test_by_default_every_key_is_valid(app: XmlApp) -> None:
    """Without validDigits all twelve keys can be typed."""
    app.documents = {"/answer": asking('finishOnKey="none" numDigits="12"'), "/keys": HANGUP}
    await app.live(keys("1234567890*#", 1))

    assert "1234567890*#" == app.first("/keys")["Digits"]


async def test_without_an_action_the_keys_are_lost(app: XmlApp) -> None:
    """Without an action the next element runs whatever was typed."""
    app.documents = {"/answer": "<GetDigits/><Redirect>{url}/next</Redirect>", "/next": HANGUP}
    life = await app.live(keys("12#", 1))

    assert [1.6] == life.when("asks", label="redirect")


async def test_redirect_false(app: XmlApp) -> None:
    """With redirect="false" the action is told, its answer is lost, and the next element runs."""
    app.documents = {"/answer": asking('redirect="false" method="GET"'), "/nothing": HANGUP}
    life = await app.live(keys("12#", 1))

    assert ("GET", "12") == (app.first("/keys").method, app.first("/keys")["Digits"])
    assert [1.6] == life.when("asks", label="redirect")
    assert "Event" not in app.first("/keys").form


async def test_actions_without_event(app: XmlApp) -> None:
    """Whether an action says Event=Redirect is up to the profile."""
    app.documents = {"/answer": asking(), "/keys": HANGUP}
    await app.live(keys("12#", 1), replace(NORMAL, event_on_actions=False))

    assert "Event" not in app.first("/keys").form


async def test_log_changes_nothing(app: XmlApp) -> None:
    """Keys that must not be logged at Plivo arrive all the same."""
    app.documents = {"/answer": asking('log="false"'), "/keys": HANGUP}
    await app.live(keys("12#", 1))

    assert "12" == app.first("/keys")["Digits"]


async def test_a_prompt_without_end_hides_the_others(app: XmlApp) -> None:
    """A prompt with loop="0" goes on until a key is pressed."""
    prompts = f'<Speak loop="0">Again</Speak>{PROMPT}'
    app.documents = {"/answer": asking("", prompts), "/keys": HANGUP}
    life = await app.live(keys("1#", 1000))

    assert [0.0] == life.when("hears", element="Speak")
    assert [1000.3] == life.when("asks", label="action")


@pytest.mark.parametrize("leaving", ["hangup", "transfer"])
async def test_keys_of_an_element_that_was_broken_off(app: XmlApp, leaving: str) -> None:
    """Neither hangup nor transfer submits what was typed so far, under any profile."""
    event: Input = HungUp() if leaving == "hangup" else Transferred(f"{app.url}/new")
    app.documents = {"/answer": asking(), "/new": HANGUP}
    for profile in (NORMAL, HOSTILE):
        await app.live([*keys("12", 1), (2, event)], profile)

    assert [] == app.of("/keys")


async def test_what_it_listens_for(app: XmlApp) -> None:
    """Keys are accepted from the first prompt of each attempt on, and not while it says no."""
    app.documents = {"/answer": asking('retries="2" validDigits="1"', PROMPT), "/nothing": HANGUP}
    life = await app.live(keys("7#", 1))

    assert [0.0, 1.3] == life.when("listens", element="GetDigits")
    assert frozenset() == life.line.listening
