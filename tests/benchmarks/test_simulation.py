"""The measurement of simulated calls does what it says; how fast is not asked here."""

from __future__ import annotations

from benchmarks.simulation import exchanges, measure_simulation, steps, waiting


async def test_the_parts() -> None:
    """Each part runs its calls and gives a figure."""
    assert await exchanges(3) > 0
    assert await waiting(1) > 0
    assert await steps(12, 1) > 0


async def test_the_report() -> None:
    """The table has the figures with the aims of the project."""
    report = await measure_simulation(rounds=1, quick=True)

    assert [
        "calls of 4 turns a second",
        "CPU per HTTP request / plain aiohttp request",
        "10 minutes of waiting, real s",
        "cost of a step at turn 100 / at turn 25",
    ] == [row.figure for row in report.rows]
    assert ["", "", "< 1 s", "<= 1.10 (flat)"] == [row.aim for row in report.rows]
