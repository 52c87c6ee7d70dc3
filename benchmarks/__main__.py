"""Run the benchmarks and print their tables: `python -m benchmarks --help`.

Nothing here passes or fails by time: the exit status is 1 only when a reply was wrong or a server
did not start.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from benchmarks.growth import QUICK_SIZES, SIZES, measure_growth
from benchmarks.latency import measure_latency
from benchmarks.loops import loop_name, new_loop
from benchmarks.memory import measure_memory
from benchmarks.micro import measure_micro
from benchmarks.processes import Cores, choose_cores, pin
from benchmarks.report import Report
from benchmarks.rig import VARIANTS, Rig
from benchmarks.servers.naive import SERVER
from benchmarks.simulation import measure_simulation
from benchmarks.stores import measure_stores
from benchmarks.throughput import measure_throughput
from benchmarks.wire import UnexpectedReply

__all__ = ["main"]

_PARTS: Final = ("micro", "throughput", "latency", "memory", "simulation", "stores", "growth")
_ROUNDS: Final = 15
_LOG_LINES: Final = 10
_IDLE_LOAD: Final = 0.5


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure the bridge beside a bare proxy and a naive bridge; see docs/benchmarks.md.",
    )
    parser.add_argument(
        "--quick", action="store_true", help="a smoke run: a few short samples, no usable figures"
    )
    parser.add_argument(
        "--rounds",
        type=int,
        metavar="N",
        help=f"samples of each server (default {_ROUNDS}; fewer prove nothing)",
    )
    parser.add_argument(
        "--only", choices=_PARTS, action="append", help="this part; may be given several times"
    )
    parser.add_argument(
        "--variants",
        default=",".join(VARIANTS),
        help="servers to compare, separated by commas (default: %(default)s)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write figures and samples too")
    options = parser.parse_args(given)
    options.variants = tuple(options.variants.split(","))
    if unknown := set(options.variants) - set(VARIANTS):
        parser.error(f"unknown variants: {', '.join(sorted(unknown))}")
    if options.rounds is None:
        options.rounds = 3 if options.quick else _ROUNDS
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return options


def _environment(cores: Cores, directory: Path) -> dict[str, str]:
    pinned = (
        "not pinned: fewer than two cores, or no way to pin; throughput and latency mean little"
        if cores.server is None
        else f"server on core {cores.server}, load and app on core {cores.load}"
    )
    packages = ("aiohttp", "pydantic", "lxml", "structlog", "plivo", "flask", "requests")
    return {
        "machine": f"{platform.machine()}, {_cpu_model()}, {os.cpu_count()} CPUs, {platform.platform()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": ", ".join(f"{name} {version(name)}" for name in packages),
        "event loop": f"{loop_name()} (load, app, bare, direct; the bridge takes it when installed)",
        "naive bridge": SERVER,
        "cores": pinned,
        "load average": _other_load(),
        "bridge": (
            f"signatures on, SQLite ({_file_system(directory)}), JSON log to a file beside it"
        ),
    }


def _other_load() -> str:
    """Tell what else the machine was doing in the last minute."""
    if not hasattr(os, "getloadavg"):
        return "unknown"
    load = os.getloadavg()[0]
    busy = "; the machine is busy, expect stalls and wide quartiles" if load > _IDLE_LOAD else ""
    return f"{load:.2f}{busy}"


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown processor"


def _file_system(directory: Path) -> str:
    """Name the file system that holds the store: a RAM disk would flatter it."""
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "unknown file system"
    above = {str(parent) for parent in (directory, *directory.parents)}
    kind = max((m for m in mounts if m[1] in above), key=lambda m: len(m[1]), default=None)
    return kind[2] if kind else "unknown file system"


def _measure(part: str, options: argparse.Namespace, cores: Cores, directory: Path) -> Report:
    quick: bool = options.quick
    if part == "micro":
        with pin(cores.server):
            return measure_micro(rounds=options.rounds, seconds=0.005 if quick else 0.05)
    if part == "simulation":
        with pin(cores.server), asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(measure_simulation(rounds=options.rounds, quick=quick))
    directory = directory / part
    directory.mkdir()
    with (
        pin(cores.load),
        Rig(directory, cores) as rig,
        asyncio.Runner(loop_factory=new_loop) as runner,
    ):
        if part == "memory":
            return measure_memory(rig, runner, live=200 if quick else 10_000)
        if part == "growth":
            sizes = QUICK_SIZES if quick else SIZES
            return measure_growth(
                rig, runner, rounds=options.rounds, seconds=0.2 if quick else 1.0, sizes=sizes
            )
        if part == "stores":
            return measure_stores(rig, runner, rounds=options.rounds, seconds=0.2 if quick else 1.0)
        measure = measure_throughput if part == "throughput" else measure_latency
        return measure(
            rig,
            runner,
            rounds=options.rounds,
            seconds=0.2 if quick else 1.0,
            only=options.variants,
        )


def _ends_of_logs(directory: Path) -> str:
    """Quote the last lines of every server that wrote any: the reason is usually there."""
    ends = {
        path.name: path.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        for path in sorted(directory.glob("*.log"))
    }
    return "\n".join(["\n".join([f"--- {name}", *end]) for name, end in ends.items() if end])


def main(given: Sequence[str]) -> int:
    """Run the parts asked for; give the exit status."""
    options = _arguments(given)
    cores = choose_cores()
    reports: dict[str, Report] = {}
    with tempfile.TemporaryDirectory(prefix="rt-bridge-bench-") as name:
        environment = _environment(cores, Path(name))
        width = max(map(len, environment))
        for key, value in environment.items():
            print(f"{key:{width}}  {value}")
        if options.quick:
            print("\nQuick run: it shows that everything works; do not quote its figures.")
        for part in _PARTS:
            if options.only and part not in options.only:
                continue
            try:
                reports[part] = _measure(part, options, cores, Path(name))
            except (UnexpectedReply, RuntimeError) as error:
                print(f"\n{part}: {error}\n{_ends_of_logs(Path(name) / part)}", file=sys.stderr)
                return 1
            print(f"\n{reports[part].table()}", flush=True)
    if options.json is not None:
        _write(options.json, environment, reports, options)
    return 0


def _write(
    path: Path, environment: dict[str, str], reports: dict[str, Report], options: argparse.Namespace
) -> None:
    content: dict[str, Any] = {
        "environment": environment,
        "quick": options.quick,
        "rounds": options.rounds,
        "parts": {name: asdict(report) for name, report in reports.items()},
    }
    path.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
