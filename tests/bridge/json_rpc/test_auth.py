"""Credentials and wrong logins."""

from __future__ import annotations

import pytest
from support_e2e import settings_for
from support_rpc import CREDENTIALS, KEY, basic

from bridge.json_rpc import auth
from bridge.json_rpc.auth import TRIES, Attempts, Credentials


def _credentials(**settings: object) -> Credentials:
    values = {"apps": {"A": {"url": "https://app.example.com/"}}, **settings}
    return Credentials(settings_for("memory:", "https://api.plivo.com", values))


class _Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_without_settings_there_are_no_credentials() -> None:
    """Nothing opens an API that is off, whatever is given."""
    none = _credentials()

    assert not none
    assert not any(none.admit(one) for one in ("", "Basic Og==", "Api-Key ", "Api-Key"))


def test_every_key_opens() -> None:
    """Of several API keys, each opens and no part of one does."""
    credentials = _credentials(rpc_api_keys="one-key,other-key")

    assert credentials.admit("Api-Key one-key")
    assert credentials.admit("Api-Key other-key")
    assert not credentials.admit("Api-Key one-key,other-key")
    assert not credentials.admit("Api-Key one")


def test_colons_belong_to_the_password() -> None:
    """A password may hold colons and any letters; the login ends at the first colon."""
    credentials = _credentials(rpc_login="me", rpc_password="a:b:ç")

    assert credentials.admit(basic("me", "a:b:ç")["Authorization"])
    assert not credentials.admit(basic("me:a", "b")["Authorization"])


def test_everything_is_compared_by_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparisons are of digests of one length, whatever is given, and all keys are compared."""
    seen: list[tuple[int, int]] = []

    def compare(one: bytes, other: bytes) -> bool:
        seen.append((len(one), len(other)))
        return one == other

    credentials = _credentials(**{**CREDENTIALS, "rpc_api_keys": [KEY, "k2", "k3"]})
    monkeypatch.setattr("bridge.json_rpc.auth.hmac.compare_digest", compare)
    assert credentials.admit(f"Api-Key {KEY}")
    assert not credentials.admit("Api-Key x")
    assert not credentials.admit(basic("x", "y")["Authorization"])

    assert [(32, 32)] * 7 == seen


def test_tries_come_back_one_a_second() -> None:
    """Wrong logins use the tries of their address up; each second gives one back, and no more."""
    time = _Time()
    attempts = Attempts(time)
    assert list(range(TRIES - 1, -1, -1)) == [attempts.failed("a") for _ in range(TRIES)]
    assert not attempts.may_try("a")
    assert attempts.may_try("b")

    time.now += 1
    assert attempts.may_try("a")
    assert 0 == attempts.failed("a")
    time.now += 10 * TRIES
    assert TRIES - 1 == attempts.failed("a")


def test_addresses_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many addresses do not fill the memory: the one not heard of for longest goes."""
    monkeypatch.setattr(auth, "_MOST_ADDRESSES", 2)
    attempts = Attempts(_Time())
    for _ in range(TRIES):
        attempts.failed("a")
    attempts.failed("b")
    assert not attempts.may_try("a")
    attempts.failed("c")

    assert attempts.may_try("a")
