"""The step log: a file in which plain steps of live calls are durable until the database has them.

It is mapped into memory. What is written there survives a kill of the process as any write to a
file does, and takes no call into the system: nobody waits while the file system is busy with the
disk, but for the moment in which it takes up a page again that it has just written back. The log
does not survive a power cut.

The file has two halves. Steps are added to one while those of the other are on their way into the
database; once they are there, that half starts afresh. Whoever opens a file that a killed process
has left writes what is found in it to the database first. A step fits only on the state it replaced.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from math import isnan
from pathlib import Path
from typing import Final
from zlib import crc32

from bridge.store._sqlite_jobs import Step
from bridge.store.protocol import CallWrite, HistoryRow, StoreUnavailable

#: Bytes of a half: some three hundred turns.
HALF: Final = 1 << 20
#: Bytes of the largest step that has a place here.
LARGEST: Final = 64 * 1024

_MAGIC = b"rt-bridge steps1"
_PAGE = 4096
# How often a half was used; records of another use do not count.
_USE = struct.Struct("<I")
# Length of a record, and its checksum, seeded with the use.
_RECORD = struct.Struct("<II")
# callid, base, checksum of the replaced state, touched_at, length of the state, lines of history.
_STEP = struct.Struct("<qqIdII")
# seq, at, step, length of body and document; -1 = there is none.
_LINE = struct.Struct("<qdqIi")


class StepLog:
    """The step log of one open database."""

    def __init__(self, path: Path, mapped: mmap.mmap) -> None:
        self._path = path
        self._map = mapped
        self._uses = [int(_USE.unpack_from(mapped, _start(half))[0]) for half in (0, 1)]
        #: The half being filled; None = the steps of both are on their way.
        self._half: int | None = None
        self._free: list[int] = []
        #: Where the next record begins, and where the half ends.
        self._at = self._end = 0

    @staticmethod
    def path(database: Path) -> Path:
        """Name the log of a database: it lies beside the file, also where that is linked to."""
        return Path(f"{database.resolve()}-steps")

    @classmethod
    def open(cls, database: Path, secret: bytes) -> StepLog:
        """Open or make the log of a database, which its secret tells from others at that place.

        Raises OSError, and StoreUnavailable for a file that this release cannot read.
        """
        path = cls.path(database)
        size = _start(2)
        form = _MAGIC + struct.pack("<I", HALF)
        head = form + blake2b(secret, digest_size=16, person=b"step log").digest()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            found = os.pread(descriptor, len(head), 0)
            if found.strip(b"\0") and not found.startswith(form):
                raise StoreUnavailable(
                    f"{path} was left by another release of the bridge: start and stop that one, or "
                    "delete the file with the last steps it may hold."
                )
            if found != head or os.fstat(descriptor).st_size != size:
                # Of a database that was here before, or not made to its end.
                os.ftruncate(descriptor, 0)
                _fill(descriptor, size)
                os.pwrite(descriptor, head, 0)
            return cls(path, mmap.mmap(descriptor, size))
        finally:
            os.close(descriptor)

    def found(self) -> list[tuple[int, Step]]:
        """Give the steps that a killed process has left, each call's in their order.

        Each comes with the `checksum` of the state it replaced. Of the calls only what a step
        writes is known: neither app nor uuid.
        """
        found = [_decoded(record) for half in (0, 1) for record in self._records(half)]
        return sorted(found, key=_order)

    def begin(self) -> None:
        """Forget what was found, and take steps."""
        self._renew(0)
        self._renew(1)
        self._free = [1]
        self._enter(0)

    def add(self, step: Step, replaces: bytes) -> bool:
        """Make a step durable; False = it cannot be written here, or not now."""
        half = self._half
        record = None if half is None else _encoded(step, replaces)
        if half is None or record is None:
            return False
        at, length = self._at + _RECORD.size, len(record)
        if length > LARGEST or at + length > self._end:
            return False
        self._map[at : at + length] = record
        # Last, so that a record that was not finished does not count.
        _RECORD.pack_into(self._map, self._at, length, crc32(record, self._uses[half]))
        self._at = at + length
        return True

    @property
    def has_spare(self) -> bool:
        """Tell whether steps can go on in the other half at once."""
        return bool(self._free)

    def seal(self) -> int:
        """Say that the steps of the half being filled are on their way, and go on in the other."""
        sealed, self._half = self._half, None
        if sealed is None:
            raise ValueError("no half is being filled")
        if self._free:
            self._enter(self._free.pop())
        return sealed

    def release(self, half: int) -> None:
        """Say that the database has all steps of a half."""
        self._renew(half)
        if self._half is None:
            self._enter(half)
        else:
            self._free.append(half)

    def close(self) -> None:
        """Let go of the file; it is deleted when the database has everything."""
        filling = self._half
        needed = filling is None or not self._free or self._at > _start(filling) + _USE.size
        self._map.close()
        if not needed:
            with suppress(OSError):
                self._path.unlink()

    def _records(self, half: int) -> Iterator[bytes]:
        at, end = _start(half) + _USE.size, _start(half) + HALF
        while at + _RECORD.size <= end:
            length, checksum = _RECORD.unpack_from(self._map, at)
            at += _RECORD.size
            record = self._map[at : at + min(length, LARGEST)]
            at += length
            if at > end or not record or crc32(record, self._uses[half]) != checksum:
                return
            yield record

    def _renew(self, half: int) -> None:
        self._uses[half] = (self._uses[half] + 1) & 0xFFFF_FFFF
        _USE.pack_into(self._map, _start(half), self._uses[half])

    def _enter(self, half: int) -> None:
        self._half = half
        self._at = _start(half) + _USE.size
        self._end = _start(half) + HALF


def _start(half: int) -> int:
    return _PAGE + half * HALF


def _fill(descriptor: int, size: int) -> None:
    """Give the file its bytes. A hole would be filled when it is written, which may fail then."""
    while size > 0:
        size -= os.write(descriptor, bytes(size))


def checksum(state: bytes) -> int:
    """Tell states of one call apart."""
    return crc32(state)


def _encoded(step: Step, replaces: bytes) -> bytes | None:
    """Write down a step; None = it holds something that cannot be."""
    call, lines = step
    try:
        # SQLite would take it for a missing one.
        if isnan(call.touched_at):
            return None
        size, before = len(call.blob), checksum(replaces)
        head = _STEP.pack(call.callid, call.base, before, call.touched_at, size, len(lines))
        parts = [head, call.blob]
        for line in lines:
            if line.callid != call.callid or isnan(line.at):
                return None
            number = -1 if line.step is None else line.step
            size = -1 if line.document is None else len(line.document)
            head = _LINE.pack(line.seq, line.at, number, len(line.body), size)
            parts += (head, line.body, line.document or b"")
        return b"".join(parts)
    except (struct.error, TypeError, OverflowError):
        return None


def _decoded(record: bytes) -> tuple[int, Step]:
    callid, base, before, touched_at, length, count = _STEP.unpack_from(record)
    at = _STEP.size + length
    call = CallWrite(callid, "", "", base, record[_STEP.size : at], touched_at)
    lines = []
    for _ in range(count):
        seq, when, number, length, size = _LINE.unpack_from(record, at)
        begin = at + _LINE.size
        at = begin + length
        body = record[begin:at]
        document = None if size < 0 else record[at : at + size]
        at += max(size, 0)
        lines.append(HistoryRow(callid, seq, when, body, None if number < 0 else number, document))
    return before, (call, tuple(lines))


def _order(found: tuple[int, Step]) -> tuple[int, int]:
    call = found[1][0]
    return call.callid, call.base


__all__ = ["HALF", "LARGEST", "StepLog", "checksum"]
