"""Traces to look at: a call as the simulator tells it, a long one, and one full of hostile text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from bridge.simulator.timeline import Entry, Kind
from bridge.testing.trace import Trace

BRIDGE: Final = "https://bridge.example.com/plivo/DEFAULT"
CALLER: Final = "33612345678"
CALLED: Final = "33187654321"
STARTED: Final = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
ENDED: Final = datetime(2026, 1, 5, 10, 0, 0, 412000, tzinfo=UTC)


@dataclass
class Story:
    """Writes down a call; `at` is the virtual time of the next entry."""

    call: int = 1
    caller: str = CALLER
    at: float = 0.0
    turn: int = 0
    command: Mapping[str, Any] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)

    def add(
        self, kind: Kind, text: str, /, *, ms: float | None = None, leg: int = 0, **data: Any
    ) -> int:
        """Write an entry with the data given; give its index."""
        if kind in {"dials", "leg"}:
            data["leg"] = leg
        self.entries.append(Entry(round(self.at, 3), kind, text, "", ms, self.call, leg, data))
        return len(self.entries) - 1

    def asks(self, label: str, path: str, **form: Any) -> None:
        """Let Plivo fetch a document."""
        whole = {
            "CallUUID": f"78f2d3d1-8851-4b14-8bfc-83e5195adba{self.call}",
            "Direction": "inbound",
            "From": self.caller,
            "To": CALLED,
            "CallStatus": "in-progress",
            "Event": "Redirect",
        }
        self.add(
            "asks",
            f"{label} {path}",
            ms=3.1,
            label=label,
            method="POST",
            url=f"{BRIDGE}/{path}",
            form=whole | form,
            status=200,
            attempt=1,
            reason="",
        )

    def app(
        self, command: str, *, ms: float = 0.6, result: str = "", status: str = "UP", **params: Any
    ) -> int:
        """Let the app give a command, knowing the result of the one before."""
        self.turn += 1
        request = {
            "app": "DEFAULT",
            "callid": self.call,
            "cli_number": f"+{self.caller}",
            "number": f"+{CALLED}",
            "command": self.command.get("command", ""),
            "command_id": self.command.get("command_id", 0),
            "command_result": result,
            "command_error": "",
            "call_status": status,
            "cdr_field": "",
            "variables": self.command.get("variables", {}),
        }
        if status != "UP":
            return self.add("app", f"{status}", ms=ms, request=request, status=200, reply=None)
        reply = {
            "command": command,
            "command_id": f"{command}-{self.turn}",
            "params": params,
            "variables": {"turns": self.turn},
        }
        self.command = reply
        text = " ".join([command, *(str(value) for value in params.values())])
        return self.add("app", text, ms=ms, request=request, status=200, reply=reply)

    def gets(self, *elements: str, then: str = "1/1/next") -> None:
        """Let Plivo get a document that redirects back."""
        url = f"{BRIDGE}/{then}#ct=2000&amp;rt=8000&amp;rc=3"
        xml = f"<Response>{''.join(elements)}<Redirect>{url}</Redirect></Response>"
        self.add("gets", f"{len(xml.encode())} bytes", xml=xml)

    def hears(self, text: str, *, leg: int = 0) -> None:
        """Let somebody hear a text."""
        self.add("hears", f"“{text}”", leg=leg, element="Speak", text=text, voice="WOMAN")

    def does(self, text: str, action: str, *, leg: int = 0, **more: Any) -> None:
        """Let somebody do something."""
        self.add("does", text, leg=leg, action=action, **more)

    def expects(self, expectation: str, *, waited: float = 0.0, ok: bool = True) -> int:
        """Write an expectation of the test."""
        text = f"{'✓' if ok else '✗'} {expectation}"
        return self.add("expects", text, expectation=expectation, ok=ok, waited=waited)


def speak(text: str) -> str:
    """Write a Speak element."""
    return f'<Speak voice="WOMAN" language="en-GB">{text}</Speak>'


def menu_call() -> Trace:
    """Give a call that fails: a menu, a dialout that nobody takes, and an app that answers late."""
    story = Story()
    age = "Please enter your age, then press the hash key."
    story.asks("answer", "answer", Event="StartApp", CallStatus="ringing")
    story.app("play", media_id="TTS|TTS_EN-GB_SERENA|Welcome.")
    story.gets(speak("Welcome."))
    story.hears("Welcome.")
    story.expects('expect_prompt("Welcome")')
    story.at = 0.6
    story.asks("redirect", "1/1/next")
    story.app("read", result="0", media_id=f"TTS|TTS_EN-GB_SERENA|{age}", max_digits=3)
    story.gets(
        f'<GetDigits action="{BRIDGE}/1/2/digits#ct=2000&amp;rt=8000" timeout="5" digitTimeout="5"'
        f' numDigits="3" finishOnKey="#" retries="1">{speak(age)}</GetDigits>',
        then="1/2/next",
    )
    story.hears(age)
    story.add("listens", "GetDigits for keys", element="GetDigits", accepts=["keys"])
    story.expects('expect_prompt("your age")')
    story.at = 4.6
    story.does("presses 42#", "press", keys="42#")
    story.asks("action", "1/2/digits", Digits="42")
    story.app(
        "dialout",
        ms=3120.0,
        result="42",
        targets=[{"number": "+442079460101", "timeout": 15}],
        whisper="TTS|TTS_EN-GB_SERENA|A caller of age 42.",
    )
    story.gets(
        f'<Dial action="{BRIDGE}/1/3/dial" callbackUrl="{BRIDGE}/1/3/notice/dial/m72" timeout="15"'
        f' callerId="{CALLED}"><Number>442079460101</Number></Dial>',
        then="1/3/next",
    )
    story.add(
        "dials", "442079460101, showing 33187654321", number="442079460101", caller_id=CALLED, leg=1
    )
    story.at = 5.1
    story.add("leg", "leg 1 is ringing", leg=1, state="ringing")
    story.expects('expect_dialled(["+442079460101"])', waited=0.5)
    story.at = 19.6
    story.add("leg", "leg 1: no-answer", leg=1, state="no-answer")
    story.add(
        "tells",
        "dial callback: hangup",
        ms=0.7,
        name="dial",
        method="POST",
        url=f"{BRIDGE}/1/3/notice/dial/m72",
        form={"DialAction": "hangup", "DialBLegHangupCause": "NO_ANSWER"},
        status=200,
        attempt=1,
        reason="",
    )
    story.asks("action", "1/3/dial", DialStatus="no-answer", DialHangupCause="NO_ANSWER")
    story.app("start_call_recording", result="NOANSWER", ms=5000.0)
    story.add(
        "rest",
        "POST /v1/Account/MA/Call/78f2/Record/",
        ms=1.2,
        method="POST",
        path="/v1/Account/MA/Call/78f2/Record/",
        body={"time_limit": 14400, "file_format": "mp3"},
        status=202,
        reply={"message": "call recording started", "recording_id": "f2545003"},
    )
    story.add("records", "recording f2545003 began", recording_id="f2545003", seconds=-1, url="")
    story.app("play", result="f2545003", media_id="TTS|TTS_EN-GB_SERENA|Nobody is there.")
    story.gets(speak("Nobody is there."), then="1/4/next")
    story.hears("Nobody is there.")
    marker = story.expects('expect_prompt("leave a message")', waited=60.0, ok=False)
    story.at = 79.6
    story.does("hangs up", "hang_up")
    story.add(
        "ends",
        "hung up by the caller",
        cause="Normal Hangup",
        code="4000",
        name="NORMAL",
        source="Caller",
    )
    story.add(
        "tells",
        "hangup",
        ms=0.6,
        name="hangup",
        method="POST",
        url=f"{BRIDGE}/hangup",
        form={"CallStatus": "completed", "HangupCause": "NORMAL_CLEARING", "Duration": "80"},
        status=200,
        attempt=1,
        reason="",
    )
    story.app("", status="HANGUP")
    return Trace(
        title="test_menu.py::test_somebody_can_leave_a_message[busy]",
        entries=story.entries,
        seed=20260105,
        command="pytest 'tests/test_menu.py::test_somebody_can_leave_a_message[busy]' --bridge-seed=20260105",
        started=STARTED,
        ended=ENDED,
        turns=[{"number": number + 1, "at": 0.0} for number in range(story.turn)],
        violations=[
            {
                "code": "SLOW_REPLY",
                "sentence": "The app answered turn 4 after 5.0 s; RT gives up after 5 s.",
                "turn": 4,
                "severity": "error",
            },
            {
                "code": "UNKNOWN_PARAMETER",
                "sentence": "dialout has no parameter 'whispers'; did you mean 'whisper'?",
                "turn": 3,
                "severity": "warning",
            },
        ],
        failure=(
            'No prompt with "leave a message" within 60 virtual s.\n'
            "  heard last: “Nobody is there.”\n"
            "  - leave a message\n  + Nobody is there.\n"
            "  at 19.6 s, call 1, listening for nothing"
        ),
        marker=marker,
        versions={"plivo-rt-bridge": "0.1.0", "python": "3.11.7"},
    )


def long_call(turns: int) -> Trace:
    """Give a call that passes, with five entries a turn."""
    story = Story()
    for turn in range(1, turns + 1):
        story.asks("answer" if turn == 1 else "redirect", f"1/{turn}/next", Turn=str(turn))
        story.app("play", result="0" if turn > 1 else "", media_id=f"TTS|X|Sentence {turn}.")
        story.gets(speak(f"Sentence {turn}."), then=f"1/{turn + 1}/next")
        story.hears(f"Sentence {turn}.")
        story.expects(f'expect_prompt("Sentence {turn}.")')
        story.at += 1.5
    return Trace(title="a long call", entries=story.entries, seed=1, started=STARTED, ended=ENDED)


def conference() -> Trace:
    """Give three calls that meet in a room, one of whom dialled somebody."""
    entries: list[Entry] = []
    for call in (1, 2, 3):
        story = Story(call=call, caller=f"3361234567{call}", at=2.0 * call)
        story.asks("answer", "answer", Event="StartApp")
        story.app("conference", id="team")
        story.gets("<Conference>r1</Conference>", then=f"{call}/1/next")
        story.add("room", "enters r1", room="r1", action="enter", member=str(call), members=call)
        if call == 3:
            story.add("dials", "442079460101", number="442079460101", caller_id=CALLED, leg=1)
            story.add("leg", "leg 1 answered", leg=1, state="answered")
        story.expects(f"expect_room(members={call})")
        entries += story.entries
    return Trace(title="three in a room", entries=entries, seed=3, started=STARTED, ended=ENDED)


HOSTILE: Final = (
    "</script><script>document.title='owned'</script>"
    "<!--<script> ]]> @@TRACE@@ \"quotes\" 'single' `back` & &amp; \\ </noscript></style>"
    " 🧑‍🚀📞 \u202etxt.exe \u2028 \x00\x07 مرحبا بالعالم <img src=http://evil.example/x onerror=alert(1)>"
)


def hostile() -> Trace:
    """Give a call of which every text tries to break out of the page, some of them 100 KB long."""
    story = Story(caller=HOSTILE)
    story.asks("answer", "answer", Event=HOSTILE, **{HOSTILE: HOSTILE})
    story.app("play", media_id=HOSTILE, odd={HOSTILE: [float("inf"), b"\xff\x00", {HOSTILE}]})
    story.gets(speak(HOSTILE))
    story.add("gets", "a large document", xml=f"<Response>{speak('a & b ' * 17000)}</Response>")
    story.add("gets", "no XML", xml="<Response><Speak " + "a='\"" * 25000)
    story.add("app", HOSTILE, ms=1.0, status=500, reply=None, body="<p>" * 35000, failure=HOSTILE)
    story.add("app", "a large reply", ms=1.0, status=200, reply={"list": ["x" * 20] * 5000})
    story.add(
        "rest", HOSTILE, method=HOSTILE, path=HOSTILE, body=HOSTILE, status=None, reply=HOSTILE
    )
    story.add("room", HOSTILE, room=HOSTILE, action=HOSTILE, member="\ud800", members=1)
    story.add("dials", HOSTILE, number=HOSTILE, caller_id=HOSTILE, leg=1)
    story.add("fault", HOSTILE, fault=HOSTILE, name=HOSTILE)
    story.add("problem", HOSTILE)
    marker = story.expects(HOSTILE, ok=False)
    return Trace(
        title=HOSTILE,
        entries=story.entries,
        seed=2,
        command=f"rt-bridge simulate {HOSTILE} --app http://user:secret@127.0.0.1/",
        started=STARTED,
        ended=ENDED,
        violations=[{"code": HOSTILE, "sentence": HOSTILE, "turn": 1, "severity": "error"}],
        failure=f"{HOSTILE}\n{HOSTILE}",
        marker=marker,
        versions={HOSTILE: HOSTILE},
    )
