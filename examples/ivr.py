"""A small voice menu in the Real-Time protocol: one URL, one reply per request.

    python -m examples.ivr --port 9000

It needs aiohttp and nothing of the bridge. The platform posts how each command ended, and the app
answers with the next one. Nothing is remembered in between: the label sent as `command_id` says
where the call is, and `variables` come back as they were sent.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import logging
from typing import Any

from aiohttp import web

log = logging.getLogger("ivr")
Json = dict[str, Any]

MENU = "Press 0 to leave a message, 1 to talk to somebody, 2 for the conference, 9 to hang up."
PEOPLE = [{"number": "+442079460101", "timeout": 15}, {"number": "+442079460102", "timeout": 20}]
DIALOUT: Json = {"targets": PEOPLE, "cli": "BLOCKED", "ringtone": "MUSIC", "cdr_field": "IVR"}
MOST_FAILURES = 2


def tts(text: str) -> str:
    """Give the media id of a text, spoken by a voice of the old platform."""
    return f"TTS|TTS_EN-GB_SERENA|{text}"


def reply(label: str, command: str, variables: Json, **params: Any) -> Json:
    """Write an RT.Response; label and variables come back with the result."""
    return {"command": command, "command_id": label, "params": params, "variables": variables}


def say(label: str, variables: Json, text: str) -> Json:
    """Speak a text."""
    return reply(label, "play", variables, media_id=tts(text))


def ask(label: str, variables: Json, text: str, keys: int) -> Json:
    """Speak a text and wait for keys; fewer than `keys` end with #."""
    read: Json = {"max_digits": keys, "attempts": 3, "timeout_ms": 5000}
    return reply(label, "read", variables, media_id=tts(text), **read)


def next_command(request: Json) -> Json:
    """Decide how the call goes on from how the last command ended."""
    result, kept = request["command_result"], request["variables"]
    if request["command_error"]:
        return after_failure(kept)
    match request["command_id"]:
        case 0:  # no command was given yet: a new call
            return say("welcome", {}, "Welcome.")
        case "welcome":
            return ask("age", kept, "Please enter your age, then press the hash key.", keys=3)
        case "age":
            return after_age(result, kept)
        case "menu":
            return after_menu(result, kept)
        case "beep":
            return reply("message", "record", kept, max_duration=60, silence=5)
        case "message" if result:
            return reply("listen", "play_record", {**kept, "message": result}, media_file=result)
        case "people":
            return say("nobody", kept, "Nobody can talk to you now.")
        case "goodbye":
            return reply("end", "hangup", kept)
        case _:  # hello, message without sound, listen, nobody, room, sorry
            return ask("menu", kept, MENU, keys=1)


def after_age(age: str, kept: Json) -> Json:
    """Repeat the age, or give up on a caller who presses nothing."""
    if age in {"", "TIMEOUT"}:
        return say("goodbye", kept, "Goodbye.")
    return say("hello", {**kept, "age": age}, f"You are {age}.")


def after_menu(key: str, kept: Json) -> Json:
    """Do what the caller chose."""
    match key:
        case "0":
            return say("beep", kept, "Speak after the beep, then press the hash key.")
        case "1":
            whisper = tts(f"A caller of age {kept.get('age', 'unknown')}.")
            return reply("people", "dialout", kept, **DIALOUT, whisper=whisper)
        case "2":
            sounds = {
                "welcome": tts("You are joining the conference. Press star to leave it."),
                "waiting": tts("You are the first one here."),
                "user_join": tts("Somebody joins."),
                "user_leave": tts("Somebody leaves."),
            }
            return reply("room", "conference", kept, id="lobby", **sounds)
        case "9" | "TIMEOUT":
            return say("goodbye", kept, "Goodbye.")
        case _:
            return say("sorry", kept, "That is not a choice.")


def after_failure(kept: Json) -> Json:
    """Go back to the menu when a command failed, but not for ever."""
    failures = kept.get("failures", 0) + 1
    if failures > MOST_FAILURES:
        return reply("end", "hangup", kept)
    return say("sorry", {**kept, "failures": failures}, "Sorry, that did not work.")


def make_app(login: str = "", password: str = "") -> web.Application:
    """Give the app; with a login it asks for HTTP Basic authentication."""
    credentials = base64.b64encode(f"{login}:{password}".encode()).decode()

    async def answer(http: web.Request) -> web.Response:
        given = http.headers.get("Authorization", "").encode("utf-8", "replace")
        if login and not hmac.compare_digest(given, f"Basic {credentials}".encode()):
            return web.Response(status=401, headers={"WWW-Authenticate": "Basic"})
        request = await http.json()
        ended = request["command_error"] or request["command_result"]
        line = f"call {request['callid']}: {request['command_id']!r} ended with {ended!r}"
        if request["call_status"] != "UP":
            log.info("%s, %s", line, request["call_status"])
            return web.Response()  # the call is over: no reply has any effect
        response = next_command(request)
        log.info("%s -> %s %s", line, response["command"], response["params"])
        return web.json_response(response)

    app = web.Application()
    app.router.add_post("/", answer)
    return app


def main() -> None:
    """Serve the app until interrupted."""
    options = argparse.ArgumentParser(prog="python -m examples.ivr")
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=9000)
    options.add_argument("--login", default="", help="ask for HTTP Basic authentication")
    options.add_argument("--password", default="")
    chosen = options.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    app = make_app(chosen.login, chosen.password)
    web.run_app(app, host=chosen.host, port=chosen.port, access_log=None)


if __name__ == "__main__":
    main()
