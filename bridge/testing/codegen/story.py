"""A recorded call as actions and expectations of the test kit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Final

from bridge.errors import BridgeError
from bridge.testing.recording.format import Header, RecordedTurn
from bridge.testing.recording.redactor import number_spans
from bridge.testing.wants import SOURCES

__all__ = ["MASKS", "REAL_ONES", "Chapter", "Step", "Story", "StoryError", "tell"]

#: What a generated test says of a recording with masks.
MASKS: Final = "Numbers, names and keys are masks (redact = {}), not those of real calls."
REAL_ONES: Final = "Where the app compares them with its own, put the real ones."

#: Commands whose result says what happened; others return a name, or whether a sound was played.
_TELLING: Final = frozenset(
    {
        "conference",
        "dialout",
        "play_talk_detect",
        "read",
        "simple_conference",
        "wait_for_silence",
    }
)
_OUTCOMES: Final = {"busy": "busy", "rejected": "reject", "failed": "fail"}
_SOUNDS: Final = {"Speak": "text", "Play": "url", "DTMF": "tones"}
_EXPECTED: Final = {"Speak": "expect_prompt", "Play": "expect_played", "DTMF": "expect_tones"}
_BY: Final = {source: by for by, source in SOURCES.items()}
#: Hosted sounds have names that nobody can guess, and that are others in every run.
_UNGUESSABLE: Final = re.compile(r"/(?=[^/]*[0-9])[A-Za-z0-9_-]{20,}(?:\.[a-z0-9]+)?$")
#: A sound repeated more often is a loop, such as that of an empty conference.
_MOST_REPEATED: Final = 10
_LONGEST_PROMPT: Final = 300
#: Shorter pauses are the simulation's own.
_PAUSE_S: Final = 1.0
#: An expectation of the kit waits for 60 s; what came later needs a limit of its own.
_PATIENCE_S: Final = 50
_SLACK_S: Final = 10
_RING_TIMEOUT: Final = "6010"
_DEFAULT_FAILURE: Final = "3050"


class StoryError(BridgeError):
    """The call cannot become a test; the message says why."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a test: a method of the kit's call, or with `leg` of a party it dialled."""

    method: str
    positional: tuple[Any, ...] = ()
    named: Mapping[str, Any] = field(default_factory=dict)
    leg: int = 0


@dataclass(frozen=True, slots=True)
class Chapter:
    """What one command of the app brought about; `title` names it."""

    title: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """A call from its beginning to its end; `caller` is "" when the number was hidden."""

    called: str
    caller: str
    caller_name: str
    chapters: tuple[Chapter, ...]


def tell(turns: Sequence[RecordedTurn], header: Header) -> Story:
    """Tell a recorded call. Raises StoryError when its phone's side was not recorded.

    The app's own numbers cannot be expected where the recording has masks in their place.
    """
    first = turns[0].request
    if first["request_hash"] is not None:
        raise StoryError("it was placed by the app, and a test begins with a phone that calls")
    if not any(turn.caller or turn.after for turn in turns):
        raise StoryError(
            "what the caller heard and did was not recorded; it can be verified, not generated"
        )
    teller = _Teller(header, (str(first["number"]), str(first["cli_number"])))
    chapters: list[Chapter] = []
    title = "the call begins"
    for turn in turns:
        steps = (*teller.entries(turn.caller), *_told(turn), *teller.entries(turn.after))
        if steps:
            chapters.append(Chapter(title, steps))
        if turn.reply is not None:
            title = _title(turn.reply)
    return Story(
        str(first["number"]), str(first["cli_number"]), str(first["cli_name"]), tuple(chapters)
    )


def _title(reply: Mapping[str, Any]) -> str:
    command = str(reply.get("command") or "no command")
    label = reply.get("command_id")
    title = f"{command} ({label})" if isinstance(label, str) and label else command
    return " ".join("".join(c if c.isprintable() else " " for c in title).split())[:60]


def _told(turn: RecordedTurn) -> Iterator[Step]:
    """Tell what the app was told of the command that ended."""
    request = turn.request
    if request["command_error"]:
        yield Step("expect_error", (str(request["command_error"]).partition(":")[0],))
    elif request["command"] in _TELLING and request["command_result"] not in {"", None}:
        yield Step("expect_result", (str(request["command_result"]),))


class _Teller:
    """Goes through what happened on the phone, and knows when the last step was."""

    def __init__(self, header: Header, own: Sequence[str]) -> None:
        self._level = header.redact
        # The test calls with the masks of its own two numbers, so these come back.
        self._real = {_digits(number) for number in (*header.kept, *own)}
        self._at = 0.0
        self._endings: dict[int, str] = {}
        self._answered: set[int] = set()

    def entries(self, entries: Sequence[Mapping[str, Any]]) -> list[Step]:
        """Turn entries into steps."""
        self._endings = {
            int(entry.get("leg", 0)): str(entry.get("code", ""))
            for entry in entries
            if entry["kind"] == "ends"
        }
        steps: list[Step] = []
        for entry, repeated in _without_loops(entries):
            at = float(entry.get("at", self._at))
            for step in self._steps(entry, repeated):
                if (last := _merged(steps, step)) is not None:
                    steps[-1] = last
                else:
                    steps += self._pause(step, at)
                    steps.append(self._patient(step, at))
                self._at = at
        return steps

    def _pause(self, step: Step, at: float) -> Iterator[Step]:
        """Wait as the person did, where no expectation or readiness of the call times the action."""
        gap = round(at - self._at, 1)
        if step.method in {"hang_up", "make_noise"} and gap >= _PAUSE_S:
            yield Step("wait", (gap,))
        elif step.method in {"press", "say", "speak"} and gap > _PATIENCE_S:
            yield Step("wait", (gap - _SLACK_S,))

    def _patient(self, step: Step, at: float) -> Step:
        gap = at - self._at
        if not step.method.startswith("expect_") or gap <= _PATIENCE_S:
            return step
        return Step(
            step.method,
            step.positional,
            {**step.named, "within": ceil(gap) + _SLACK_S},
            step.leg,
        )

    def _steps(self, entry: Mapping[str, Any], repeated: bool) -> Iterator[Step]:  # noqa: FBT001
        leg = int(entry.get("leg", 0))
        match entry["kind"]:
            case "hears" if not repeated:
                yield from self._heard(entry)
            case "does":
                yield from self._done(entry, leg)
            case "dials":
                yield self._dialled(entry, leg)
            case "leg":
                yield from self._became(leg, str(entry.get("state")))
            case "room" if entry.get("action") == "enter" and not leg:
                members = entry.get("members")
                yield Step("expect_room", (), {} if members is None else {"members": members})
            case "records" if float(entry.get("seconds", 0)) < 0:
                yield Step("expect_recording")
            case "ends" if not leg:
                by = _BY.get(str(entry.get("source")))
                code = str(entry.get("code", ""))
                named = {"by": by} if by else {}
                yield Step(
                    "expect_ended", (), {**named, "code": int(code)} if code.isdigit() else named
                )

    def _done(self, entry: Mapping[str, Any], leg: int) -> Iterator[Step]:
        seconds = entry.get("seconds", 0)
        match entry.get("action"):
            case "press":
                yield Step("press", (str(entry.get("keys", "")),), leg=leg)
            case "say":
                yield Step("say", (str(entry.get("text", "")),))
            case "speak":
                yield Step("speak", (seconds,), {"key": ""})
            case "noise":
                yield Step("make_noise", (seconds,))
            case "hang_up":
                yield Step("hang_up", leg=leg)
            case "answer" if leg:
                self._answered.add(leg)
                yield Step("answer", (), {"leg": leg})

    def _became(self, leg: int, state: str) -> Iterator[Step]:
        code = self._endings.get(leg, "")
        if state == "answered" and leg not in self._answered:
            yield Step("answer", (), {"leg": leg})
        elif state in _OUTCOMES:
            named = {"leg": leg}
            if state == "failed" and code.isdigit() and code != _DEFAULT_FAILURE:
                named["code"] = int(code)
            yield Step(_OUTCOMES[state], (), named)
        elif state == "no-answer" and code != _RING_TIMEOUT:
            yield Step("no_answer", (), {"leg": leg})
        if state in {"connected", "no-answer"}:
            yield Step("expect_leg", (leg, state))

    def _dialled(self, entry: Mapping[str, Any], leg: int) -> Step:
        number, shown = str(entry.get("number", "")), str(entry.get("caller_id", ""))
        if not self._known(number):
            return Step("expect_leg", (leg, "ringing"))
        named = {"caller_id": _e164(shown)} if shown and self._known(shown) else {}
        return Step("expect_dialled", ((_e164(number),),), named)

    def _heard(self, entry: Mapping[str, Any]) -> Iterator[Step]:
        element = str(entry.get("element"))
        if element not in _SOUNDS:
            return
        heard = " ".join(str(entry.get(_SOUNDS[element], "")).split())
        if element == "Play":
            heard = heard.partition("?")[0].partition("#")[0]
            if _UNGUESSABLE.search(heard):
                return
        heard = self._without_masks(heard)
        if len(heard) > _LONGEST_PROMPT:
            heard = heard[:_LONGEST_PROMPT].rpartition(" ")[0] or heard[:_LONGEST_PROMPT]
        if heard:
            yield Step(_EXPECTED[element], (heard,))

    def _without_masks(self, text: str) -> str:
        """Keep what stands before the first number that the app may say otherwise."""
        for start, end in number_spans(text, self._level):
            if _digits(text[start:end]) not in self._real:
                return text[:start].strip()
        return text

    def _known(self, number: str) -> bool:
        return self._level == "none" or _digits(number) in self._real


def _without_loops(
    entries: Sequence[Mapping[str, Any]],
) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Say of each entry whether it is the repetition of a sound that is played in a loop."""
    sounds = [_sound(entry) for entry in entries]
    for number, entry in enumerate(entries):
        start = number
        while start and sounds[start - 1] is not None and sounds[start - 1] == sounds[number]:
            start -= 1
        end = start
        while end < len(sounds) and sounds[end] is not None and sounds[end] == sounds[number]:
            end += 1
        yield entry, end - start > _MOST_REPEATED and number > start


def _sound(entry: Mapping[str, Any]) -> tuple[Any, ...] | None:
    if entry["kind"] != "hears":
        return None
    return tuple(entry.get(name) for name in ("leg", "element", "text", "url", "tones"))


def _merged(steps: Sequence[Step], step: Step) -> Step | None:
    """Join a step to the one before: keys of one input, numbers dialled at once."""
    last = steps[-1] if steps else None
    if last is None or last.leg != step.leg:
        return None
    if step.method == last.method == "press":
        return Step("press", (last.positional[0] + step.positional[0],), last.named, step.leg)
    if step.method == "press" and last.method == "speak" and last.named.get("key") == "":
        key = step.positional[0]
        return Step("speak", last.positional, {} if key == "#" else {"key": key})
    if step.method == last.method == "expect_dialled" and step.named == last.named:
        return Step(step.method, (last.positional[0] + step.positional[0],), step.named)
    return None


def _digits(number: str) -> str:
    return "".join(filter(str.isdigit, number)).removeprefix("00")


def _e164(number: str) -> str:
    return f"+{number}" if number.isdigit() and len(number) >= 7 else number  # noqa: PLR2004 -- shortest E.164
