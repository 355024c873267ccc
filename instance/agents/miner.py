"""The miner: reads what changed in a repository, and keeps count of its code patterns.

Each batch of files is one transaction, so a scan that is interrupted goes on where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from instance.agents.manifests import own_modules_of
from instance.agents.reading import Batch, Reading, read_batch
from instance.analysis.workspace import Changes, FileStamp, Skipped, Workspace, changes
from instance.learning.support import difference
from instance.store import chunks
from instance.store import workspace as store
from instance.store.workspace import FileRow, Repository
from shared.database import transaction
from shared.pool import cpu_pool

BATCH_FILES_MAX: Final = 100
BATCH_BYTES_MAX: Final = 1024**2
POOL_FROM_FILES: Final = 20
"""Fewer files are mined in a thread: starting a process takes longer."""
WORKERS: Final = 2


@dataclass
class Scan:
    """What one scan of a repository did."""

    read: int = 0
    unchanged: int = 0
    removed: int = 0
    bytes: int = 0
    skipped: Skipped = field(default_factory=Skipped)
    left_out: Skipped = field(default_factory=Skipped)
    """Of the files read."""
    touched: set[str] = field(default_factory=set)
    """Fingerprints, in hex, of patterns whose counts changed."""

    @property
    def changed(self) -> bool:
        """Whether anything was read or removed."""
        return bool(self.read or self.removed)


async def mine(engine: AsyncEngine, repository: Repository, workspace: Workspace) -> AsyncIterator[Scan]:
    """Bring the patterns of a repository up to date; yields after every batch how far it is."""
    async with transaction(engine) as connection:
        stamps = await store.stamps(connection, repository)
    known = {path: FileStamp(*stamp) for path, stamp in stamps.items()}
    found = await asyncio.to_thread(changes, workspace, known)
    scan = Scan(unchanged=found.unchanged_count, skipped=found.skipped)
    await _forget(engine, repository, found, scan)
    own = await asyncio.to_thread(own_modules_of, workspace)
    async with _executor(len(found.to_read)) as executor:
        async for batch, size in _batches(executor, repository.root, found.to_read, own):
            scan.touched |= await _store(engine, repository, batch)
            scan.read += len(batch.files)
            scan.bytes += size
            scan.left_out.merge(batch.left_out)
            yield scan
    async with transaction(engine) as connection:
        await store.mark_scanned(connection, repository)
    yield scan


async def _batches(
    executor: Executor | None, root: Path, readings: Sequence[Reading], own: dict[str, frozenset[str]]
) -> AsyncIterator[tuple[Batch, int]]:
    """Mine batches, a few at a time, in order."""
    loop = asyncio.get_running_loop()
    waiting: list[tuple[asyncio.Future[Batch], int]] = []
    for readings_of_batch in _split(readings):
        size = sum(stamp.size_bytes for _, stamp in readings_of_batch)
        waiting.append((loop.run_in_executor(executor, read_batch, root, readings_of_batch, own), size))
        if len(waiting) > WORKERS:
            batch, done_size = waiting.pop(0)
            yield await batch, done_size
    for batch, done_size in waiting:
        yield await batch, done_size


@asynccontextmanager
async def _executor(files: int) -> AsyncIterator[Executor | None]:
    """Processes for a large scan, the loop's threads for a small one."""
    if files < POOL_FROM_FILES:
        yield None
        return
    pool = cpu_pool(WORKERS)
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


async def _store(engine: AsyncEngine, repository: Repository, batch: Batch) -> set[str]:
    """Write files, patterns and counts of one batch, together; returns the patterns whose counts changed."""
    async with transaction(engine) as connection:
        before = await store.postings(connection, repository, [file.path for file in batch.files])
        await store.put_patterns(connection, repository, batch.patterns.values())
        deltas = _sum(batch.files, before)
        await store.change_counts(connection, repository, deltas)
        await store.put_files(connection, repository, batch.files)
        await chunks.put(connection, repository, batch.chunks)
    return set(deltas)


async def _forget(engine: AsyncEngine, repository: Repository, found: Changes, scan: Scan) -> None:
    """Take removed files out of the counts, and note new times of files that were only touched."""
    if not found.removed and not found.restamped:
        return
    async with transaction(engine) as connection:
        gone = await store.postings(connection, repository, found.removed)
        deltas = _sum([], gone)
        await store.change_counts(connection, repository, deltas)
        await store.delete_files(connection, repository, found.removed)
        await store.restamp(connection, repository, found.restamped)
    scan.removed = len(gone)
    scan.touched |= set(deltas)


def _sum(files: Sequence[FileRow], before: Mapping[str, bytes]) -> dict[str, tuple[int, int]]:
    """Add up how the counts change when `files` replace, and what else is in `before` vanishes."""
    after = {file.path: file.postings for file in files}
    totals: dict[bytes, tuple[int, int]] = {}
    for path in after.keys() | before.keys():
        for fingerprint, delta in difference(before.get(path), after.get(path)).items():
            count, occurrences = totals.get(fingerprint, (0, 0))
            totals[fingerprint] = (count + delta.files, occurrences + delta.occurrences)
    return {fingerprint.hex(): total for fingerprint, total in totals.items()}


def _split(readings: Sequence[Reading]) -> Iterator[list[Reading]]:
    batch: list[Reading] = []
    size = 0
    for reading in readings:
        if batch and (len(batch) == BATCH_FILES_MAX or size + reading[1].size_bytes > BATCH_BYTES_MAX):
            yield batch
            batch, size = [], 0
        batch.append(reading)
        size += reading[1].size_bytes
    if batch:
        yield batch
