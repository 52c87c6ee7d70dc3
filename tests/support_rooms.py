"""Several calls in the rooms of one simulated platform, each with its own document."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from support_plivo import CALLED, FOR_EVER, HANGUP, Seen, XmlApp

from bridge.simulator.inputs import Input
from bridge.simulator.line import Line
from bridge.simulator.platform import Plivo
from bridge.simulator.profile import NORMAL, Profile

#: (seconds, which call, what happens to it)
Happening = tuple[float, int, Input]
ROOM = "r1"


def conference(number: int, *, room: str = ROOM, **attributes: str) -> str:
    """Write a Conference that reports to /told{number} and goes on at /done{number}."""
    known = {"action": f"{{url}}/done{number}", "callbackUrl": f"{{url}}/told{number}"}
    written = " ".join(f'{name}="{value}"' for name, value in (known | attributes).items() if value)
    return f"<Conference {written}>{room}</Conference>"


@dataclass
class Meeting:
    """What happened to several calls; call 1 is the first of `lines`."""

    app: XmlApp
    plivo: Plivo
    lines: list[Line] = field(default_factory=list)

    def told(self, call: int, action: str = "") -> list[Seen]:
        """List the callbacks of a call."""
        found = self.app.of(f"/told{call}")
        return [seen for seen in found if action in {"", seen["ConferenceAction"]}]

    def actions(self, call: int) -> list[str]:
        """List the actions that a call reported."""
        return [seen["ConferenceAction"] for seen in self.told(call)]

    def went_on(self, call: int) -> bool:
        """Say whether a call asked for its action."""
        return bool(self.app.of(f"/done{call}"))

    def heard(self, call: int, element: str) -> list[tuple[float, str]]:
        """List when a call heard something: a text, a URL, tones."""
        return [
            (
                round(entry.at, 3),
                str(next(filter(None, map(entry.data.get, ("text", "url", "tones"))), "")),
            )
            for entry in self.plivo.timeline.of("hears", call=call)
            if entry.data.get("element") == element
        ]

    def left(self, call: int) -> list[float]:
        """Give the instants at which a call left its room."""
        return [
            round(entry.at, 3)
            for entry in self.plivo.timeline.of("room", call=call)
            if entry.data["action"] == "exit"
        ]

    def code(self, call: int) -> str:
        """Give Plivo's code of how a call ended."""
        ending = self.lines[call - 1].ending
        assert ending is not None
        return ending[1]

    def problems(self) -> list[str]:
        """List what must not happen."""
        return self.plivo.timeline.texts("problem")


async def meet(
    app: XmlApp,
    *documents: str,
    happenings: tuple[Happening, ...] = (),
    profile: Profile = NORMAL,
    every: float = 1.0,
    **options: Any,
) -> Meeting:
    """Let calls begin one after the other, `every` s apart, and live to their ends.

    Call n executes the n-th document, and hangs up when it goes on after its room.
    """
    async with app.plivo(profile, **options) as plivo:
        meeting = Meeting(app, plivo)
        begin(meeting, *documents, happenings=happenings, every=every)
        await plivo.clock.drive(lambda: len(meeting.lines) == len(documents))
        assert await plivo.finish(FOR_EVER), f"the calls did not end:\n{plivo.timeline}"
        return meeting


def begin(
    meeting: Meeting,
    *documents: str,
    happenings: tuple[Happening, ...] = (),
    every: float = 1.0,
) -> None:
    """Let calls begin, and things happen to them."""
    app, plivo = meeting.app, meeting.plivo
    for number, document in enumerate(documents, 1):
        app.documents.setdefault(f"/done{number}", HANGUP)
        app.documents[f"/answer{number}"] = document
        _after(plivo, every * (number - 1), _Dials(meeting, number))
    for seconds, number, event in happenings:
        _after(plivo, seconds, _Happens(meeting, number, event))


def _after(plivo: Plivo, seconds: float, action: Any) -> None:
    if seconds:
        plivo.later(seconds, action)
    else:
        action()


@dataclass
class _Dials:
    meeting: Meeting
    number: int

    def __call__(self) -> None:
        app = self.meeting.app
        application = app.application(
            answer_url=f"/answer{self.number}", hangup_url=f"/hangup{self.number}"
        )
        caller = f"3361234567{self.number}"
        line = self.meeting.plivo.call(caller, CALLED, application=application)
        self.meeting.lines.append(line)


@dataclass
class _Happens:
    meeting: Meeting
    number: int
    event: Input

    def __call__(self) -> None:
        self.meeting.lines[self.number - 1].post(self.event)
