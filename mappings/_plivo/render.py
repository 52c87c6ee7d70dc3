"""The one place where verbs become Plivo XML.

A document is a `Response` of verbs that ends by redirecting back to the bridge, or hangs up.
It is written as text: building a tree first costs several times as much, on the path of every
webhook. Everything that is not a number or a literal of this module goes through `_text` or
`_quoted`, so that no value can become markup; the tests compare the bytes with those of lxml.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Protocol, assert_never

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

    from mappings._plivo.verbs import AudioUrl


_WAY_BACK: Final = Next("next")
_DIGITS: Final = Next("digits")
#: After these nothing is ever reached.
_ENDINGS: Final = frozenset({Hangup, Redirect})
_OPENING: Final = "<?xml version='1.0' encoding='UTF-8'?>\n<Response>"
#: What no XML document can hold (XML 1.0, production Char), not even as a reference.
_NO_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class Addresses(Protocol):
    """Where the symbolic URLs of one document live (absolute, with retry fragments)."""

    def next(self, target: Next) -> str:
        """Address of the continuation."""

    def notice(self, target: Notice) -> str:
        """Address of a notification."""

    def audio(self, target: AudioUrl) -> str:
        """Address of an audio file."""

    def sounds(self, target: Sounds) -> str:
        """Address of a hosted document of sounds."""


def render(verbs: Sequence[Verb], addresses: Addresses) -> bytes:
    """Render a document, adding the way back to the bridge unless it ends by itself.

    The result is UTF-8 with an XML declaration. Nothing after a Hangup or Redirect is ever reached
    (Plivo XML reference, Redirect), so such a verb must be the last. Characters that no XML can
    hold are dropped.
    """
    parts = [_OPENING]
    parts += [_element(verb, addresses) for verb in verbs]
    if not verbs or type(verbs[-1]) not in _ENDINGS:
        parts.append(f"<Redirect>{_text(addresses.next(_WAY_BACK))}</Redirect>")
    parts.append("</Response>")
    return "".join(parts).encode()


def render_sounds(sounds: Sounds, addresses: Addresses) -> bytes:
    """Render a document of sounds: Plivo allows Play, Speak and Wait in it, nothing else."""
    parts = [_element(verb, addresses) for verb in sounds.verbs]
    return f"{_OPENING}{''.join(parts)}</Response>".encode()


def _text(text: str) -> str:
    """Write the content of an element."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if text.isprintable():
        return text
    # A parser would read a bare carriage return as a line feed.
    return _NO_XML.sub("", text).replace("\r", "&#13;")


def _quoted(text: str) -> str:
    """Write the value of an attribute, to stand between double quotes."""
    text = _text(text).replace('"', "&quot;")
    if text.isprintable():
        return text
    # A parser would read bare white space as blanks.
    return text.replace("\n", "&#10;").replace("\t", "&#9;")


def _bool(value: bool) -> str:  # noqa: FBT001 - the value rendered, not a switch
    return "true" if value else "false"


def _whole(name: str, attributes: str, content: str) -> str:
    """Write an element of which nobody knows whether it has content."""
    return f"<{name}{attributes}>{content}</{name}>" if content else f"<{name}{attributes}/>"


def _element(verb: Verb, at: Addresses) -> str:  # noqa: C901 - one case per verb
    match verb:
        case GetDigits():
            return _get_digits(verb, at)
        case Speak() | Play():
            return _sound(verb, at)
        case Redirect():
            url = at.next(verb.url) if isinstance(verb.url, Next) else verb.url
            return f"<Redirect>{_text(url)}</Redirect>"
        case Wait():
            silence = ' silence="true"' if verb.silence else ""
            shortest = "" if verb.min_silence is None else f' minSilence="{verb.min_silence}"'
            return f'<Wait length="{verb.length}"{silence}{shortest}/>'
        case Hangup():
            return "<Hangup/>" if verb.reason is None else f'<Hangup reason="{verb.reason}"/>'
        case DTMF():
            return f'<DTMF async="false">{_text(verb.digits)}</DTMF>'
        case GetInput():
            return _get_input(verb, at)
        case Record():
            return _record(verb, at)
        case Dial():
            return _dial(verb, at)
        case Conference():
            return _conference(verb, at)
        case _:
            assert_never(verb)


def _get_digits(verb: GetDigits, at: Addresses) -> str:
    log = "" if verb.log else ' log="false"'
    attributes = (
        f' action="{_quoted(at.next(_DIGITS))}" timeout="{verb.timeout}"'
        f' digitTimeout="{verb.digit_timeout}" numDigits="{verb.num_digits}"'
        f' finishOnKey="{_quoted(verb.finish_on_key)}" retries="1"{log}'
    )
    return _whole("GetDigits", attributes, "".join([_sound(p, at) for p in verb.prompts]))


def _get_input(verb: GetInput, at: Addresses) -> str:
    attributes = (
        f' action="{_quoted(at.next(Next("speech")))}" inputType="speech"'
        f' executionTimeout="{verb.execution_timeout}" language="{_quoted(verb.language)}"'
    )
    return _whole("GetInput", attributes, "".join([_sound(p, at) for p in verb.prompts]))


def _sound(sound: Sound, at: Addresses) -> str:
    loop = "" if sound.loop == 1 else f' loop="{sound.loop}"'
    if isinstance(sound, Speak):
        return (
            f'<Speak voice="{_quoted(sound.voice)}" language="{_quoted(sound.language)}"{loop}>'
            f"{_text(sound.text)}</Speak>"
        )
    return f"<Play{loop}>{_text(at.audio(sound.url))}</Play>"


def _record(verb: Record, at: Addresses) -> str:
    # The file of a whole call is nothing that the open command waits for.
    notice = Notice("call_recording" if verb.record_session else "recording")
    head = (
        f'<Record action="{_quoted(at.next(Next("recording")))}"'
        f' callbackUrl="{_quoted(at.notice(notice))}" maxLength="{verb.max_length}"'
    )
    parts = [head]
    if verb.timeout is not None:
        parts.append(f' timeout="{verb.timeout}"')
    if verb.finish_on_key is not None:
        parts.append(f' finishOnKey="{_quoted(verb.finish_on_key)}"')
    if verb.play_beep is not None:
        parts.append(f' playBeep="{_bool(verb.play_beep)}"')
    if verb.record_session:
        channels = "stereo" if verb.stereo else "mono"
        parts.append(f' recordSession="true" recordChannelType="{channels}"')
    if verb.transcribe:
        url = _quoted(at.notice(Notice("transcript")))
        parts.append(f' transcriptionType="auto" transcriptionUrl="{url}"')
    return "".join([*parts, "/>"])


def _dial(verb: Dial, at: Addresses) -> str:
    music = verb.dial_music
    head = (
        f'<Dial action="{_quoted(at.next(Next("dial")))}"'
        f' callbackUrl="{_quoted(at.notice(Notice("dial")))}" timeout="{verb.timeout}"'
        f' timeLimit="{verb.time_limit}"'
        f' dialMusic="{_quoted(music if isinstance(music, str) else at.sounds(music))}"'
    )
    parts = [head]
    if verb.caller_id is not None:
        parts.append(f' callerId="{_quoted(verb.caller_id)}"')
    if verb.confirm_sound is not None:
        parts.append(f' confirmSound="{_quoted(at.sounds(verb.confirm_sound))}"')
    return "".join([*parts, f"><Number>{_text(verb.number)}</Number></Dial>"])


def _conference(verb: Conference, at: Addresses) -> str:
    notice = Notice("room_autoleave" if verb.leave_when_alone else "room")
    head = (
        f'<Conference action="{_quoted(at.next(Next("conference")))}"'
        f' callbackUrl="{_quoted(at.notice(notice))}" hangupOnStar="true"'
        f' stayAlone="{_bool(verb.stay_alone)}" maxMembers="{verb.max_members}"'
        f' timeLimit="{verb.time_limit}"'
    )
    parts = [head]
    for attribute, sounds in (("enterSound", verb.enter_sound), ("exitSound", verb.exit_sound)):
        if sounds is not None:
            # Plivo lists no retry options for these two URLs (its callback configuration page).
            url = at.sounds(sounds).partition("#")[0]
            parts.append(f' {attribute}="{_quoted(url)}"')
    if verb.wait_sound is not None:
        parts.append(f' waitSound="{_quoted(at.sounds(verb.wait_sound))}"')
    return "".join([*parts, f">{_text(verb.room)}</Conference>"])


__all__ = ["Addresses", "render", "render_sounds"]
