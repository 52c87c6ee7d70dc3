"""What a bridge can do next, as a Playbook writes it down and as it really happened."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from lxml import etree

from mappings._kernel.actions import Reply
from mappings._kernel.engine import Finished
from mappings._plivo.render import render, render_sounds
from mappings._plivo.verbs import Asset, HostedAudio, HostedRecording

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mappings._kernel.actions import Action
    from mappings._kernel.engine import Outcome
    from mappings._plivo.verbs import AudioUrl, Next, Notice, Sounds

__all__ = [
    "Addresses",
    "Bound",
    "CallEnded",
    "Document",
    "Does",
    "Error",
    "Expected",
    "Result",
    "actual_of",
]

Bound: TypeAlias = dict[str, Any]
#: A parsed element: name, attributes in order of their names, own text, children.
Tree: TypeAlias = tuple[str, tuple[tuple[str, str], ...], str, tuple["Tree", ...]]

_PLACEHOLDER: Final = re.compile(r"\$([a-z][a-z_]*)")


class Addresses:
    """Readable addresses for one document; what is hosted there is collected in order.

    https://bridge.test/next/{kind}         continuation
    https://bridge.test/notice/{kind}       notification
    https://bridge.test/asset/{name}.wav    audio the bridge ships
    https://bridge.test/recording/{name}    a recording
    https://bridge.test/sounds/{1, 2 …}     a document of sounds, in order of appearance
    https://bridge.test/wav/{1, 2 …}        a hosted WAV file, in order of appearance
    """

    def __init__(self) -> None:
        """Start with nothing hosted."""
        self.hosted_sounds: list[Sounds] = []
        self.hosted_wavs: list[bytes] = []

    def next(self, target: Next) -> str:
        """Address of the continuation."""
        return f"https://bridge.test/next/{target.kind}"

    def notice(self, target: Notice) -> str:
        """Address of a notification."""
        return f"https://bridge.test/notice/{target.kind}"

    def audio(self, target: AudioUrl) -> str:
        """Address of an audio file."""
        match target:
            case str():
                return target
            case Asset():
                return f"https://bridge.test/asset/{target.name}.wav"
            case HostedRecording():
                return f"https://bridge.test/recording/{target.name}"
            case HostedAudio():
                self.hosted_wavs.append(target.content)
                return f"https://bridge.test/wav/{len(self.hosted_wavs)}"

    def sounds(self, target: Sounds) -> str:
        """Address of a hosted document of sounds."""
        self.hosted_sounds.append(target)
        return f"https://bridge.test/sounds/{len(self.hosted_sounds)}"


class Expected:
    """One thing a bridge does."""

    def matches(self, done: Expected, bound: Bound) -> bool:
        """Tell whether what was done is what was expected; placeholders are bound on the way."""
        raise NotImplementedError

    def lines(self) -> list[str]:
        """Give the lines of the transcript: a heading, then details."""
        raise NotImplementedError


@dataclass(frozen=True)
class Document(Expected):
    """The bridge answers with this document; `sounds` and `wavs` are what it hosts for it."""

    xml: str | bytes
    sounds: tuple[str | bytes, ...] = ()
    wavs: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Refuse XML that is not well-formed where it is written."""
        for xml in (self.xml, *self.sounds):
            _tree(xml)

    def matches(self, done: Expected, bound: Bound) -> bool:
        """Compare trees: neither attribute order nor white space between elements matters."""
        return (
            isinstance(done, Document)
            and _agree(_tree(self.xml), _tree(done.xml), bound)
            and _agree(
                tuple(_tree(xml) for xml in self.sounds),
                tuple(_tree(xml) for xml in done.sounds),
                bound,
            )
            and self.wavs == done.wavs
        )

    def lines(self) -> list[str]:
        """Show the documents element by element, and the sizes of the files."""
        shown = ["Document", *_pretty(_tree(self.xml))]
        for number, xml in enumerate(self.sounds, 1):
            shown += [f"sounds/{number}:", *_pretty(_tree(xml))]
        return shown + [f"wav/{n}: {len(wav)} bytes" for n, wav in enumerate(self.wavs, 1)]


@dataclass(frozen=True)
class Does(Expected):
    """The bridge does something that is not a document."""

    action: Action

    def matches(self, done: Expected, bound: Bound) -> bool:
        """Compare type and fields."""
        return isinstance(done, Does) and _agree(self.action, done.action, bound)

    def lines(self) -> list[str]:
        """Show the action."""
        return [f"Does({self.action!r})"]


@dataclass(frozen=True)
class Result(Expected):
    """The command is over with this result; "0" and 0 are different results."""

    value: str | int

    def matches(self, done: Expected, bound: Bound) -> bool:
        """Compare value and type."""
        return isinstance(done, Result) and _agree(self.value, done.value, bound)

    def lines(self) -> list[str]:
        """Show the result."""
        return [f"Result({self.value!r})"]


@dataclass(frozen=True)
class Error(Expected):
    """The command failed with this code and sentence."""

    code: str
    sentence: str = "$why"

    def matches(self, done: Expected, bound: Bound) -> bool:
        """Compare both."""
        return (
            isinstance(done, Error)
            and _agree(self.code, done.code, bound)
            and _agree(self.sentence, done.sentence, bound)
        )

    def lines(self) -> list[str]:
        """Show both."""
        return [f"Error({self.code!r}, {self.sentence!r})"]


@dataclass(frozen=True)
class CallEnded(Expected):
    """The command is over because the call is: there is no result."""

    def matches(self, done: Expected, bound: Bound) -> bool:
        """Compare the kind of end."""
        return isinstance(done, CallEnded)

    def lines(self) -> list[str]:
        """Show it."""
        return ["CallEnded()"]


def actual_of(outcome: Outcome) -> list[Expected]:
    """Write an outcome of the engine down in the words of a Playbook."""
    done: list[Expected] = [Does(effect) for effect in outcome.effects]
    if isinstance(outcome, Finished):
        code, _, sentence = outcome.error.partition(": ")
        if outcome.hung_up:
            done.append(CallEnded())
        elif code:
            done.append(Error(code, sentence))
        else:
            done.append(Result(outcome.result))
    elif isinstance(outcome.action, Reply):
        addresses = Addresses()
        xml = render(outcome.action.verbs, addresses)
        # Sounds may be added while others are rendered: a list grows under its own iteration.
        sounds = tuple(render_sounds(hosted, addresses) for hosted in addresses.hosted_sounds)
        done.append(Document(xml, sounds, tuple(addresses.hosted_wavs)))
    else:
        done.append(Does(outcome.action))
    return done


def _agree(want: Any, have: Any, bound: Bound) -> bool:
    """Compare values of any depth, binding placeholders."""
    if isinstance(want, str) and (placeholder := _PLACEHOLDER.fullmatch(want)):
        return bool(bound.setdefault(placeholder[1], have) == have)
    if type(want) is not type(have):
        return False
    if isinstance(want, tuple):
        return len(want) == len(have) and all(
            _agree(one, other, bound) for one, other in zip(want, have, strict=True)
        )
    if is_dataclass(want):
        return all(
            _agree(getattr(want, f.name), getattr(have, f.name), bound) for f in fields(want)
        )
    return bool(want == have)


def _tree(xml: str | bytes) -> Tree:
    raw = xml.encode() if isinstance(xml, str) else xml
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    return _canonical(etree.fromstring(raw.strip(), parser))


def _canonical(element: etree._Element) -> Tree:
    tails = [element.text or "", *((child.tail or "") for child in element)]
    text = "".join(part for part in tails if part.strip())
    attributes = tuple(sorted((str(name), str(value)) for name, value in element.attrib.items()))
    return (str(element.tag), attributes, text, tuple(_canonical(child) for child in element))


def _pretty(tree: Tree, indent: str = "") -> Iterator[str]:
    name, attributes, text, children = tree
    opening = " ".join([name, *(f'{key}="{value}"' for key, value in attributes)])
    if not children:
        yield f"{indent}<{opening}>{text}</{name}>" if text else f"{indent}<{opening}/>"
        return
    yield f"{indent}<{opening}>{text}"
    for child in children:
        yield from _pretty(child, indent + "  ")
    yield f"{indent}</{name}>"
