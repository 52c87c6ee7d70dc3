from __future__ import annotations

import ssl
from unittest.mock import Mock

import aiohttp
import pytest

from bridge.doctor.patient import reachable, reason
from bridge.settings_types import Listen

KEY = Mock(host="voice.example.com", port=443, ssl=True)


@pytest.mark.parametrize(
    ("error", "phrase"),
    [
        (TimeoutError(), "no answer in 10 s"),
        (ConnectionResetError(104, "x"), "Connection reset by peer"),
        (aiohttp.ClientConnectorError(KEY, OSError(111, "x")), "Connection refused"),
        (
            aiohttp.ClientConnectorDNSError(KEY, OSError(-2, "x")),
            "its host name cannot be resolved",
        ),
        (
            aiohttp.ClientConnectorCertificateError(KEY, ssl.CertificateError("x")),
            "its certificate is not valid for that name",
        ),
        (aiohttp.ServerDisconnectedError(), "Server disconnected"),
        (aiohttp.ClientError(), "ClientError"),
    ],
)
def test_why_a_request_came_to_nothing(error: Exception, phrase: str) -> None:
    """It is said in words an operator knows."""
    assert phrase == reason(error)


@pytest.mark.parametrize(
    ("address", "base"),
    [
        ("127.0.0.1:8081", "http://127.0.0.1:8081"),
        ("0.0.0.0:8081", "http://127.0.0.1:8081"),
        ("[::]:8081", "http://[::1]:8081"),
    ],
)
def test_where_a_listener_is_reached(address: str, base: str) -> None:
    """One that listens everywhere is reached on this machine."""
    assert base == reachable(Listen.parse(address))
