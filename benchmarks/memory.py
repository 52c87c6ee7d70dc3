"""What one live call costs: resident memory of the bridge, and bytes in the SQLite file."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from benchmarks.load import Load
from benchmarks.report import Report, Row, judge
from benchmarks.rig import Rig
from benchmarks.webhooks import calls

__all__ = ["measure_memory", "stored_bytes"]

_MOST: Final = 2_048
# Append-only, with its own retention, and never read while a call goes well: not state.
_HISTORY: Final = "history"


def measure_memory(rig: Rig, runner: asyncio.Runner, *, live: int) -> Report:
    """Start `live` calls over HTTP at a bridge of each store, after some for warming up."""
    report = Report(f"Cost of one live call, {live:,} calls started over HTTP")
    for store in ("memory", "sqlite"):
        name = f"bridge-{store}"
        warm = max(10, live // 20)
        with rig.bridge(name, store=store) as server:
            load = Load(server.port, calls(warm, seed=3))
            # Twice: the answer and one turn, so that every path has run before the first reading.
            runner.run(load.run_once())
            runner.run(load.run_once())
            runner.run(load.close())
            before = server.rss_bytes()
            load = Load(server.port, calls(live, seed=4))
            runner.run(load.run_once())
            after = server.rss_bytes()
            runner.run(load.close())
        per_call = (after - before) / live
        if store == "memory":
            # This store keeps the history in memory as well, so the aim is not about it.
            report.add(
                "resident memory per call, memory store (history included)",
                f"{per_call:,.0f} B",
                per_call,
            )
        else:
            report.rows.append(_judged("resident memory per call, sqlite store", per_call))
        report.add(f"resident memory before, {store} store", f"{before / 2**20:,.1f} MiB", before)
        if store == "sqlite":
            tables = stored_bytes(rig.store_path(name))
            report.samples["tables"] = tables
            state = sum(size for table, size in tables.items() if table != _HISTORY)
            report.rows.append(
                _judged("state in SQLite per call, indexes included", state / (live + warm))
            )
            for table, size in sorted(tables.items(), key=lambda item: -item[1]):
                part = size / (live + warm)
                if part >= 1:
                    report.add(f"  SQLite table {table}", f"{part:,.0f} B", part)
    return report


def _judged(figure: str, per_call: float) -> Row:
    return judge(figure, f"{per_call:,.0f} B", per_call, most=_MOST, aim="<= 2 KB")


def stored_bytes(path: Path) -> dict[str, int]:
    """Give the size of every table with its indexes, in bytes, after a checkpoint.

    Nobody else may have the file open. Where SQLite was built without dbstat, everything is "all".
    """
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages, size = (
            database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size")
        )
        try:
            rows = database.execute(
                "SELECT coalesce(m.tbl_name, s.name), sum(s.pgsize) FROM dbstat AS s"
                " LEFT JOIN sqlite_master AS m ON m.name = s.name GROUP BY 1"
            ).fetchall()
        except sqlite3.OperationalError:
            rows = [("all", pages * size)]
    tables = dict(rows)
    if free := pages * size - sum(tables.values()):
        tables["(free)"] = free
    return tables
