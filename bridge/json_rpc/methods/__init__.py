"""The methods by their names; a module per group."""

from __future__ import annotations

from typing import Final

from bridge.json_rpc.methods import apps, calls, dids, system
from bridge.json_rpc.methods.method import Method

METHODS: Final[dict[str, Method]] = {
    name: method
    for group in (calls, apps, dids, system)
    for method in group.METHODS
    for name in (method.name, *method.aliases)
}

__all__ = ["METHODS", "Method"]
