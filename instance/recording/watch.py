"""Reading new transcripts on a timer: only files that changed, and of them only what was done in the workspace."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.config import InstanceSettings
from instance.learning.prices import Prices
from instance.recording import spool
from instance.recording.formats import READERS, Place, Source, files, transcripts
from instance.recording.importing import import_file
from instance.recording.reading import Faults, Origin
from instance.recording.turns import QUIET
from instance.store import identity, instances
from shared.database import transaction
from shared.embedded.paths import state_path
from shared.inspection import INSTANCE_PREFIX

log = structlog.get_logger(__name__)

FILES_PER_ROUND_MAX: Final = 1000
"""What there is more is read in the next round."""


class _Read(NamedTuple):
    """How a file was when it was last read, and when that was."""

    bytes: int
    modified: float
    at: float


class Watch:
    """Reads what agents wrote since the last time, and takes in what commands could not record themselves.

    What was read is remembered in memory: after a start everything is read once more, and recorded once.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        settings: InstanceSettings,
        prices: Prices,
        *,
        places: Callable[[], list[Place]] = lambda: transcripts(os.environ, Path.home()),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._prices = prices
        self._places = places
        self._clock = clock
        self._read: dict[Path, _Read] = {}

    async def read_new(self) -> int:
        """Record what is new; returns how many results are. A file that cannot be read is left for the next time."""
        new = await spool.deliver(self._engine, state_path(self._settings.state_dir), await self._names())
        now = self._clock()
        origin = Origin(now, self._prices, within=tuple(self._settings.roots))
        for source, seen in await asyncio.to_thread(self._due, now.timestamp()):
            told = replace(origin, faults=Faults())
            try:
                new += (await import_file(self._engine, source, told)).new
            except OSError as error:
                log.warning("cannot read a transcript", path=str(source.path), reason=error.strerror)
                continue
            self._read[source.path] = seen
            if told.faults.count:
                log.warning("lines of a transcript were not read", path=str(source.path), lines=told.faults.named)
        return new

    async def _names(self) -> list[str | None]:
        """Whose results are ours: those for this instance, and those for any if there is no other here."""
        async with transaction(self._engine) as connection:
            me = await identity.get(connection)
            alone = len(await instances.databases(connection, INSTANCE_PREFIX)) <= 1
        return [*([me.instance_id] if me else []), *([None] if alone else [])]

    def _due(self, now: float) -> list[tuple[Source, _Read]]:
        """Files that changed since they were read, or whose last turn is over since."""
        found: list[tuple[Source, _Read]] = []
        there: dict[Path, _Read] = {}
        for place in self._places():
            for path in files(place):
                seen = _look(path, now)
                if seen is None:
                    continue
                if path in self._read:
                    there[path] = self._read[path]
                if self._is_due(path, seen):
                    found.append((Source(path, READERS[place.form]), seen))
        self._read = there
        return found[:FILES_PER_ROUND_MAX]

    def _is_due(self, path: Path, seen: _Read) -> bool:
        known, settled = self._read.get(path), seen.modified + QUIET.total_seconds()
        return known is None or known[:2] != seen[:2] or known.at < settled <= seen.at


def _look(path: Path, now: float) -> _Read | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return _Read(status.st_size, status.st_mtime, now)
