"""Shared memory on which every start of a numbered job is noted, whichever process runs it."""

from __future__ import annotations

import mmap
import os
import time
from pathlib import Path
from typing import Final

_CELLS: Final = 3
_STARTED_AT, _STARTS, _PROCESS = range(_CELLS)
_CELL_BYTES: Final = 8


class Board:
    """For each job: when it was last started (by the clock all processes share), how often, and by which process."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        self._cells = memoryview(self._memory).cast("d")

    @classmethod
    def make(cls, path: Path, jobs: int) -> Board:
        """Make an empty one for jobs 0 to `jobs` - 1."""
        path.write_bytes(bytes(jobs * _CELLS * _CELL_BYTES))
        return cls(path)

    def note(self, job: int) -> int:
        """Note that this process starts the job now; returns how often it was started."""
        at = job * _CELLS
        self._cells[at + _STARTED_AT] = time.monotonic()
        self._cells[at + _PROCESS] = os.getpid()
        self._cells[at + _STARTS] += 1
        return self.starts(job)

    def started_at(self, job: int) -> float:
        """When it was last started; 0 if never."""
        return self._cells[job * _CELLS + _STARTED_AT]

    def starts(self, job: int) -> int:
        """How often it was started."""
        return int(self._cells[job * _CELLS + _STARTS])

    def process(self, job: int) -> int:
        """The process that started it last."""
        return int(self._cells[job * _CELLS + _PROCESS])

    def all_starts(self) -> list[int]:
        """How often each was started."""
        return [int(starts) for starts in self._cells.tolist()[_STARTS::_CELLS]]

    def all_started_at(self) -> list[float]:
        """When each was last started."""
        return [float(at) for at in self._cells.tolist()[_STARTED_AT::_CELLS]]
