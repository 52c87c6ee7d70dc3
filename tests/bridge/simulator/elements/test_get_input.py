"""GetInput, attribute by attribute: keys, speech, and whichever comes first."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support_plivo import HANGUP, XmlApp, keys, says

from bridge.simulator.inputs import HungUp, Input, Talks, Transferred
from bridge.simulator.profile import NORMAL

#: A prompt of 30 characters, which takes 2 s.
PROMPT = "<Speak>123456789 123456789 1234567890</Speak>"
RESULT = ("InputType", "Digits", "Speech", "SpeechConfidenceScore", "BilledAmount")

Script = list[tuple[float, Input]]


def listening(kind: str, attributes: str = "", prompts: str = "") -> str:
    """Write a GetInput after which nothing was heard."""
    return (
        f'<GetInput action="{{url}}/heard" inputType="{kind}" {attributes}>{prompts}</GetInput>'
        "<Redirect>{url}/nothing</Redirect>"
    )


def result(app: XmlApp) -> tuple[str, ...]:
    """Give what the action heard."""
    return tuple(app.first("/heard")[name] for name in RESULT)


@pytest.mark.parametrize(
    ("attributes", "script", "digits", "at"),
    [
        ("", keys("12#", 1), "12", 1.6),
        ("", keys("12", 1), "12", 1.3 + 2),
        ('digitEndTimeout="auto"', keys("12", 1), "12", 1.3 + 2),
        ('digitEndTimeout="5"', keys("12", 1), "12", 1.3 + 5),
        ('numDigits="1"', keys("12", 1), "1", 1.0),
        ('finishOnKey="*"', keys("1#*", 1), "1#", 1.6),
        ('finishOnKey="none"', keys("1#*", 1), "1#*", 1.6 + 2),
        ('finishOnKey=""', keys("1#*", 1), "1#*", 1.6 + 2),
        ('executionTimeout="5" digitEndTimeout="10"', keys("12", 1), "12", 5.0),
        (
            "",
            keys("123456789012345678901234567890123", 1),
            "12345678901234567890123456789012",
            10.3,
        ),
    ],
)
async def test_keys(app: XmlApp, attributes: str, script: Script, digits: str, at: float) -> None:
    """Keys end with finishOnKey, numDigits (32), silence (auto), or the time in all; they are free."""
    app.documents = {"/answer": listening("dtmf", attributes), "/heard": HANGUP}
    life = await app.live(script)

    assert ("dtmf", digits, "", "", "0.00") == result(app)
    assert [at] == life.when("asks", label="action")


@pytest.mark.parametrize(("reaches", "path"), [(True, "/heard"), (False, "/nothing")])
async def test_only_the_finishing_key(app: XmlApp, reaches: bool, path: str) -> None:
    """Whether the finishing key alone counts as input is up to the profile."""
    app.documents = {"/answer": listening("dtmf"), "/heard": HANGUP, "/nothing": HANGUP}
    await app.live(keys("#", 2), replace(NORMAL, empty_digits_reach_action=reaches))

    assert ["/answer", path, "/hangup"] == app.paths()


@pytest.mark.parametrize(
    ("attributes", "at"), [("", 15.0), ('executionTimeout="5"', 5.0), ('executionTimeout="60"', 60)]
)
@pytest.mark.parametrize("kind", ["dtmf", "speech", "dtmf speech"])
async def test_no_input(app: XmlApp, kind: str, attributes: str, at: float) -> None:
    """Without input the next element runs, 15 s after the prompts or as the document says."""
    app.documents = {"/answer": listening(kind, attributes, PROMPT), "/nothing": HANGUP}
    life = await app.live()

    assert [2.0 + at] == life.when("asks", label="redirect")
    assert [] == app.of("/heard")


@pytest.mark.parametrize(
    ("attributes", "script", "speech", "at"),
    [
        ("", [says("yes please", 1, 2)], "yes please", 3 + 2),
        ('speechEndTimeout="auto"', [says("yes", 1, 2)], "yes", 3 + 2),
        ('speechEndTimeout="6"', [says("yes", 1, 2)], "yes", 3 + 6),
        ("", [says("yes", 1, 2), says("please", 4, 1)], "yes please", 5 + 2),
        ("", [says("yes", 1, 2), says("please", 6, 1)], "yes", 3 + 2),
        ("", [says("yes", 1, 2), (2, Talks(4))], "yes", 6 + 2),
        ('executionTimeout="5"', [says("yes", 1, 30)], "yes", 5),
    ],
)
async def test_speech(app: XmlApp, attributes: str, script: Script, speech: str, at: float) -> None:
    """Speech ends with silence of 2 s or as the document says; pauses shorter than that do not."""
    app.documents = {"/answer": listening("speech", attributes), "/heard": HANGUP}
    life = await app.live(script)

    assert ("speech", "", speech, "0.95", "0.02") == result(app)
    assert [at] == life.when("asks", label="action")


async def test_the_least_confidence_counts(app: XmlApp) -> None:
    """The score of several utterances is the least of theirs."""
    app.documents = {"/answer": listening("speech"), "/heard": HANGUP}
    await app.live([(1, Talks(1, "one", 0.9)), (2.5, Talks(1, "two", 0.4))])

    assert ("one two", "0.4") == result(app)[2:4]


@pytest.mark.parametrize(("seconds", "amount"), [(12.9, "0.02"), (13.1, "0.04"), (28.1, "0.06")])
async def test_recognition_is_billed_by_15_seconds(
    app: XmlApp, seconds: float, amount: str
) -> None:
    """Each started 15 s of listening for speech cost 0.02 USD."""
    app.documents = {
        "/answer": listening("dtmf speech", 'executionTimeout="60"'),
        "/heard": HANGUP,
    }
    await app.live([says("yes", seconds - 1)])

    assert amount == result(app)[-1]


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ([*keys("12#", 1), says("yes", 1.1)], "dtmf"),
        ([says("yes", 1), *keys("12#", 1.5)], "speech"),
    ],
)
async def test_the_first_input_wins(app: XmlApp, script: Script, kind: str) -> None:
    """With "dtmf speech" whatever comes first decides, and the other kind is not heard."""
    app.documents = {"/answer": listening("dtmf speech"), "/heard": HANGUP}
    await app.live(script)

    expected = ("dtmf", "12", "") if kind == "dtmf" else ("speech", "", "yes")
    assert expected == result(app)[:3]


@pytest.mark.parametrize(
    ("kind", "script"),
    [("dtmf", [says("yes", 1)]), ("speech", keys("12#", 1)), ("dtmf", [(1, Talks(3))])],
)
async def test_the_wrong_kind_of_input_is_ignored(app: XmlApp, kind: str, script: Script) -> None:
    """Speech is nothing to a dtmf input, keys are nothing to a speech input."""
    app.documents = {"/answer": listening(kind), "/nothing": HANGUP}
    life = await app.live(script)

    assert [15.0] == life.when("asks", label="redirect")


@pytest.mark.parametrize("script", [keys("1#", 1), [says("yes", 1)]])
async def test_input_interrupts_the_prompts(app: XmlApp, script: Script) -> None:
    """The first key or word stops the prompts."""
    prompts = PROMPT + "<Play>https://elsewhere.example/a.mp3</Play>"
    app.documents = {"/answer": listening("dtmf speech", "", prompts), "/heard": HANGUP}
    life = await app.live(script)

    assert ["Speak"] == [entry.data["element"] for entry in life.timeline.of("hears")]
    assert 1 == len(app.of("/heard"))


@pytest.mark.parametrize(("reaches", "path"), [(False, "/nothing"), (True, "/heard")])
async def test_noise(app: XmlApp, reaches: bool, path: str) -> None:
    """Sound that is no speech is ignored, or makes an empty result, by the profile."""
    app.documents = {"/answer": listening("speech"), "/heard": HANGUP, "/nothing": HANGUP}
    await app.live([(1, Talks(3))], replace(NORMAL, noise_reaches_action=reaches))

    assert ["/answer", path, "/hangup"] == app.paths()
    for heard in app.of("/heard"):
        assert ("speech", "", "0.0") == (
            heard["InputType"],
            heard["Speech"],
            heard["SpeechConfidenceScore"],
        )


async def test_interim_results(app: XmlApp) -> None:
    """While somebody speaks, what was understood so far is told, numbered in order."""
    app.documents = {
        "/answer": listening("speech", 'interimSpeechResultsCallback="{url}/so-far"'),
        "/heard": HANGUP,
    }
    life = await app.live([says("I want a pizza", 1, 2), says("and beer", 4, 2)])

    names = ("StableSpeech", "UnstableSpeech", "Stability", "SequenceNumber")
    assert [
        ("", "I want", "0.475", "0"),
        ("I want a pizza", "", "0", "1"),
        ("I want a pizza", "and", "0.475", "2"),
        ("I want a pizza and beer", "", "0", "3"),
    ] == [tuple(seen[name] for name in names) for seen in app.of("/so-far")]
    assert [2.05, 3.05, 5.05, 6.05] == [round(at, 2) for at in life.when("tells", name="interim")]
    assert "POST" == app.first("/so-far").method


async def test_interim_results_end_with_the_call(app: XmlApp) -> None:
    """After a hangup nothing is told of what was said, and the action is not asked."""
    app.documents = {
        "/answer": listening(
            "speech",
            'interimSpeechResultsCallback="{url}/so-far" interimSpeechResultsCallbackMethod="GET"',
        ),
    }
    await app.live([says("I want a pizza", 1, 4), (4, HungUp())])

    assert ["GET"] == [seen.method for seen in app.of("/so-far")]
    assert [] == app.of("/heard")


@pytest.mark.parametrize(
    ("attributes", "speech"), [("", "damn Good"), ('profanityFilter="true"', "d*** Good")]
)
async def test_profanity(app: XmlApp, attributes: str, speech: str) -> None:
    """Profane words keep their first letter only, if the document wants that."""
    app.documents = {"/answer": listening("speech", attributes), "/heard": HANGUP}
    await app.live([says("damn Good", 1)])

    assert speech == app.first("/heard")["Speech"]


async def test_method_and_redirect(app: XmlApp) -> None:
    """With redirect="false" the action is told by its method, and the next element runs at once."""
    app.documents = {"/answer": listening("dtmf", 'method="GET" redirect="false"'), "/nothing": ""}
    life = await app.live(keys("7#", 1))

    assert ("GET", "7") == (app.first("/heard").method, app.first("/heard")["Digits"])
    assert [1.3] == life.when("asks", label="redirect")


async def test_attributes_of_recognition_change_nothing(app: XmlApp) -> None:
    """Model, hints, language and log are taken and have no effect here."""
    attributes = 'speechModel="phone_call" hints="yes,no" language="fr-FR" log="false"'
    app.documents = {"/answer": listening("speech", attributes), "/heard": HANGUP}
    await app.live([says("oui", 1)])

    assert "oui" == app.first("/heard")["Speech"]


async def test_what_it_listens_for(app: XmlApp) -> None:
    """The timeline says which kinds of input are accepted."""
    app.documents = {
        "/answer": "".join(
            f'<GetInput action="{{url}}/heard" inputType="{kind}" executionTimeout="5"/>'
            for kind in ("dtmf", "speech", "dtmf speech")
        )
    }
    life = await app.live()

    assert [["keys"], ["speech"], ["keys", "speech"]] == [
        entry.data["accepts"] for entry in life.timeline.of("listens")
    ]


@pytest.mark.parametrize("leaving", ["hangup", "transfer"])
async def test_an_input_that_is_broken_off_is_not_submitted(app: XmlApp, leaving: str) -> None:
    """Neither hangup nor transfer submits what was typed so far."""
    app.documents = {"/answer": listening("dtmf"), "/new": HANGUP}
    event: Input = HungUp() if leaving == "hangup" else Transferred(f"{app.url}/new")
    await app.live([*keys("12", 1), (2, event)])

    assert [] == app.of("/heard")
