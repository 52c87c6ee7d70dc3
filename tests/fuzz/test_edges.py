"""Every edge where bytes of strangers come in: no fault, no growth, no secret in the log."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import io
import os
import sys
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final

import pytest
import structlog
from fuzz.edges import EDGES, TOKEN, Edge
from fuzz.rpc import SECRETS, rpc_edge
from support_logs import forget_loggers

from bridge.telemetry import configure_logging

#: Inputs per edge; seven times the documents of `make fuzz`, which are slower.
INPUTS: Final = 7 * int(os.environ.get("RT_BRIDGE_FUZZ", "0")) or 1500
SEED: Final = int(os.environ.get("RT_BRIDGE_FUZZ_SEED", "1"))
#: Inputs of one test, so that parallel workers share them and a failure names few of them.
BATCH: Final = 20_000
#: The part of a batch after which caches are warm.
WARM: Final = 0.25
#: How much more memory may be in use at the end of a batch, in bytes: caches that have a limit go on
#: filling up, and an object per input that is kept takes far more than this.
GROWTH: Final = 200_000
GROWTH_PER_INPUT: Final = 40
#: The same in blocks of memory, which cost nothing to count.
GROWTH_BLOCKS: Final = 3_000
GROWTH_BLOCKS_PER_INPUT: Final = 0.5
#: No batch takes so long (s), on the slowest machine: it hangs.
HANGS_S: Final = 900
#: What each edge must come to besides "it was refused"; else its inputs are too wild.
REACHED: Final = {
    "replies": {"command", "refused", "UNKNOWN_COMMAND", "INVALID_PARAMS"},
    "requests": {"written"},
    "documents": {"ends", "comes back"},
    "forms": {"read", "refused"},
    "signatures": {f"wrong {number}" for number in range(9)},
    "events": {"DigitsReceived", "DocumentEnded", "RecordingReceived", "ConferenceLeft"},
    "texts": {"no sound"},
    "json_rpc": {"result", "PARSE_ERROR", "INVALID_PARAMS", "UNAUTHORIZED", "NOT_SUPPORTED"},
}


class Log(io.BytesIO):
    """Where the log goes: looked at and forgotten."""

    #: What no line may hold.
    words: tuple[str, ...] = (*SECRETS, TOKEN, "Traceback")

    def __init__(self) -> None:
        super().__init__()
        self.leaks: list[bytes] = []
        self.lines = 0

    def write(self, lines: Any) -> int:
        """Look for secrets and tracebacks."""
        self.lines += lines.count(b"\n")
        if any(word.encode() in lines for word in self.words):
            self.leaks.append(bytes(lines)[:2000])
        return len(lines)


@pytest.fixture
def log() -> Iterator[Log]:
    """Log as in production, down to the last level."""
    forget_loggers()
    stream = Log()
    configure_logging("json", "debug", stream=stream)
    structlog.configure(cache_logger_on_first_use=False)
    yield stream
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _no_hang() -> Iterator[None]:
    """End a test that hangs, with the place where it does."""
    faulthandler.dump_traceback_later(HANGS_S, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@asynccontextmanager
async def opened(name: str) -> AsyncIterator[Edge]:
    """Give the edge of this name."""
    if name == "json_rpc":
        async with rpc_edge() as edge:
            yield edge
    else:
        yield EDGES[name]


async def feed(edge: Edge, name: str, seed: int, numbers: range) -> Counter[str]:
    """Feed inputs, and name the one that fails; gives what became of them."""
    outcomes: Counter[str] = Counter()
    for number in numbers:
        if number % 100 == 0:
            # What is to happen soon happens between requests.
            await asyncio.sleep(0)
        try:
            outcomes[await edge(Random(f"{seed}/{name}/{number}"))] += 1
        except Exception as fault:
            fault.add_note(f"RT_BRIDGE_FUZZ_SEED={seed}, edge {name}, input {number}")
            raise
    return outcomes


class Memory:
    """Measures what is left in use from its making on: in blocks, and `traced`, in bytes as well."""

    def __init__(self, *, traced: bool) -> None:
        gc.collect()
        self._blocks = sys.getallocatedblocks()
        self._traced = traced
        if traced:
            tracemalloc.start()

    def grown(self) -> tuple[int, int]:
        """Give bytes and blocks; bytes are 0 unless they were traced."""
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] if self._traced else 0
        tracemalloc.stop()
        return grown, sys.getallocatedblocks() - self._blocks


@pytest.mark.slow
@pytest.mark.parametrize("name", [*EDGES, "json_rpc"])
@pytest.mark.parametrize("seed", range(SEED, SEED + max(1, -(-INPUTS // BATCH))))
async def test_hostile_inputs(
    name: str, seed: int, log: Log, record_property: Callable[[str, object], None]
) -> None:
    """Whatever comes in is read or refused; nothing of it stays in memory, no secret gets logged."""
    count = min(INPUTS, BATCH)
    warm = int(WARM * count)
    async with opened(name) as edge:
        outcomes = await feed(edge, name, seed, range(warm))
        # Tracing makes an input several times as slow: the first batch of each edge tells enough.
        memory = Memory(traced=seed == SEED)
        try:
            outcomes += await feed(edge, name, seed, range(warm, count))
        finally:
            grown, blocks = memory.grown()

    record_property("inputs", count)
    record_property("grown", grown)
    record_property("blocks", blocks)
    assert set(outcomes) >= REACHED[name], outcomes
    assert grown < GROWTH + GROWTH_PER_INPUT * (count - warm)
    assert blocks < GROWTH_BLOCKS + GROWTH_BLOCKS_PER_INPUT * (count - warm)
    assert [] == log.leaks
