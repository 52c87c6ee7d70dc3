"""The servers of one benchmark run, by name: how each is started and what is sent to it."""

from __future__ import annotations

import random
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from benchmarks.processes import Cores, Server, free_port
from benchmarks.webhooks import AUTH_TOKEN, PUBLIC_URL, Job, calls, fixed_turns

__all__ = ["ONE_HOP", "VARIANTS", "Rig", "shuffled", "store_url"]

VARIANTS: Final = ("bare", "bare_again", "naive", "direct", "bridge")
"""Every server under test; `bare_again` is the same as `bare` and shows the noise."""

ONE_HOP: Final = frozenset({"direct"})
"""Those that do not ask the app."""

_MODULES: Final = {
    "bare": "benchmarks.servers.bare",
    "bare_again": "benchmarks.servers.bare",
    "naive": "benchmarks.servers.naive",
    "direct": "benchmarks.servers.direct",
}


def store_url(valkey: Server) -> str:
    """Address a Valkey of this rig as a store."""
    return f"redis://127.0.0.1:{valkey.port}/0"


def shuffled(names: Sequence[str], source: random.Random) -> list[str]:
    """Give the names in another order, so that none always follows the same one."""
    return source.sample(names, len(names))


class Rig:
    """Starts servers in `directory` and ends them all on exit; the app stub runs from the start.

    `app` is the command of another app than the stub, without its port.
    """

    def __init__(self, directory: Path, cores: Cores, app: Sequence[str] = ()) -> None:
        self.directory = directory
        self.cores = cores
        self._command = app
        self._stack = ExitStack()
        self._app: Server | None = None

    def __enter__(self) -> Self:
        """Start the app stub on the core of the load."""
        if self._command:
            port = free_port()
            app = Server(
                "app",
                [*self._command, str(port)],
                port=port,
                core=self.cores.load,
                directory=self.directory,
            )
            self._app = self._stack.enter_context(app)
        else:
            self._app = self._stub("app", core=self.cores.load)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, variant: str, *, store: str = "sqlite") -> Server:
        """Start a server under test; `store` (sqlite or memory) concerns the bridge alone."""
        if variant.startswith("bridge"):
            return self._stack.enter_context(self.bridge(variant, store=store))
        if variant == "floor":
            return self._stub("floor", core=self.cores.server, answer="xml")
        port = free_port()
        command = ["-m", _MODULES[variant], str(port)]
        if variant not in ONE_HOP:
            command.append(str(self._app_port))
        server = Server(
            variant, command, port=port, core=self.cores.server, directory=self.directory
        )
        return self._stack.enter_context(server)

    def valkey(self, name: str) -> Server:
        """Give a Valkey on the core of the load, to be entered; its address is `store_url`."""
        port = free_port()
        command = ["-m", "benchmarks.servers.valkey", str(port)]
        return Server(name, command, port=port, core=self.cores.load, directory=self.directory)

    def bridge(
        self,
        name: str,
        *,
        store: str,
        core: int | frozenset[int] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> Server:
        """Give a bridge as users run it, to be entered: signatures on, JSON log to a file.

        `store` is memory, sqlite or the URL of a Redis store; `core` another one than the usual;
        `settings` more of the environment.
        """
        port, admin = free_port(), free_port()
        path = self.store_path(name)
        urls = {"memory": "memory:", "sqlite": f"sqlite:///{path}"}
        environ = {
            "BRIDGE_PUBLIC_URL": PUBLIC_URL,
            "BRIDGE_LISTEN": f"127.0.0.1:{port}",
            "BRIDGE_ADMIN_LISTEN": f"127.0.0.1:{admin}",
            "BRIDGE_APP_URL": f"http://127.0.0.1:{self._app_port}/",
            "BRIDGE_PLIVO_AUTH_ID": "MAXXXXXXXXXXXXXXXXXX",
            "BRIDGE_PLIVO_AUTH_TOKEN": AUTH_TOKEN,
            # No command of the load needs REST; nothing may leave the machine if one ever did.
            "BRIDGE_PLIVO_API_URL": "http://127.0.0.1:9",
            "BRIDGE_STORE": urls.get(store, store),
            "BRIDGE_LOG_FORMAT": "json",
            **(settings or {}),
        }
        return Server(
            name,
            ["-m", "bridge", "serve"],
            port=port,
            core=self.cores.server if core is None else core,
            directory=self.directory,
            environ=environ,
            health_url=f"http://127.0.0.1:{admin}/readyz",
        )

    def store_path(self, name: str) -> Path:
        """Tell where the SQLite file of the bridge with this name is."""
        return self.directory / f"{name}.db"

    def app_posts(self) -> int:
        """Ask the stub how many requests the app has had so far."""
        url = f"http://127.0.0.1:{self._app_port}/"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.read())

    @staticmethod
    def jobs(variant: str, count: int, *, seed: int = 1) -> Sequence[Job]:
        """Make the requests of `count` callers: real calls for the bridge, fixed turns else."""
        if variant.startswith("bridge"):
            return calls(count, seed=seed)
        return fixed_turns(count, seed=seed)

    @property
    def _app_port(self) -> int:
        assert self._app is not None, "the rig has to be entered first"
        return self._app.port

    def _stub(self, name: str, *, core: int | None, answer: str = "app") -> Server:
        port = free_port()
        command = ["-m", "benchmarks.stub", str(port), answer]
        server = Server(name, command, port=port, core=core, directory=self.directory)
        return self._stack.enter_context(server)
