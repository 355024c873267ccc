"""The miner: finds what changed in a repository, reads it, and keeps count of its code patterns.

Each part is one transaction, so a study that is interrupted goes on where it was; parts may be mined side by side.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from instance.agents.orders import Found, Mined, Part, pack_paths
from instance.agents.reading import EncodedBatch, read_encoded
from instance.analysis.workspace import Changes, FileStamp, SourceFile, Workspace, changes
from instance.learning.support import difference
from instance.store import chunks
from instance.store import workspace as store
from instance.store.workspace import FileRow, Repository
from shared.database import transaction
from shared.pool import CpuProcesses

STUDY_FILES_MAX: Final = 100_000
"""What one study reads; the walk hands on the path of each."""
PART_FILES_MAX: Final = 100
PART_BYTES_MAX: Final = 1024**2
POOL_FROM_FILES: Final = 20
"""Fewer files are mined in a thread: starting a process takes longer."""
WORKERS: Final = 2
TOUCHED_MAX: Final = 5_000
"""Of one part; with more it is quicker to look at everything."""


async def look(engine: AsyncEngine, repository: Repository, workspace: Workspace, *, name: str, begun: float) -> Found:
    """Compare a directory with what is known, forget what is gone, and divide what is to be read into parts."""
    async with transaction(engine) as connection:
        stamps = await store.stamps(connection, repository)
    known = {path: FileStamp(*stamp) for path, stamp in stamps.items()}
    found = await asyncio.to_thread(changes, workspace, known)
    removed, touched = await _forget(engine, repository, found)
    root, first = str(repository.root), not repository.scanned
    in_process = len(found.to_read) >= POOL_FROM_FILES
    return Found(
        root=root,
        look=name,
        begun=begun,
        parts=[
            Part(root=root, look=name, first=first, in_process=in_process, begun=begun, packed=pack_paths(paths))
            for paths in _split(found.to_read[:STUDY_FILES_MAX])
        ],
        unchanged=found.unchanged_count,
        removed=removed,
        rest=max(0, len(found.to_read) - STUDY_FILES_MAX),
        skipped=found.skipped,
        touched=None if first else _few(touched),
    )


async def mine(
    engine: AsyncEngine,
    processes: CpuProcesses,
    repository: Repository,
    part: Part,
    own: dict[str, frozenset[str]],
) -> Mined:
    """Mine the files of a part and add them to what is known; `own` are the modules of the codebase by language."""
    paths = part.paths
    if part.in_process:
        batch = await processes.run(read_encoded, repository.root, paths, own)
    else:
        batch = await asyncio.to_thread(read_encoded, repository.root, paths, own)
    touched = await _store(engine, repository, batch)
    return Mined(
        files=len(batch.files),
        bytes=sum(file.size_bytes for file in batch.files),
        touched=None if part.first else _few(touched),
        left_out=batch.left_out,
    )


async def _store(engine: AsyncEngine, repository: Repository, batch: EncodedBatch) -> set[str]:
    """Write files, patterns and counts of one batch, together; returns the patterns whose counts changed.

    What belongs to the files alone comes before the lock under which the counts of a repository are changed.
    """
    async with transaction(engine) as connection:
        before = await store.claim_files(connection, repository, [file.path for file in batch.files])
        await store.put_files(connection, repository, batch.files)
        await chunks.put(connection, repository, batch.chunks)
        deltas = _sum(batch.files, before)
        await store.lock_counts(connection, repository)
        await store.change_counts(connection, repository, deltas, batch.patterns)
    return set(deltas)


async def _forget(engine: AsyncEngine, repository: Repository, found: Changes) -> tuple[int, set[str]]:
    """Take removed files out of the counts, and note new times of files that were only touched."""
    if not found.removed and not found.restamped:
        return 0, set()
    async with transaction(engine) as connection:
        gone = await store.postings(connection, repository, found.removed)
        await store.restamp(connection, repository, found.restamped)
        await store.delete_files(connection, repository, found.removed)
        deltas = _sum([], gone)
        await store.lock_counts(connection, repository)
        await store.change_counts(connection, repository, deltas, {})
    return len(gone), set(deltas)


def _sum(files: Sequence[FileRow], before: Mapping[str, bytes]) -> dict[str, tuple[int, int]]:
    """Add up how the counts change when `files` replace, and what else is in `before` vanishes."""
    after = {file.path: file.postings for file in files}
    totals: dict[bytes, tuple[int, int]] = {}
    for path in after.keys() | before.keys():
        for fingerprint, delta in difference(before.get(path), after.get(path)).items():
            count, occurrences = totals.get(fingerprint, (0, 0))
            totals[fingerprint] = (count + delta.files, occurrences + delta.occurrences)
    return {fingerprint.hex(): total for fingerprint, total in totals.items()}


def _split(readings: Sequence[tuple[SourceFile, FileStamp]]) -> Iterator[list[str]]:
    part: list[str] = []
    size = 0
    for file, stamp in readings:
        if part and (len(part) == PART_FILES_MAX or size + stamp.size_bytes > PART_BYTES_MAX):
            yield part
            part, size = [], 0
        part.append(file.path)
        size += stamp.size_bytes
    if part:
        yield part


def _few(touched: set[str]) -> frozenset[str] | None:
    return frozenset(touched) if len(touched) <= TOUCHED_MAX else None
