"""Settings that are good each on its own and do not fit together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.settings_model import Settings

__all__ = ["Conflict", "conflicts"]

Conflict = tuple[tuple[str, ...], str]
"""Fields of `Settings` that do not fit together, and the sentence that says so."""


def conflicts(s: Settings) -> list[Conflict]:
    """List what does not fit together."""
    found: list[Conflict] = []

    def add(sentence: str, *fields: str) -> None:
        found.append((fields, sentence))

    if not s.apps and s.rpc_login is None and not s.rpc_api_keys:
        add(
            "No app is configured; set BRIDGE_APP_URL, or write a table [apps.<hash>] in the TOML "
            "file named by BRIDGE_CONFIG, or credentials of JSON-RPC, through which apps can be "
            "made.",
            "apps",
        )
    found += _shared_numbers(s)
    needs = ["BRIDGE_VERIFY_SIGNATURES"] * s.verify_signatures + [
        "BRIDGE_PLIVO_REST"
    ] * s.plivo_rest
    instead = f"copy it from the Plivo console, or set {' and '.join(needs)} to false."
    if needs and s.plivo_auth_id is None:
        fields = ("plivo_auth_id", "verify_signatures", "plivo_rest")
        add(f"BRIDGE_PLIVO_AUTH_ID is missing; {instead}", *fields)
    if needs and not s.plivo_auth_tokens:
        fields = ("plivo_auth_tokens", "verify_signatures", "plivo_rest")
        add(f"BRIDGE_PLIVO_AUTH_TOKEN is missing; {instead}", *fields)
    if (s.rpc_login is None) != (s.rpc_password is None):
        add(
            "BRIDGE_RPC_LOGIN and BRIDGE_RPC_PASSWORD belong together; set both or neither.",
            "rpc_login",
            "rpc_password",
        )
    if s.listen == s.admin_listen and s.listen.port != 0:
        add(
            f"BRIDGE_LISTEN and BRIDGE_ADMIN_LISTEN are both {s.listen}; give them different ports.",
            "listen",
            "admin_listen",
        )
    if s.webhook_budget_s <= s.app_timeout_s:
        add(
            f"BRIDGE_WEBHOOK_BUDGET_S ({s.webhook_budget_s:g}) must be greater than "
            f"BRIDGE_APP_TIMEOUT_S ({s.app_timeout_s:g}); raise it or lower the other.",
            "webhook_budget_s",
            "app_timeout_s",
        )
    if s.call_retention_s <= s.hangup_retry_for_s + s.recording_grace_s:
        add(
            f"BRIDGE_CALL_RETENTION_S ({s.call_retention_s:g}) must be greater than "
            f"BRIDGE_HANGUP_RETRY_FOR_S ({s.hangup_retry_for_s:g}) plus BRIDGE_RECORDING_GRACE_S "
            f"({s.recording_grace_s:g}), so that no call is deleted before its final request is "
            "delivered; raise it or lower the others.",
            "call_retention_s",
            "hangup_retry_for_s",
            "recording_grace_s",
        )
    if s.test_clock is not None and not (s.listen.is_loopback and s.test_clock.is_loopback):
        add(
            f"BRIDGE_TEST_CLOCK ({s.test_clock}) needs itself and BRIDGE_LISTEN ({s.listen}) on "
            "loopback, because whoever gives the time can stop it; unset it outside of tests.",
            "test_clock",
            "listen",
        )
    found += _workers(s)
    return found


def _workers(s: Settings) -> Iterator[Conflict]:
    if s.workers == 1:
        return
    if s.store == "memory:" or s.store_path is not None:
        sentence = (
            f"BRIDGE_WORKERS is {s.workers}, and BRIDGE_STORE ({s.store}) has room for one process; "
            "set BRIDGE_STORE to a server that they can share, redis://host:6379/0, or "
            "BRIDGE_WORKERS to 1."
        )
        yield ("workers", "store"), sentence
    if s.test_clock is not None:
        sentence = (
            f"BRIDGE_WORKERS is {s.workers}, and BRIDGE_TEST_CLOCK gives the time to one process; "
            "set BRIDGE_WORKERS to 1, or unset the other outside of tests."
        )
        yield ("workers", "test_clock"), sentence


def _shared_numbers(s: Settings) -> Iterator[Conflict]:
    owners: dict[str, str] = {}
    for app_hash, app in s.apps.items():
        for number in app.numbers:
            first = owners.setdefault(number, app_hash)
            if first != app_hash:
                sentence = (
                    f"{number} is among the numbers of {first} and of {app_hash}; a number belongs "
                    "to one app."
                )
                yield ("apps",), sentence
