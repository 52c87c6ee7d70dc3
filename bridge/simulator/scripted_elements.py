"""How the simulated platform executes each element; one coroutine per element.

Each gives the next document to fetch, or None when the next element runs. Source: Plivo XML reference.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from bridge.simulator.document import Element
from bridge.simulator.flow import Background, Follow, Over, recording_length
from bridge.simulator.leg import HANGUP_ELEMENT, Method
from bridge.simulator.script import (
    HangUp,
    LeaveRoom,
    LegAnswers,
    LegBusy,
    LegFails,
    LegNoAnswer,
    Noise,
    Press,
    RecordFor,
    RoomFull,
    Say,
    Stay,
)

if TYPE_CHECKING:
    from bridge.simulator.caller import ScriptedCaller

Handler = Callable[["ScriptedCaller", Element], Awaitable[Follow | None]]

#: How fast a voice speaks and a caller types; only virtual time depends on it.
CHARACTERS_PER_S: Final = 15
KEY_S: Final = 0.3
FILE_S: Final = 2.0


async def speak(call: ScriptedCaller, element: Element) -> None:
    """Say the text."""
    voice = f"{element.get('voice', 'WOMAN')} {element.get('language', 'en-US')}"
    call.add("hears", f"“{element.text}” ({voice})")
    call.passes(element)
    call.advance(len(element.text) / CHARACTERS_PER_S)


async def play(call: ScriptedCaller, element: Element) -> None:
    """Play the file, after looking whether it is there."""
    call.add("hears", f"the sound file {element.text}")
    await call.fetch_audio(element.text)
    call.passes(element)
    call.advance(FILE_S)


async def wait(call: ScriptedCaller, element: Element) -> None:
    """Wait; with silence="true" only until there was silence long enough."""
    length = element.number("length", 1)
    listening = element.get("silence") == "true"
    call.passes(element)
    if listening and not call.take(Noise):
        shortest = element.number("minSilence", 1000 * length) / 1000
        call.add("does", f"is silent for {shortest:g} s")
        call.advance(min(length, shortest))
    else:
        call.add("hears" if not listening else "does", f"{length:g} s pass")
        call.advance(length)


async def get_digits(call: ScriptedCaller, element: Element) -> Follow | None:
    """Collect keys; without any the next element runs."""
    await _prompts(call, element)
    step = call.step(element, Press)
    match step:
        case Press():
            keys, finished = _collect(step.keys, element)
            call.add("does", f"presses {step.keys}")
            call.advance(KEY_S * len(step.keys))
            if not finished:
                call.advance(element.number("digitTimeout", 2))
            return await call.act(element, {"Digits": keys})
        case HangUp():
            raise call.hang_up_now(step)
        case Stay():
            await call.stay()
        case _:
            call.add("does", "presses nothing")
            call.advance(element.number("timeout", 5))
    return None


async def get_input(call: ScriptedCaller, element: Element) -> Follow | None:
    """Listen for speech or keys; without any the next element runs."""
    await _prompts(call, element)
    step = call.step(element, Say, Press)
    result = {"Digits": "", "Speech": "", "SpeechConfidenceScore": "", "BilledAmount": "0.02"}
    match step:
        case Say():
            call.add("does", f"says “{step.text}”")
            call.advance(len(step.text) / CHARACTERS_PER_S + 2)
            heard = {"Speech": step.text, "SpeechConfidenceScore": f"{step.confidence:g}"}
            return await call.act(element, {**result, "InputType": "speech", **heard})
        case Press():
            keys, _ = _collect(step.keys, element)
            call.add("does", f"presses {step.keys}")
            return await call.act(element, {**result, "InputType": "dtmf", "Digits": keys})
        case HangUp():
            raise call.hang_up_now(step)
        case Stay():
            await call.stay()
        case _:
            call.add("does", "says nothing")
            call.advance(element.number("executionTimeout", 15))
    return None


async def record(call: ScriptedCaller, element: Element) -> Follow | None:
    """Record in the foreground, or begin a recording of the whole call."""
    identity = call.leg.new_uuid()
    file_format = element.get("fileFormat", "mp3")
    url = f"{call.recordings_url}/{call.leg.account.auth_id}/Recording/{identity}.{file_format}"
    found = {"RecordUrl": url, "RecordingID": identity}
    if element.get("recordSession") == "true":
        # The action is fetched at the start, with -1 everywhere (Plivo XML reference, Record).
        call.add("hears", "nothing: the call is being recorded from now on")
        call.background.append(Background(call.now(), element.get("callbackUrl"), found))
        return await call.act(element, found | recording_length(-1))
    call.add("hears", "a beep" if element.get("playBeep", "true") == "true" else "no beep")
    step = call.step(element, RecordFor)
    longest = element.number("maxLength", 60)
    match step:
        case RecordFor():
            seconds = min(step.seconds, longest)
            key = step.key if step.key and step.key in element.get("finishOnKey", "#") else ""
            call.add("does", f"speaks for {seconds:g} s" + (f" and presses {key}" if key else ""))
            call.advance(seconds + (0 if key else element.number("timeout", 15)))
            await call.call_back(
                "recording", element.get("callbackUrl"), found | recording_length(seconds)
            )
            return await call.act(element, found | recording_length(seconds) | {"Digits": key})
        case HangUp():
            over = call.hang_up_now(step)
            length = recording_length(step.after)
            await call.call_back("recording", element.get("callbackUrl"), found | length)
            raise over
        case Stay():
            await call.stay()
        case _:
            call.add("does", "says nothing, so that nothing is recorded")
            call.advance(min(longest, element.number("timeout", 15)))
    return None


async def dial(call: ScriptedCaller, element: Element) -> Follow | None:
    """Ring the numbers of a Dial together; the first answer wins."""
    numbers = [child.text for child in element.children]
    shown = element.get("callerId") or call.leg.caller
    call.add("hears", f"ringing: {', '.join(numbers)} is called, showing {shown}")
    for attribute in ("dialMusic", "confirmSound"):
        if element.get(attribute).startswith("http"):
            await call.fetch_sounds(attribute, element.get(attribute))
    other = call.leg.new_uuid()
    back = {"DialALegUUID": call.leg.uuid, "DialBLegUUID": other, "DialBLegFrom": shown}
    back["DialBLegTo"] = numbers[0]
    url = element.get("callbackUrl")
    step = call.step(element, LegAnswers, LegBusy, LegNoAnswer, LegFails)
    status, code, cause, rang, talked = "no-answer", 3000, "NO_ANSWER", True, 0.0
    match step:
        case LegAnswers():
            status, code, cause, talked = "completed", 4000, "NORMAL_CLEARING", step.seconds
        case LegBusy():
            status, code, cause = "busy", 3010, "USER_BUSY"
        case LegFails():
            status, code, cause, rang = "failed", step.code, step.cause, False
        case HangUp():
            over = call.hang_up_now(step)
            gone = {"DialBLegHangupCauseCode": "1000", "DialBLegHangupCauseName": "Canceled"}
            await call.call_back("hangup", url, back | _dial("hangup") | gone)
            raise over
        case Stay():
            await call.stay()
            return None
        case _:
            call.advance(element.number("timeout", 120))
    call.add("does", f"is told {status}" if not talked else f"talks for {talked:g} s")
    if talked:
        call.leg.status = "in-progress"
        await call.call_back("answer", url, back | _dial("answer"))
        await call.call_back("connected", url, back | _dial("connected"))
        call.advance(talked)
    end = {"DialBLegDuration": f"{talked:g}", "DialBLegHangupCauseCode": str(code)}
    await call.call_back("hangup", url, back | _dial("hangup") | end)
    result = {
        "DialRingStatus": "true" if rang else "false",
        "DialHangupCause": cause,
        "DialStatus": status,
        "DialALegUUID": call.leg.uuid,
        "DialBLegUUID": other if talked else "",
    }
    return await call.act(element, result)


async def conference(call: ScriptedCaller, element: Element) -> Follow | None:
    """Join the room and leave it again, as the script or somebody else wants."""
    step = call.step(element, LeaveRoom, RoomFull)
    if isinstance(step, RoomFull):
        # A full room: the element and its action are skipped (Plivo XML reference, Conference).
        call.add("hears", "nothing: the room is full")
        return None
    name, url = element.text, element.get("callbackUrl")
    stay_alone = element.get("stayAlone", "true") == "true"
    member = call.exchange.enter(name, call.leg.uuid, call.leg.new_uuid(), stay_alone=stay_alone)
    room = call.exchange.rooms[name]
    where = {
        "ConferenceName": name,
        "ConferenceUUID": room.uuid,
        "ConferenceMemberID": member.member_id,
    }
    call.add("hears", f"the room {name}")
    for attribute in ("enterSound", "exitSound", "waitSound"):
        if element.get(attribute).startswith("http"):
            await call.fetch_sounds(attribute, element.get(attribute))
    entered = {"Event": "ConferenceEnter", "ConferenceAction": "enter"}
    await call.call_back("enter", url, where | entered)
    call.exchange.announced(member)
    over: Over | None = None
    try:
        match step:
            case LeaveRoom():
                call.advance(step.seconds)
                call.add("does", f"presses {step.key} to leave the room")
            case HangUp():
                over = call.hang_up_now(step)
            case Stay():
                await call.stay()
                call.add("does", "is sent out of the room")
            case _:
                call.advance(element.number("timeLimit", 86_400))
                call.add("does", "stays until the room's time is up")
    except Over as ended:
        over = ended
    finally:
        call.exchange.leave(name, member)
    left = {"Event": "ConferenceExit", "ConferenceAction": "exit"}
    await call.call_back("exit", url, where | left)
    if over is not None:
        raise over
    return await call.act(element, where)


async def dtmf(call: ScriptedCaller, element: Element) -> None:
    """Send tones."""
    call.add("hears", f"the tones {element.text}")
    call.passes(element)
    call.advance(KEY_S * len(element.text))


async def redirect(call: ScriptedCaller, element: Element) -> Follow:
    """Fetch the next document."""
    del call
    method: Method = "GET" if element.get("method") == "GET" else "POST"
    return Follow("redirect", element.text, {"Event": "Redirect"}, method)


async def hangup(call: ScriptedCaller, element: Element) -> None:
    """End the call."""
    if call.leg.status == "ringing" and element.get("reason"):
        refused = ("CALL_REJECTED", "3020", "Rejected", "Answer XML")
        busy = ("USER_BUSY", "3010", "Busy Line", "Answer XML")
        raise Over(busy if element.get("reason") == "busy" else refused)
    raise Over(HANGUP_ELEMENT)


async def _prompts(call: ScriptedCaller, element: Element) -> None:
    for child in element.children:
        await (speak if child.name == "Speak" else play)(call, child)


def _collect(keys: str, element: Element) -> tuple[str, bool]:
    """Give the keys without the finishing one, and whether Plivo stopped waiting for more."""
    finish = element.get("finishOnKey", "#")
    finish = "" if finish == "none" else finish
    most = int(element.number("numDigits", 99))
    collected = ""
    for key in keys:
        if key in finish:
            return collected, True
        collected += key
        if len(collected) >= most:
            return collected, True
    return collected, False


def _dial(action: str) -> dict[str, str]:
    event = {"answer": "DialAnswer", "hangup": "DialHangup"}.get(action, "DialConnected")
    return {"Event": event, "DialAction": action, "DialBLegStatus": action}


HANDLERS: Final[dict[str, Handler]] = {
    "Conference": conference,
    "DTMF": dtmf,
    "Dial": dial,
    "GetDigits": get_digits,
    "GetInput": get_input,
    "Hangup": hangup,
    "Play": play,
    "Record": record,
    "Redirect": redirect,
    "Speak": speak,
    "Wait": wait,
}

__all__ = ["HANDLERS"]
