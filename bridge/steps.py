"""One step of a command, without I/O: from the stored state to what the engine says comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import structlog

from bridge.addresses import unguessable
from mappings._kernel.actions import Reply
from mappings._kernel.context import CallContext, restore, snapshot
from mappings._kernel.engine import Finished, Outcome, run
from mappings._kernel.errors import CommandRefused, Diverged, MappingBug
from mappings._kernel.facts import CommandStarted, EventReceived, dump_start, load, load_log
from mappings._kernel.values import value_class
from mappings._plivo.voices import resolve_voice
from mappings._rt.media import LibraryMedia, TtsMedia
from mappings._rt.request import RtRequest, rt_date, write_request
from mappings.registry import newest, pinned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.runtime import App, Runtime
    from bridge.state import CallState
    from mappings._kernel.command import Command
    from mappings._kernel.events import Event
    from mappings._kernel.facts import Fact
    from mappings._plivo.verbs import Verb
    from mappings._plivo.voices import VoiceMatch
    from mappings._rt.params import Params
    from mappings._rt.reader import RtResponse

log = structlog.get_logger()

BUG: Final = "BRIDGE_ERROR: a fault in the bridge ended the command; the call goes on"
DIVERGED: Final = (
    "REPLAY_DIVERGED: the command could not be resumed by this version of the bridge; "
    "the call goes on"
)


#: Names of voices remembered, and how long they may be; an app may make them up.
MOST_VOICES: Final = 1000
LONGEST_VOICE: Final = 100


def start(runtime: Runtime, app: App, state: CallState, response: RtResponse) -> Outcome:
    """Start the command the app answered with; the state gets its CommandStarted.

    Raises CommandRefused when there is no such command or its params are wrong.
    """
    state.command = response.command
    state.command_id = response.command_id
    state.result = ""
    state.error = ""
    command = newest(response.command, runtime.lacking)
    params = command.read_params(response.params)
    context = _context(runtime, app, state, command, params)
    known = _known(command, response.params)
    started = CommandStarted(
        command.name, command.version, response.command_id, known, snapshot(context)
    )
    state.start = dump_start(started)
    state.log = []
    state.running = Running(command, params, context)
    return _run(state.running, [])


@value_class
class Running:
    """An open command as read from its stored start."""

    command: Command[Params]
    params: Params
    context: CallContext


def feed(state: CallState, event: Event | None = None) -> Outcome:
    """Rebuild the open command from its log, feed it one more event, and say what comes next.

    A mapping bug or a divergence finishes the command with an error: the caller never pays for it.
    """
    if state.start is None:
        raise AssertionError(f"call {state.callid} has no open command")
    try:
        if state.running is None:
            started, facts = load_log([state.start, *state.log])
            command = pinned(started.name, started.version)
            params = command.read_params(started.params)
            state.running = Running(command, params, restore(started.inputs))
        else:
            facts = [load(stored) for stored in state.log]
    except (Diverged, CommandRefused, ValueError, TypeError, LookupError, AttributeError) as fault:
        # Written by another release: this one cannot read it, so it must not guess.
        log.error("command.unreadable", call=state.callid, why=str(fault) or type(fault).__name__)
        return Finished("", DIVERGED, (), ())
    if event is not None:
        facts.append(EventReceived(event))
    return _run(state.running, facts)


def _run(running: Running, facts: Sequence[Fact]) -> Outcome:
    command = running.command
    try:
        return run(command.flow(running.params, running.context), facts)
    except Diverged as fault:
        log.error("command.diverged", command=command.name, why=str(fault))
        return Finished("", DIVERGED, (), ())
    except MappingBug as fault:
        log.error("command.bug", command=command.name, why=str(fault), exc_info=fault)
        return Finished("", BUG, (), ())


def awaited(state: CallState) -> tuple[Verb, ...]:
    """Give the verbs of the document whose end the open command waits for; () when it does not."""
    if state.start is None:
        return ()
    pending = feed(state)
    if isinstance(pending, Finished) or not isinstance(pending.action, Reply):
        return ()
    return pending.action.verbs


def request_body(state: CallState, *, status: str = "") -> bytes:
    """Write the RT.Request this state asks with: the same state gives the same bytes."""
    return write_request(
        RtRequest(
            app=state.app,
            callid=state.callid,
            request_hash=state.request_hash,
            cli_name=state.cli_name,
            cli_number=state.cli_number,
            date_started=rt_date(state.started_at),
            number=state.number,
            command=state.command,
            command_id=state.command_id,
            command_result=state.result,
            command_error=state.error,
            call_status=status or state.call_status,
            cdr_field=state.cdr_field,
            variables=state.variables,
        )
    )


def _known(command: Command[Params], params: dict[str, Any]) -> dict[str, Any]:
    """Keep only the params the command knows: the rest is ignored and not worth storing."""
    if params.keys() <= command.known:
        return params
    return {name: value for name, value in params.items() if name in command.known}


def _voice(runtime: Runtime, name: str) -> VoiceMatch:
    """Choose the Plivo voice for a voice of an app; apps use the same few again and again."""
    match = runtime.voices.get(name)
    if match is None:
        settings = runtime.settings
        match = resolve_voice(name, settings.voices, settings.default_voice)
        if len(runtime.voices) < MOST_VOICES and len(name) <= LONGEST_VOICE:
            runtime.voices[name] = match
    return match


def _context(
    runtime: Runtime, app: App, state: CallState, command: Command[Params], params: Params
) -> CallContext:
    voices: dict[str, tuple[str, str]] = {}
    library: dict[str, str | None] = {}
    for media in command.media_of(params):
        if isinstance(media, TtsMedia) and media.voice not in voices:
            match = _voice(runtime, media.voice)
            voices[media.voice] = (match.voice.voice, match.voice.language)
            if not match.exact:
                log.warning("voice.replaced", call=state.callid, app=app.hash, why=match.reason)
        elif isinstance(media, LibraryMedia):
            library[media.id] = runtime.library.url_of(media.id)
    return CallContext(
        callid=state.callid,
        name="m" + unguessable(runtime.secret, "command", str(state.callid), str(state.version)),
        scope="" if app.settings.share_rooms else app.hash,
        caller_id=app.settings.blocked_caller_id or state.caller_id,
        answered=state.answered,
        rest=runtime.settings.plivo_rest,
        partial_read=app.settings.partial_read,
        dial_music_url=app.settings.dial_music_url,
        call_recording=state.call_recording,
        voices=voices,
        library=library,
    )


__all__ = ["BUG", "DIVERGED", "awaited", "feed", "request_body", "start"]
