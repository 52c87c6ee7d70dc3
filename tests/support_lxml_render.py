"""The documents of `mappings._plivo.render`, made anew as trees by lxml: the measure of its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from lxml import etree

from mappings._plivo.verbs import (
    DTMF,
    Conference,
    Dial,
    GetDigits,
    GetInput,
    Hangup,
    Next,
    Notice,
    Play,
    Record,
    Redirect,
    Sound,
    Sounds,
    Speak,
    Verb,
    Wait,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mappings._plivo.render import Addresses

__all__ = ["lxml_render", "lxml_render_sounds", "without_what_no_xml_holds"]

_WAY_BACK: Final = Next("next")
_DIGITS: Final = Next("digits")


def without_what_no_xml_holds(text: str) -> str:
    """Drop every character that lxml refuses, found by asking it."""
    return "".join(character for character in text if _is_taken(character))


def _is_taken(character: str) -> bool:
    try:
        etree.Element("x").text = character
    except ValueError:
        return False
    return True


def lxml_render(verbs: Sequence[Verb], addresses: Addresses) -> bytes:
    """Render a document as `render` does."""
    root = etree.Element("Response")
    for verb in verbs:
        _append(root, verb, addresses)
    if not verbs or not isinstance(verbs[-1], Hangup | Redirect):
        etree.SubElement(root, "Redirect").text = addresses.next(_WAY_BACK)
    return _serialised(root)


def lxml_render_sounds(sounds: Sounds, addresses: Addresses) -> bytes:
    """Render a document of sounds as `render_sounds` does."""
    root = etree.Element("Response")
    for verb in sounds.verbs:
        _append(root, verb, addresses)
    return _serialised(root)


def _serialised(root: etree._Element) -> bytes:
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _append(root: etree._Element, verb: Verb, at: Addresses) -> None:  # noqa: C901 - one case per verb
    match verb:
        case GetDigits():
            element = etree.SubElement(root, "GetDigits")
            attribute = element.set
            attribute("action", at.next(_DIGITS))
            attribute("timeout", str(verb.timeout))
            attribute("digitTimeout", str(verb.digit_timeout))
            attribute("numDigits", str(verb.num_digits))
            attribute("finishOnKey", verb.finish_on_key)
            attribute("retries", "1")
            if not verb.log:
                element.set("log", "false")
            for prompt in verb.prompts:
                _sound(element, prompt, at)
        case Speak() | Play():
            _sound(root, verb, at)
        case Redirect():
            element = etree.SubElement(root, "Redirect")
            element.text = at.next(verb.url) if isinstance(verb.url, Next) else verb.url
        case Wait():
            element = etree.SubElement(root, "Wait", length=str(verb.length))
            if verb.silence:
                element.set("silence", "true")
            if verb.min_silence is not None:
                element.set("minSilence", str(verb.min_silence))
        case Hangup():
            element = etree.SubElement(root, "Hangup")
            if verb.reason is not None:
                element.set("reason", verb.reason)
        case DTMF():
            etree.SubElement(root, "DTMF", {"async": "false"}).text = verb.digits
        case GetInput():
            element = etree.SubElement(
                root,
                "GetInput",
                action=at.next(Next("speech")),
                inputType="speech",
                executionTimeout=str(verb.execution_timeout),
                language=verb.language,
            )
            for prompt in verb.prompts:
                _sound(element, prompt, at)
        case Record():
            _record(root, verb, at)
        case Dial():
            _dial(root, verb, at)
        case Conference():
            _conference(root, verb, at)
        case _:
            assert_never(verb)


def _sound(parent: etree._Element, sound: Sound, at: Addresses) -> None:
    if isinstance(sound, Speak):
        element = etree.SubElement(parent, "Speak")
        element.set("voice", sound.voice)
        element.set("language", sound.language)
        element.text = sound.text
    else:
        element = etree.SubElement(parent, "Play")
        element.text = at.audio(sound.url)
    if sound.loop != 1:
        element.set("loop", str(sound.loop))


def _record(root: etree._Element, verb: Record, at: Addresses) -> None:
    element = etree.SubElement(
        root,
        "Record",
        action=at.next(Next("recording")),
        callbackUrl=at.notice(Notice("call_recording" if verb.record_session else "recording")),
        maxLength=str(verb.max_length),
    )
    if verb.timeout is not None:
        element.set("timeout", str(verb.timeout))
    if verb.finish_on_key is not None:
        element.set("finishOnKey", verb.finish_on_key)
    if verb.play_beep is not None:
        element.set("playBeep", _bool(verb.play_beep))
    if verb.record_session:
        element.set("recordSession", "true")
        element.set("recordChannelType", "stereo" if verb.stereo else "mono")
    if verb.transcribe:
        element.set("transcriptionType", "auto")
        element.set("transcriptionUrl", at.notice(Notice("transcript")))


def _dial(root: etree._Element, verb: Dial, at: Addresses) -> None:
    music = verb.dial_music
    element = etree.SubElement(
        root,
        "Dial",
        action=at.next(Next("dial")),
        callbackUrl=at.notice(Notice("dial")),
        timeout=str(verb.timeout),
        timeLimit=str(verb.time_limit),
        dialMusic=music if isinstance(music, str) else at.sounds(music),
    )
    if verb.caller_id is not None:
        element.set("callerId", verb.caller_id)
    if verb.confirm_sound is not None:
        element.set("confirmSound", at.sounds(verb.confirm_sound))
    etree.SubElement(element, "Number").text = verb.number


def _conference(root: etree._Element, verb: Conference, at: Addresses) -> None:
    element = etree.SubElement(
        root,
        "Conference",
        action=at.next(Next("conference")),
        callbackUrl=at.notice(Notice("room_autoleave" if verb.leave_when_alone else "room")),
        hangupOnStar="true",
        stayAlone=_bool(verb.stay_alone),
        maxMembers=str(verb.max_members),
        timeLimit=str(verb.time_limit),
    )
    for attribute, sounds in (("enterSound", verb.enter_sound), ("exitSound", verb.exit_sound)):
        if sounds is not None:
            # Plivo lists no retry options for these two URLs (its callback configuration page).
            element.set(attribute, at.sounds(sounds).partition("#")[0])
    if verb.wait_sound is not None:
        element.set("waitSound", at.sounds(verb.wait_sound))
    element.text = verb.room
