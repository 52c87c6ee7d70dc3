"""Make, end and transfer calls (pages "Make a call", "Hang up calls", "Transfer a call")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from bridge.simulator import control
from bridge.simulator.causes import HUNG_UP_BY_API
from bridge.simulator.inputs import HungUp
from bridge.simulator.outbound import CallOptions, OutboundLine
from bridge.simulator.rest.asked import Asked, Refused, Reply, Route, plain_number

if TYPE_CHECKING:
    from bridge.simulator.platform import Application

MOST_DESTINATIONS: Final = 1000
LONGEST_NAME: Final = 50
_DAY_S: Final = 86_400
_LEGS: Final[tuple[control.Legs, ...]] = ("aleg", "bleg", "both")
_DETECTION: Final[tuple[Literal["", "true", "hangup"], ...]] = ("", "true", "hangup")


def make(asked: Asked) -> Reply:
    """Call one number, or several joined by `<`; more than the account may at once wait in a queue."""
    caller = asked.phone("from")
    called = [plain_number("to", one, asked.bad) for one in asked.required("to").split("<")]
    if len(called) > MOST_DESTINATIONS:
        asked.bad("to", f"may name {MOST_DESTINATIONS} numbers, not {len(called)}")
    application, options = _application(asked), _options(asked)
    parent = asked.text("parent_call_uuid")
    missing = parent and asked.api.registry.line(parent) is None
    if missing and asked.flag("error_if_parent_not_found"):
        raise Refused(404, "parent_call_uuid: call not found")
    plivo = asked.api.plivo
    uuids = [plivo.make_call(caller, one, application, **options) for one in called]
    lines = [plivo.find(uuid) for uuid in uuids]
    word = (
        "queued"
        if any(isinstance(line, OutboundLine) and line.queued for line in lines)
        else "fired"
    )
    if len(uuids) == 1:
        return Reply(201, {"message": f"call {word}", "request_uuid": uuids[0]})
    return Reply(201, {"message": f"calls {word}", "request_uuid": uuids})


def _application(asked: Asked) -> Application:
    from bridge.simulator.platform import Application  # noqa: PLC0415 -- the platform serves this API

    return Application(
        asked.required_url("answer_url"),
        asked.url("hangup_url"),
        asked.url("fallback_url"),
        asked.http_method("answer_method"),
        asked.http_method("hangup_method"),
        asked.http_method("fallback_method"),
        asked.url("ring_url"),
        asked.http_method("ring_method"),
    )


def _options(asked: Asked) -> CallOptions:
    name = asked.text("caller_name")
    if len(name) > LONGEST_NAME:
        asked.bad("caller_name", f"may have {LONGEST_NAME} characters, not {len(name)}")
    asked.whole("machine_detection_maximum_speech_length", 5000, 1000, 6000)
    asked.whole("machine_detection_initial_silence", 4500, 2000, 10_000)
    detection = asked.text("machine_detection").lower().replace("false", "")
    options: CallOptions = {
        "ring_timeout": asked.whole("ring_timeout", 120, 0, 600),
        "time_limit": asked.whole("time_limit", 14_400, 1, _DAY_S),
        "send_digits": asked.text("send_digits"),
        "send_on_preanswer": asked.flag("send_on_preanswer"),
        "machine_detection": asked.one_of("machine_detection", detection, _DETECTION),
        "machine_detection_time": asked.whole("machine_detection_time", 5000, 2000, 10_000),
        "machine_detection_url": asked.url("machine_detection_url"),
        "machine_detection_method": asked.http_method("machine_detection_method"),
        "sip_headers": asked.text("sip_headers"),
    }
    if name:
        options["caller_name"] = name
    if asked.text("hangup_on_ring"):
        options["hangup_on_ring"] = asked.whole("hangup_on_ring", 0, 0, _DAY_S)
    return options


def hang_up(asked: Asked) -> Reply:
    """End a call, by its own uuid or that of its request."""
    if not asked.api.plivo.hang_up(asked.ids["call_uuid"]):
        raise Refused(404, "call not found")
    return Reply(204)


def hang_up_all(asked: Asked) -> Reply:
    """End every call of the account: one missing uuid away from ending one, so it is a problem."""
    ended = control.hang_up_all(asked.api.plivo)
    asked.api.add("problem", f"DELETE Call/ without a uuid ended every call: {ended}", ended=ended)
    return Reply(204)


def cancel(asked: Asked) -> Reply:
    """End the call of a request."""
    for line in asked.api.plivo.calls.values():
        if line.leg.request_uuid == asked.ids["request_uuid"]:
            line.post(HungUp(HUNG_UP_BY_API))
            return Reply(204)
    raise Refused(404, "request not found")


def transfer(asked: Asked) -> Reply:
    """Send a call, the party it dialled, or both to other documents."""
    legs = asked.choice("legs", _LEGS)
    urls = {
        leg: asked.required_url(f"{leg}_url") if legs in {leg, "both"} else ""
        for leg in ("aleg", "bleg")
    }
    methods = [asked.http_method(f"{leg}_method") for leg in ("aleg", "bleg")]
    done = control.transfer(
        asked.api.plivo,
        asked.line().uuid,
        legs,
        urls["aleg"],
        urls["bleg"],
        aleg_method=methods[0],
        bleg_method=methods[1],
    )
    if not done:
        raise Refused(404, "call not found")
    return Reply(202, {"message": "call transferred"})


ROUTES: Final[tuple[Route, ...]] = (
    Route("POST", "Call/", make),
    Route("DELETE", "Call/", hang_up_all),
    Route("DELETE", "Call/{call_uuid}/", hang_up),
    Route("POST", "Call/{call_uuid}/", transfer),
    Route("DELETE", "Request/{request_uuid}/", cancel),
)

__all__ = ["ROUTES"]
