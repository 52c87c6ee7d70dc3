from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from plivo.exceptions import ResourceNotFoundError, ValidationError
from support_rest import WAITING, Rest

TAKEN = "the call is already being streamed"


@dataclass
class Service:
    """Takes streams and keeps the names of their events."""

    url: str = ""
    events: list[str] = field(default_factory=list)
    starts: list[dict[str, Any]] = field(default_factory=list)

    async def serve(self, http: web.Request) -> web.WebSocketResponse:
        """Take one."""
        socket = web.WebSocketResponse()
        await socket.prepare(http)
        async for message in socket:
            frame = json.loads(message.data)
            self.events.append(frame["event"])
            if frame["event"] == "start":
                self.starts.append(frame)
        return socket


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """Run a service for one test."""
    made = Service()
    app = web.Application()
    app.router.add_get("/audio", made.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"ws://127.0.0.1:{runner.addresses[0][1]}/audio"
    yield made
    await runner.cleanup()


async def test_a_stream_is_started_and_stopped(rest: Rest, service: Service) -> None:
    """The service hears the call, the status URL of both; the books have both instants."""
    line = await rest.call()
    calls = rest.client.calls
    started = await rest.sdk(
        calls.start_stream,
        line.uuid,
        service.url,
        audio_track="both",
        content_type="audio/x-mulaw;rate=8000",
        status_callback_url=f"{rest.app.url}/status",
        extra_headers="shop=7",
    )
    await rest.passes(1)
    running = await rest.sdk(calls.get_details_of_specific_stream, line.uuid, started.stream_id)
    await rest.sdk(calls.delete_specific_stream, line.uuid, started.stream_id)
    await rest.passes(1)
    stopped = await rest.sdk(calls.get_details_of_specific_stream, line.uuid, started.stream_id)

    (start,) = service.starts
    assert "audio streaming started" == started.message
    assert started.stream_id == start["start"]["streamId"]
    assert (["inbound", "outbound"], "audio/x-mulaw", "shop=7") == (
        start["start"]["tracks"],
        start["start"]["mediaFormat"]["encoding"],
        start["extra_headers"],
    )
    assert {"start", "media"} == set(service.events)
    assert ["StartStream", "StopStream"] == [seen["Event"] for seen in rest.app.of("/status")]
    assert ("initiated", None, service.url) == (
        running.status,
        running.end_time,
        running.service_url,
    )
    assert ("stopped", "2026-01-05 10:00:02+00:00", "2026-01-05 10:00:03+00:00") == (
        stopped.status,
        stopped.start_time,
        stopped.end_time,
    )
    assert not line.over.is_set()


async def test_streams_are_listed(rest: Rest, service: Service) -> None:
    """Those of the call, what its document began included; all are stopped at once."""
    line = await rest.call(f"<Speak>Hello</Speak><Stream>{service.url}</Stream>{WAITING}")
    await rest.passes(1)
    other = await rest.call(caller="33600000009")
    first = await rest.sdk(rest.client.calls.get_all_streams, line.uuid)
    await rest.sdk(rest.client.calls.delete_all_streams, line.uuid)
    await rest.passes(1)
    again = await rest.sdk(rest.client.calls.start_stream, line.uuid, service.url)
    second = await rest.sdk(rest.client.calls.get_all_streams, line.uuid)
    none = await rest.sdk(rest.client.calls.get_all_streams, other.uuid)

    assert ["initiated"] == [one.status for one in first.objects]
    assert ["stopped", "initiated"] == [one.status for one in second.objects]
    assert again.stream_id == second.objects[1].stream_id
    assert ([], 0) == (none.objects, none.meta.total_count)


async def test_a_call_has_one_stream_at_a_time(rest: Rest, service: Service) -> None:
    """A second one is refused."""
    line = await rest.call()
    start = rest.client.calls.start_stream
    await rest.sdk(start, line.uuid, service.url)
    with pytest.raises(ValidationError, match=TAKEN):
        await rest.sdk(start, line.uuid, f"{service.url}/2")
    with pytest.raises(ResourceNotFoundError, match="stream not found"):
        await rest.sdk(rest.client.calls.get_details_of_specific_stream, line.uuid, "x")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"service_url": None}, "service_url parameter not present"),
        ({"service_url": "https://x.example.com"}, "service_url must be a URL with wss or ws"),
        ({"audio_track": "none"}, "audio_track must be one of"),
        ({"audio_track": "both", "bidirectional": True}, "audio_track must be inbound"),
        ({"content_type": "audio/ogg"}, "content_type must be one of"),
        ({"stream_timeout": 0}, "stream_timeout must be"),
        ({"status_callback_url": "x"}, "status_callback_url must be"),
        ({"status_callback_method": "PUT"}, "status_callback_method must be"),
    ],
)
async def test_bad_streams_are_named(rest: Rest, fields: dict[str, Any], error: str) -> None:
    """400, and no stream is begun."""
    line = await rest.call()
    given = {"service_url": "wss://x.example.com/audio"} | fields
    status, body = await rest("POST", f"Call/{line.uuid}/Stream/", given)
    _, listed = await rest("GET", f"Call/{line.uuid}/Stream/")

    assert (400, True) == (status, body["error"].startswith(error)), body
    assert [] == listed["objects"]
