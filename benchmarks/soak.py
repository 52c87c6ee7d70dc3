"""Thousands of calls through one process, which may not grow, slow down, or keep files open.

`python -m benchmarks.soak --help`. A bridge as users run it gets whole calls of every kind from
callers who call again and again (`benchmarks.callers`, `benchmarks.servers.scripted`). After every
window of calls its resident memory, its open files and the series of its metrics are read, and its
processor time of a call is compared with that of a request to the server `direct` meanwhile.
The exit status is 1, with a sentence, when the last quarter of the windows is too far from the first.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.callers import Caller, Count
from benchmarks.load import Load
from benchmarks.loops import new_loop
from benchmarks.processes import Server, choose_cores, pin
from benchmarks.rig import Rig, store_url
from benchmarks.webhooks import fixed_turns
from benchmarks.wire import UnexpectedReply

__all__ = ["APP", "STINT_S", "Window", "faults", "main", "soak"]

APP: Final = ("-m", "benchmarks.servers.scripted")
"""The command of the app whose calls they are."""

MOST_MEMORY: Final = 1.05
MOST_COST: Final = 1.10
MORE_FILES: Final = 2
"""The pool of connections to the app breathes by so many."""

STORES: Final = ("sqlite", "valkey")
"""Not the store in memory: what it keeps for a minute is the memory that is measured."""

#: The shortest times there are: what is over is to be purged during the run.
SETTINGS: Final = {
    "BRIDGE_PLIVO_REST": "false",
    "BRIDGE_CALL_RETENTION_S": "60",
    "BRIDGE_CDR_RETENTION_S": "60",
    "BRIDGE_HANGUP_RETRY_FOR_S": "30",
    "BRIDGE_MEDIA_TTL_S": "60",
    "BRIDGE_RECORDING_TTL_S": "60",
    "BRIDGE_RECORDING_GRACE_S": "1",
}
_LEAST_S: Final = 300.0
#: The first two purges belong to the warm-up: the cache of the connection that deletes is filled then.
_WARM_S: Final = 135.0
_CALLERS: Final = 100
_CONNECTIONS: Final = 32
STINT_S = 0.5
"""Callers and yardstick take turns of so many seconds."""
_MICRO: Final = 1e6
_MIB: Final = 2**20
_HEAD: Final = "   calls   webhooks  CPU us/call  direct  ratio   memory  files  series   disk"


@dataclass(frozen=True, slots=True)
class Window:
    """What was read after some calls; times in µs of processor, sizes in bytes.

    `direct` is the cost of a request to the server of that name.
    """

    calls: int
    webhooks: int
    cost: float
    direct: float
    rss: int
    files: int
    series: int
    disk: int = 0

    @property
    def ratio(self) -> float:
        """The cost of a call in requests to `direct`; NaN where that took no time to be seen."""
        return self.cost / self.direct if self.direct else math.nan

    def line(self) -> str:
        """Write a row of the table."""
        return (
            f"{self.calls:8,} {self.webhooks:10,} {self.cost:12,.0f} {self.direct:8,.0f} "
            f"{self.ratio:6.2f} {self.rss / _MIB:5.1f} MiB {self.files:5} {self.series:7} "
            f"{self.disk / _MIB:5.1f} MiB"
        )


def faults(windows: Sequence[Window]) -> list[str]:
    """Say in what the last quarter of the windows is too far from the first one."""
    part = max(1, len(windows) // 4)
    first, last = windows[:part], windows[-part:]
    found: list[str] = []

    def compare(
        what: str, of: Callable[[Window], float], over: Callable[[list[float]], float], most: float
    ) -> None:
        before, after = over([of(w) for w in first]), over([of(w) for w in last])
        grown = after / before
        print(f"{what}: {grown:.3f} times that of the start, at most {most:.2f} are allowed")
        if grown > most:
            found.append(f"{what} grew from {before:,.2f} to {after:,.2f}: {grown:.3f} times.")

    compare("resident memory (MiB)", lambda w: w.rss / _MIB, max, MOST_MEMORY)
    compare(
        "processor time of a call, over that of a direct answer",
        lambda w: w.ratio,
        median,
        MOST_COST,
    )
    for what, more, allowed in (
        # Connections come and go with the moment of the look; what stays open is in the fewest too.
        ("open files", min(w.files for w in last) - min(w.files for w in first), MORE_FILES),
        ("series of metrics", max(w.series for w in last) - max(w.series for w in first), 0),
    ):
        print(f"{what}: {more:+} since the start, at most {allowed} more are allowed")
        if more > allowed:
            found.append(f"There are {more} more {what} than at the start.")
    return found


def soak(
    rig: Rig,
    runner: asyncio.Runner,
    *,
    store: str,
    calls: int,
    warm: int,
    window: int,
    least_s: float,
) -> list[Window]:
    """Place the calls; give what was read after each window of them, the warm-up not counted.

    The windows are spread over `least_s`, so that purges take their part; so long as they have not,
    and `warm` calls were not placed, it is the warm-up.
    Raises UnexpectedReply when a reply is wrong, or when the app was not told of every end.
    """
    with ExitStack() as stack:
        valkey = stack.enter_context(rig.valkey("server")) if store == "valkey" else None
        url = store if valkey is None else store_url(valkey)
        bridge = stack.enter_context(rig.bridge("bridge", store=url, settings=SETTINGS))
        # Without the app: its answers differ, and so does the time it takes for them.
        direct = rig.start("direct")
        count = Count()
        load = Load(
            bridge.port, [Caller(n, count) for n in range(_CALLERS)], connections=_CONNECTIONS
        )
        yardstick = Load(direct.port, fixed_turns(_CALLERS), connections=_CONNECTIONS)
        windows: list[Window] = []
        warm_s = min(_WARM_S, least_s / 2)
        begun = time.monotonic()
        runner.run(yardstick.run_for(STINT_S))
        print(_HEAD)
        while count.calls < calls:
            warming = count.calls < warm
            if not warming:
                # The rest of the time for the rest of the calls.
                done = (count.calls - warm) / (calls - warm)
                due = begun + warm_s + (least_s - warm_s) * done
                time.sleep(max(0.0, due - time.monotonic()))
            upto = min(calls, warm if warming else count.calls + window)
            read = _window(rig, runner, bridge, load, count, upto, direct, yardstick)
            print(read.line() + ("  warm-up" if warming else ""), flush=True)
            if not warming:
                windows.append(read)
        for one in (load, yardstick):
            runner.run(one.close())
        _await_ends(rig, count)
    return windows


def _window(  # noqa: PLR0917 - the two sides of a comparison
    rig: Rig,
    runner: asyncio.Runner,
    bridge: Server,
    load: Load,
    count: Count,
    upto: int,
    direct: Server,
    yardstick: Load,
) -> Window:
    """Place calls until there were so many, beside short stints of the yardstick."""
    calls, webhooks = count.calls, count.webhooks
    cost = of_direct = 0.0
    requests = 0
    while count.calls < upto:
        cpu = bridge.cpu_seconds()
        runner.run(load.run_for(STINT_S))
        cost += bridge.cpu_seconds() - cpu
        cpu = direct.cpu_seconds()
        requests += runner.run(yardstick.run_for(STINT_S / 2)).total
        of_direct += direct.cpu_seconds() - cpu
    return Window(
        calls=count.calls,
        webhooks=count.webhooks - webhooks,
        cost=cost / (count.calls - calls) * _MICRO,
        direct=of_direct / requests * _MICRO,
        rss=bridge.rss_bytes(),
        files=bridge.open_files(),
        series=_series(bridge),
        disk=sum(path.stat().st_size for path in rig.directory.glob("bridge.db*")),
    )


def _series(bridge: Server) -> int:
    assert bridge.health_url is not None, "the bridge has an admin listener"
    url = bridge.health_url.replace("/readyz", "/metrics")
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own loopback URL
        return sum(not line.startswith(b"#") for line in answer)


def _await_ends(rig: Rig, count: Count) -> None:
    """Wait until the app was told the end of every call that ended."""
    give_up = time.monotonic() + 30
    while (told := rig.app_posts()) < count.calls:
        if time.monotonic() > give_up:
            raise UnexpectedReply(f"The app was told {told} of {count.calls} ends.")
        time.sleep(0.2)
    print(f"the app was told the end of {told:,} calls")


def main(given: Sequence[str]) -> int:
    """Run the soak; give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000, help="calls in all (%(default)s)")
    parser.add_argument(
        "--warm", type=int, default=2_000, help="calls of the warm-up (%(default)s)"
    )
    parser.add_argument("--window", type=int, default=900, help="calls of a window (%(default)s)")
    parser.add_argument("--store", choices=STORES, default="sqlite", help="default: %(default)s")
    parser.add_argument(
        "--seconds",
        type=float,
        default=_LEAST_S,
        help="least duration: what is over for a minute is purged once a minute (%(default)s)",
    )
    options = parser.parse_args(given)
    cores = choose_cores()
    with (
        tempfile.TemporaryDirectory(prefix="rt-bridge-soak-") as name,
        pin(cores.load),
        Rig(Path(name), cores, APP) as rig,
        asyncio.Runner(loop_factory=new_loop) as runner,
    ):
        try:
            windows = soak(
                rig,
                runner,
                store=options.store,
                calls=options.calls,
                warm=options.warm,
                window=options.window,
                least_s=options.seconds,
            )
        except UnexpectedReply as error:
            print(error, file=sys.stderr)
            return 1
    found = faults(windows)
    for sentence in found:
        print(sentence, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
