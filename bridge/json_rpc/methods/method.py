"""What a method is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from bridge.json_rpc.api import Api
from bridge.json_rpc.args import Args


@dataclass(frozen=True, slots=True)
class Method:
    """One method. `params` is what people write between the brackets, for errors and the docs."""

    name: str
    params: str
    run: Callable[[Api, Args], Awaitable[Any]]
    aliases: tuple[str, ...] = ()

    def signature(self, name: str = "") -> str:
        """Write the method as people do, under one of its names."""
        return f"{name or self.name}({self.params})"


__all__ = ["Method"]
