"""system.*: what can be asked without any effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.json_rpc.methods.method import Method

if TYPE_CHECKING:
    from bridge.json_rpc.api import Api
    from bridge.json_rpc.args import Args


async def get_timestamp(api: Api, args: Args) -> int:
    """Give the time in whole seconds since 1970, UTC."""
    args.end()
    return int(api.runtime.clock.now())


METHODS: Final = (Method("system.get_timestamp", "", get_timestamp),)

__all__ = ["METHODS"]
