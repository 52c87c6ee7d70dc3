"""What the bridge asks of a way to the apps, and what every such way has in common."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Final, Protocol

from bridge.settings_model import AppSettings

__all__ = [
    "CONNECTIONS_PER_HOST",
    "CONNECT_SHARE",
    "FIRST_PAUSE_S",
    "HEADERS",
    "IDLE_S",
    "LONGEST_PAUSE_S",
    "MAX_REPLY_BYTES",
    "OK",
    "RtApp",
    "RtTransport",
]

OK: Final = 200
MAX_REPLY_BYTES: Final = 1_048_576
#: Of a transport that is used alone; the bridge limits questions per app (bridge.admission).
CONNECTIONS_PER_HOST: Final = 500
#: A refused connection is tried again after this, then after twice as long each time.
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 0.8
#: The part of the budget after which no connection is waited for: an app that is asked with no
#: time left to answer may move on without the bridge.
CONNECT_SHARE: Final = 0.95
#: Shorter than the 5 s after which common servers close an idle connection: a request sent at that
#: very moment is lost, and must not be repeated because the app may have seen it.
IDLE_S: Final = 4.0
#: What the RT page shows is all that is sent.
HEADERS: Final = {"Accept": "*/*", "Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class RtApp:
    """Where an app answers.

    `url` is absolute, http or https, without a login. `authorization` is the value of the
    Authorization header, or None.
    """

    hash: str
    url: str
    authorization: str | None = field(default=None, repr=False)

    @classmethod
    def from_settings(cls, app_hash: str, settings: AppSettings) -> RtApp:
        """Describe a configured app; its login and password become HTTP Basic, as UTF-8."""
        if settings.login is None or settings.password is None:
            return cls(app_hash, settings.url)
        pair = f"{settings.login}:{settings.password.get_secret_value()}"
        encoded = base64.b64encode(pair.encode()).decode("ascii")
        return cls(app_hash, settings.url, f"Basic {encoded}")


class RtTransport(Protocol):
    """The way to the apps; tests put a scripted one in its place."""

    async def ask(self, app: RtApp, body: bytes, budget_s: float) -> bytes:
        """POST the body and return that of a reply with status 200.

        `budget_s` covers everything: connecting, trying again, sending, and the complete reply.
        Raises AppFailure.
        """
        ...
