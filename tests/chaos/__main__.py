"""`make chaos`: kill replicas and store under a crowd of calls, and print what became of them."""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import sys
import tempfile
from dataclasses import fields
from pathlib import Path

import uvloop
from chaos.figures import table
from chaos.verdicts import violations
from chaos.world import Plan, run


def main() -> int:
    """Run once; 0 = every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    for option in fields(Plan):
        parser.add_argument(
            f"--{option.name.replace('_', '-')}",
            type=type(option.default),
            default=option.default,
            help=f"default {option.default}",
        )
    parser.add_argument(
        "--logs",
        type=Path,
        help="keep logs, Plivo's timeline and the app's requests in this folder",
    )
    given = vars(parser.parse_args())
    logs: Path | None = given.pop("logs")
    plan = Plan(**given)
    folder = logs or Path(tempfile.mkdtemp(prefix="rt-bridge-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    # Replicas that are killed leave connections behind them.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(run(plan, folder))
    wrong = violations(found)
    sys.stdout.write(f"{table(found, wrong)}\n")
    if wrong:
        sys.stdout.write(f"\nLogs and records are in {folder}; the seed was {plan.seed}.\n")
        return 1
    if logs is None:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
