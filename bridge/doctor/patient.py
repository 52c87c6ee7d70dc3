"""What every check is given: the settings, a client, and the bridge that runs with them, if any."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import aiohttp

from bridge.health import INSTANCE
from bridge.rt.failures import NO_SUCH_HOST, reason_of
from bridge.settings_types import Listen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.settings import Settings

__all__ = ["ASK_S", "Patient", "Running", "find_running", "reachable", "reason"]

#: Longest any server may take to answer, except the apps, in s.
ASK_S: Final = 10.0
_OK: Final = 200
#: A wildcard address is for listening only; its bridge is asked on the same machine.
_WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True, slots=True)
class Running:
    """The bridge behind BRIDGE_ADMIN_LISTEN.

    `instance` names its process, or those of all its workers; "" = none answers there, and `why` says
    so. `checks` are its own.
    """

    instance: str = ""
    why: str = ""
    checks: dict[str, str] | None = None

    def is_named(self, instance: str) -> bool:
        """Tell whether this is the bridge of the process with that name."""
        return bool(instance) and instance in self.instance.split(", ")


@dataclass(frozen=True, slots=True)
class Patient:
    """A deployment that is looked at; `apps` are the hashes of the apps that are.

    `made` are those of them made through JSON-RPC, each with why it cannot be asked, "" = it can.
    """

    settings: Settings
    session: aiohttp.ClientSession
    apps: tuple[str, ...]
    running: Running
    dry_call: bool = False
    made: Mapping[str, str] = field(default_factory=dict)


def reachable(address: Listen) -> str:
    """Give the base URL under which this machine reaches a listener."""
    return f"http://{Listen(_WILDCARDS.get(address.host, address.host), address.port)}"


def reason(error: Exception) -> str:
    """Say why a request came to nothing."""
    if isinstance(error, TimeoutError):
        return f"no answer in {ASK_S:g} s"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return NO_SUCH_HOST
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not valid for that name"
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, OSError) and cause.errno:
        return reason_of(cause)
    return str(error) or type(error).__name__


async def find_running(session: aiohttp.ClientSession, settings: Settings) -> Running:
    """Ask the admin listener which process it is, and how it does."""
    base = reachable(settings.admin_listen)
    try:
        async with session.get(f"{base}/healthz") as alive:
            instance = alive.headers.get(INSTANCE, "")
        if not instance:
            return Running(why=f"{settings.admin_listen} is answered by something else")
        async with session.get(f"{base}/readyz") as ready:
            report = await ready.json()
        return Running(instance, "", {str(k): str(v) for k, v in report["checks"].items()})
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Running(why=f"nothing answers at {settings.admin_listen} ({reason(error)})")
    except (ValueError, LookupError, TypeError, AttributeError):
        return Running(why=f"{settings.admin_listen} is answered by something else")
