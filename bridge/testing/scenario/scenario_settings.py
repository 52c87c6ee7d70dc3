"""The bridge's settings in a scenario: those of the app, and those that do not belong to the kit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from bridge.settings import AppSettings, Settings
from bridge.testing.scenario.checking import Checker
from bridge.testing.scenario.yaml_tree import Table, Tree, plain

#: Where bridge and Plivo meet is the kit's to decide.
_OF_THE_KIT: Final = frozenset(
    {
        "public_url",
        "listen",
        "admin_listen",
        "plivo_auth_id",
        "plivo_auth_tokens",
        "plivo_api_url",
        "verify_signatures",
        "store",
        "store_key",
        "admin_token",
        "rpc_login",
        "rpc_password",
        "apps",
        "log_format",
        "log_level",
    }
)
OF_APP: Final = frozenset(AppSettings.model_fields) - {"url"}
OF_BRIDGE: Final = frozenset(Settings.model_fields) - _OF_THE_KIT
_APP: Final = {"url": "http://app.invalid/"}
_BRIDGE: Final = {
    "public_url": "https://bridge.invalid",
    "plivo_auth_id": "MAXXXXXXXXXXXXXXXXXX",
    "plivo_auth_tokens": "none",
    "apps": {"DEFAULT": _APP},
}


def check_settings(tree: Tree | None, checker: Checker) -> None:
    """Check names and values, each alone and together."""
    if not isinstance(tree, Table):
        return  # the model of the head says so
    checker.names(tree, OF_APP | OF_BRIDGE, "There are")
    checker.whole = "settings"
    app, bridge = split(plain(tree))
    _check(AppSettings, _APP | app, tree, checker)
    _check(Settings, _BRIDGE | bridge, tree, checker)


def split(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part the settings of the app from those of the bridge."""
    app = {name: value for name, value in settings.items() if name in OF_APP}
    return app, {name: value for name, value in settings.items() if name in OF_BRIDGE}


def _check(model: type[BaseModel], data: Mapping[str, Any], tree: Table, checker: Checker) -> None:
    conflicts: list[tuple[tuple[str, ...], str]] = []
    try:
        model.model_validate(data, context=conflicts)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False):
            checker.invalid({**detail, "input": None}, tree, {})
    for _, sentence in conflicts:
        checker.say(tree.place, sentence)


__all__ = ["OF_APP", "OF_BRIDGE", "check_settings", "split"]
