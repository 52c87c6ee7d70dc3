"""Verbs become Plivo XML in one place; each attribute is written as the XML reference spells it."""

from __future__ import annotations

from random import Random

import pytest
from fuzz import hostile
from fuzz.trees import Trees
from lxml import etree
from playbook import Document
from playbook_expectations import Addresses
from support_lxml_render import lxml_render, lxml_render_sounds, without_what_no_xml_holds
from support_sdk_nesting import sdk_accepts

from bridge.plivo.schema import ends_safely, problems
from mappings._plivo.render import render, render_sounds
from mappings._plivo.verbs import (
    DTMF,
    UNANSWERING,
    Asset,
    Conference,
    Dial,
    GetDigits,
    GetInput,
    Hangup,
    HostedAudio,
    HostedRecording,
    Play,
    Record,
    Redirect,
    Sounds,
    Speak,
    Verb,
    Wait,
)

HELLO = Speak("Hello", "MAN", "en-GB")
CASES: list[tuple[Verb, str]] = [
    (HELLO, '<Speak voice="MAN" language="en-GB">Hello</Speak>'),
    (
        Speak("a < b & c", "WOMAN", "fr-FR", loop=0),
        '<Speak voice="WOMAN" language="fr-FR" loop="0">a &lt; b &amp; c</Speak>',
    ),
    (Play("https://media.test/1.mp3"), "<Play>https://media.test/1.mp3</Play>"),
    (
        Play("https://media.test/1.mp3?a=1&b=2", loop=3),
        '<Play loop="3">https://media.test/1.mp3?a=1&amp;b=2</Play>',
    ),
    (Play(Asset("silence")), "<Play>https://bridge.test/asset/silence.wav</Play>"),
    (Play(HostedAudio.of(b"RIFF")), "<Play>https://bridge.test/wav/1</Play>"),
    (Play(HostedRecording("m7")), "<Play>https://bridge.test/recording/m7</Play>"),
    (Wait(5), '<Wait length="5"/>'),
    (
        Wait(5, silence=True, min_silence=800),
        '<Wait length="5" silence="true" minSilence="800"/>',
    ),
    (
        GetDigits((), 5, 2, 4),
        (
            '<GetDigits action="https://bridge.test/next/digits" timeout="5" digitTimeout="2"'
            ' numDigits="4" finishOnKey="#" retries="1"/>'
        ),
    ),
    (
        GetDigits((HELLO, Play(Asset("silence"))), 1, 1, 99, finish_on_key="none", log=False),
        (
            '<GetDigits action="https://bridge.test/next/digits" timeout="1" digitTimeout="1"'
            ' numDigits="99" finishOnKey="none" retries="1" log="false">'
            '<Speak voice="MAN" language="en-GB">Hello</Speak>'
            "<Play>https://bridge.test/asset/silence.wav</Play></GetDigits>"
        ),
    ),
    (
        GetInput((HELLO,), 5, "en-GB"),
        (
            '<GetInput action="https://bridge.test/next/speech" inputType="speech"'
            ' executionTimeout="5" language="en-GB">'
            '<Speak voice="MAN" language="en-GB">Hello</Speak></GetInput>'
        ),
    ),
    (
        Record(60),
        (
            '<Record action="https://bridge.test/next/recording"'
            ' callbackUrl="https://bridge.test/notice/recording" maxLength="60"/>'
        ),
    ),
    (
        Record(60, timeout=5, finish_on_key="#", play_beep=False),
        (
            '<Record action="https://bridge.test/next/recording"'
            ' callbackUrl="https://bridge.test/notice/recording" maxLength="60" timeout="5"'
            ' finishOnKey="#" playBeep="false"/>'
        ),
    ),
    (
        Record(86_400, record_session=True, transcribe=True),
        (
            '<Record action="https://bridge.test/next/recording"'
            ' callbackUrl="https://bridge.test/notice/call_recording" maxLength="86400"'
            ' recordSession="true" recordChannelType="stereo" transcriptionType="auto"'
            ' transcriptionUrl="https://bridge.test/notice/transcript"/>'
        ),
    ),
    (
        Record(60, transcribe=True),
        (
            '<Record action="https://bridge.test/next/recording"'
            ' callbackUrl="https://bridge.test/notice/recording" maxLength="60"'
            ' transcriptionType="auto" transcriptionUrl="https://bridge.test/notice/transcript"/>'
        ),
    ),
    (
        Record(86_400, record_session=True, stereo=False),
        (
            '<Record action="https://bridge.test/next/recording"'
            ' callbackUrl="https://bridge.test/notice/call_recording" maxLength="86400"'
            ' recordSession="true" recordChannelType="mono"/>'
        ),
    ),
    (
        Dial("33612345678", 30, None),
        (
            '<Dial action="https://bridge.test/next/dial" callbackUrl="https://bridge.test/notice/dial"'
            ' timeout="30" timeLimit="14400" dialMusic="real"><Number>33612345678</Number></Dial>'
        ),
    ),
    (
        Dial(
            "33612345678",
            5,
            "33187654321",
            confirm_sound=Sounds((HELLO,)),
            dial_music=Sounds((Play(Asset("music")),)),
            time_limit=60,
        ),
        (
            '<Dial action="https://bridge.test/next/dial" callbackUrl="https://bridge.test/notice/dial"'
            ' timeout="5" timeLimit="60" dialMusic="https://bridge.test/sounds/1"'
            ' callerId="33187654321" confirmSound="https://bridge.test/sounds/2">'
            "<Number>33612345678</Number></Dial>"
        ),
    ),
    (
        Conference("rt1"),
        (
            '<Conference action="https://bridge.test/next/conference"'
            ' callbackUrl="https://bridge.test/notice/room" hangupOnStar="true" stayAlone="true"'
            ' maxMembers="20" timeLimit="86400">rt1</Conference>'
        ),
    ),
    (
        Conference(
            "rt1",
            enter_sound=Sounds((HELLO,)),
            exit_sound=Sounds((HELLO,)),
            wait_sound=Sounds((HELLO, Wait(2))),
            stay_alone=False,
            max_members=2,
            time_limit=60,
            leave_when_alone=True,
        ),
        (
            '<Conference action="https://bridge.test/next/conference"'
            ' callbackUrl="https://bridge.test/notice/room_autoleave" hangupOnStar="true"'
            ' stayAlone="false" maxMembers="2" timeLimit="60"'
            ' enterSound="https://bridge.test/sounds/1" exitSound="https://bridge.test/sounds/2"'
            ' waitSound="https://bridge.test/sounds/3">rt1</Conference>'
        ),
    ),
    (DTMF("1w2W#*"), '<DTMF async="false">1w2W#*</DTMF>'),
]


@pytest.mark.parametrize(("verb", "xml"), CASES)
def test_verb_is_written_as_its_element(verb: Verb, xml: str) -> None:
    """Every field reaches its attribute, absent ones are left out, and the way back follows."""
    expected = Document(
        f"<Response>{xml}<Redirect>https://bridge.test/next/next</Redirect></Response>"
    )

    assert expected.lines() == Document(render((verb,), Addresses())).lines()


@pytest.mark.parametrize(
    ("verb", "xml"),
    [
        (Hangup(), "<Hangup/>"),
        (Hangup("busy"), '<Hangup reason="busy"/>'),
        (Hangup("rejected"), '<Hangup reason="rejected"/>'),
        (Redirect("https://app.test/plivo"), "<Redirect>https://app.test/plivo</Redirect>"),
    ],
)
def test_document_that_ends_by_itself_has_no_way_back(verb: Verb, xml: str) -> None:
    """Nothing after Hangup or Redirect would be reached."""
    expected = Document(
        f'<Response><Speak voice="MAN" language="en-GB">Hello</Speak>{xml}</Response>'
    )

    assert expected.lines() == Document(render((HELLO, verb), Addresses())).lines()


def test_every_verb_has_a_case() -> None:
    """A verb added to the vocabulary is added here."""
    tried = {type(verb) for verb, _ in CASES} | {Hangup, Redirect}

    assert set(Verb.__args__) == tried


@pytest.mark.parametrize("verb", [*(verb for verb, _ in CASES), Hangup(), Hangup("busy")])
def test_every_document_is_one_plivo_takes(verb: Verb) -> None:
    """Grammar, nesting as the official SDK has it, and a safe end."""
    xml = render((verb,), Addresses())

    assert ([], [], True) == (problems(xml), sdk_accepts(xml), ends_safely(xml))


def test_document_without_verbs_comes_back() -> None:
    """Nothing to do is a Redirect, never an empty document."""
    expected = Document("<Response><Redirect>https://bridge.test/next/next</Redirect></Response>")

    assert expected.lines() == Document(render((), Addresses())).lines()


def test_document_is_utf_8_with_its_declaration() -> None:
    """Text of any script is carried as UTF-8 and says so."""
    xml = render((Speak("étoile ☆", "WOMAN", "fr-FR"),), Addresses())

    assert xml.startswith(b"<?xml version='1.0' encoding='UTF-8'?>")
    assert "étoile ☆".encode() in xml


def test_markup_in_texts_stays_text() -> None:
    """An app cannot smuggle elements into a document."""
    xml = render((Speak("</Speak><Hangup/>", "MAN", "en-GB"),), Addresses())

    assert ["Speak", "Redirect"] == [str(child.tag) for child in etree.fromstring(xml)]


def test_sounds_are_a_document_without_a_way_back() -> None:
    """Hosted sounds hold Speak, Play and Wait and nothing else."""
    xml = render_sounds(Sounds((HELLO, Play(Asset("music"), loop=0), Wait(3))), Addresses())

    expected = Document("""
        <Response>
          <Speak voice="MAN" language="en-GB">Hello</Speak>
          <Play loop="0">https://bridge.test/asset/music.wav</Play>
          <Wait length="3"/>
        </Response>
    """)
    assert expected.lines() == Document(xml).lines()
    assert [] == problems(xml, kind="sounds")


def test_verbs_that_leave_a_call_ringing_are_known() -> None:
    """Only these do not answer an inbound call."""
    assert {Wait, Hangup, Redirect, Dial} == set(UNANSWERING)


@pytest.mark.parametrize("seed", range(5))
def test_documents_are_those_of_lxml_byte_for_byte(seed: int) -> None:
    """Whatever the texts hold, a thousand random documents are written as an XML library does."""
    # Of what XML can hold: what it cannot is refused by lxml, and dropped by the bridge.
    trees = Trees(Random(seed), without_what_no_xml_holds(hostile.CHARACTERS))
    for _ in range(1000):
        verbs, sounds = trees.verbs(), trees.sounds()

        assert lxml_render(verbs, Addresses()) == render(verbs, Addresses())
        assert lxml_render_sounds(sounds, Addresses()) == render_sounds(sounds, Addresses())


def test_only_what_no_xml_can_hold_is_dropped() -> None:
    """Of all code points exactly those go that lxml refuses, from contents and attributes alike."""
    for start in range(0, 0x110000, 0x1000):
        text = "".join(map(chr, range(start, start + 0x1000)))
        clean = without_what_no_xml_holds(text)

        xml = render((Speak(text, text, "en-GB"),), Addresses())

        assert lxml_render((Speak(clean, clean, "en-GB"),), Addresses()) == xml
