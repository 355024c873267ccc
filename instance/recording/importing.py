"""From files into the database: in batches, in bounded memory, as often as one likes.

What is recorded is known by its source and what the source calls it, so a file may be read again from its beginning;
one that broke off half way is finished by importing it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from instance.recording.formats import Source
from instance.recording.reading import Faults, Origin
from instance.store import results
from instance.store.results import JobResult
from shared.database import transaction

BATCH_RESULTS: Final = 500


@dataclass
class Imported:
    """What came of one file."""

    path: Path
    results: int = 0
    new: int = 0
    faults: Faults = field(default_factory=Faults)


async def import_file(
    engine: AsyncEngine, source: Source, origin: Origin, on_read: Callable[[int], None] | None = None
) -> Imported:
    """Record what one file tells; `on_read` hears how many more of its bytes were read. Raises `OSError`."""
    done, before = Imported(source.path, faults=origin.faults), 0
    batches = _batches(source, origin)
    while (step := await asyncio.to_thread(next, batches, None)) is not None:
        batch, position = step
        if batch:
            async with transaction(engine) as connection:
                done.new += await results.record_many(connection, batch)
            done.results += len(batch)
        if on_read is not None:
            on_read(position - before)
        before = position
    return done


def _batches(source: Source, origin: Origin) -> Iterator[tuple[list[JobResult], int]]:
    """Yield batches with the position behind each; the last one may be empty."""
    with source.path.open("rb") as file:
        read = source.reader(file, origin)
        while batch := list(islice(read, BATCH_RESULTS)):
            yield batch, file.tell()
        yield [], file.tell()
