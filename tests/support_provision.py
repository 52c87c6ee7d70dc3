"""An account at the simulated Plivo, and `rt-bridge provision` against it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from support_plivo import ACCOUNT

from bridge.__main__ import main
from bridge.addresses import RETRIES
from bridge.simulator.clock import VirtualClock
from bridge.simulator.faults import Faults
from bridge.simulator.platform import Application, Plivo

PUBLIC = "https://voice.example.com"
SHOP, SALES, FREE = "33187654321", "33187654322", "33187654323"
OLD = Application(
    "https://old.example.com/answer?key=s3cret", "https://old.example.com/over", "", "GET"
)
CONFIG = """\
public_url = "{public_url}"
plivo_auth_id = "{auth_id}"
plivo_auth_token = "{token}"
plivo_api_url = "{api_url}"
store = "sqlite:///{folder}/bridge.db"

[apps.SHOP]
url = "http://127.0.0.1:9/rt"
numbers = {shop}

[apps.SALES]
url = "http://127.0.0.1:9/rt"
numbers = {sales}
{more}
"""

Json = dict[str, Any]
#: Applications by name, as the API shows them, and the application's name of each number.
Shown = tuple[dict[str, dict[str, str]], dict[str, str]]


def urls(app: str, public_url: str = PUBLIC) -> dict[str, str]:
    """Give what the application of an app has to have."""
    base = f"{public_url}/plivo/{app}"
    return {
        "answer_url": f"{base}/answer{RETRIES}",
        "answer_method": "POST",
        "hangup_url": f"{base}/hangup{RETRIES}",
        "hangup_method": "POST",
        "fallback_answer_url": f"{base}/fallback{RETRIES}",
        "fallback_method": "POST",
    }


@dataclass
class Desk:
    """Where somebody provisions an account."""

    plivo: Plivo
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        """Give the file that remembers what was there before."""
        return self.folder / "rt-bridge-provision.json"

    @property
    def saved(self) -> Json:
        """Read that file."""
        read: Json = json.loads(self.state.read_text())
        return read

    def environment(self, **changes: str) -> dict[str, str]:
        """Write the settings; gives the variable that names them."""
        values = {
            "public_url": PUBLIC,
            "auth_id": ACCOUNT.auth_id,
            "token": ACCOUNT.auth_token,
            "api_url": self.plivo.api_url,
            "folder": str(self.folder),
            "shop": json.dumps([f"+{SHOP}"]),
            "sales": json.dumps([f"+{SALES}"]),
            "more": "",
            **self.settings,
            **changes,
        }
        path = self.folder / "bridge.toml"
        path.write_text(CONFIG.format(**values))
        return {"BRIDGE_CONFIG": str(path)}

    async def provision(self, *arguments: str, **changes: str) -> Result:
        """Run the command, while the account answers."""
        environment = self.environment(**changes)
        return await asyncio.to_thread(
            CliRunner().invoke, main, ["provision", *arguments], env=environment
        )

    async def apply(self, *arguments: str, **changes: str) -> Result:
        """Apply without being asked."""
        return await self.provision("--apply", "--yes", *arguments, **changes)

    async def undo(self, *arguments: str, **changes: str) -> Result:
        """Put everything back without being asked."""
        return await self.provision("--undo", "--yes", *arguments, **changes)

    def add(self, name: str, application: Application, **more: Any) -> str:
        """Let the account have an application; gives its id."""
        return add(self.plivo, name, application, **more)

    def shown(self) -> Shown:
        """Give what the account has."""
        registry = self.plivo.api.registry
        applications = {
            one.name: {
                "answer_url": one.application.answer_url,
                "answer_method": one.application.answer_method,
                "hangup_url": one.application.hangup_url or one.application.answer_url,
                "hangup_method": one.application.hangup_method,
                "fallback_answer_url": one.application.fallback_url,
                "fallback_method": one.application.fallback_method,
            }
            for one in registry.applications().values()
        }
        owners = {number: registry.of(number) for number in self.plivo.numbers}
        return applications, {n: owner.name if owner else "" for n, owner in owners.items()}

    def writes(self) -> list[tuple[str, Mapping[str, Any]]]:
        """List the requests that were to change something: method and resource, and the body."""
        return [
            (f"{entry.data['method']} {entry.data['path'].partition('/')[0]}", entry.data["body"])
            for entry in self.plivo.timeline.of("rest")
            if entry.data["method"] != "GET"
        ]


def add(plivo: Plivo, name: str, application: Application, **more: Any) -> str:
    """Let an account have an application; gives its id."""
    from bridge.simulator.rest.registry import Registered  # noqa: PLC0415 -- beside its use

    registered = Registered(plivo.api.registry.new_id(), name, application, dict(more))
    plivo.api.registry.add(registered)
    return registered.app_id


@asynccontextmanager
async def desk(folder: Path, faults: Sequence[str] = ()) -> AsyncIterator[Desk]:
    """Let there be an account with three numbers, one of which an old application has."""
    plivo = Plivo(
        clock=VirtualClock(), account=ACCOUNT, seed=1, faults=Faults.parse(faults, seed=1)
    )
    async with plivo:
        nobody = Application("")
        plivo.numbers = {SHOP: nobody, SALES: nobody, FREE: OLD}
        add(plivo, "old-ivr", OLD, default_number_app=True, log_incoming_messages=False)
        yield Desk(plivo, folder)
