"""What every part of the shell shares: settings, store, clock, clients. Built once at start."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from secrets import token_hex
from typing import TYPE_CHECKING

from bridge.asking import Desks

if TYPE_CHECKING:
    from bridge.clock import Clock
    from bridge.media import Library
    from bridge.metrics import Metrics
    from bridge.plivo.rest import PlivoRest
    from bridge.rt_client import RtApp, RtTransport
    from bridge.settings import Settings
    from bridge.settings_model import AppSettings
    from bridge.store.protocol import Store
    from mappings._plivo.voices import VoiceMatch


@dataclass(frozen=True, slots=True)
class App:
    """One RT app: its settings and how it is reached.

    `stored` = it was made while running and may change (bridge.stored_apps).
    """

    hash: str
    settings: AppSettings
    rt: RtApp
    stored: bool = False


@dataclass(frozen=True, slots=True)
class Runtime:
    """Everything outside of one call. `rest` is None when Plivo's REST API is switched off.

    `open_commands` counts the commands of live calls by name and version, where this is the only
    process on the store (bridge.open_commands); `voices` remembers the
    Plivo voices that were chosen for the voices of apps; at the `desks` the apps are asked.
    `lacking` are versions of commands which another replica does not know. `instance` names this
    process.
    """

    settings: Settings
    store: Store
    secret: bytes
    clock: Clock
    transport: RtTransport
    rest: PlivoRest | None
    metrics: Metrics
    library: Library
    apps: dict[str, App]
    open_commands: Counter[tuple[str, int]] = field(default_factory=Counter)
    voices: dict[str, VoiceMatch] = field(default_factory=dict)
    desks: Desks = field(default_factory=Desks)
    lacking: set[tuple[str, int]] = field(default_factory=set)
    instance: str = field(default_factory=lambda: token_hex(16))


__all__ = ["App", "Runtime"]
