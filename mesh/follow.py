"""Reading a log file: its last lines, then what is written to it from there on."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

_POLL_SECONDS = 0.2


class LogLine(NamedTuple):
    """A line, without its end, and the part that wrote it."""

    part: str
    text: str


class LogReader:
    """One log file and how far it was read."""

    def __init__(self, part: str, path: Path) -> None:
        self._part = part
        self._path = path
        self._file = path.open("rb")
        self._unfinished = b""

    def last_lines(self, count: int) -> list[LogLine]:
        """Read to the end and return the last `count` lines, also one whose end is not written yet."""
        return [self._line(line) for line in deque(self._file, maxlen=count)]

    def new_lines(self) -> list[LogLine]:
        """Return the lines that were completed since the last reading, also in a file that took this one's place."""
        read = self._file.read()
        if not read and self._turned_over():
            self._file.close()
            self._file = self._path.open("rb")
            read = self._file.read()
        *lines, self._unfinished = (self._unfinished + read).split(b"\n")
        return [self._line(line) for line in lines]

    def _turned_over(self) -> bool:
        try:
            return self._path.stat().st_ino != os.fstat(self._file.fileno()).st_ino
        except FileNotFoundError:
            return False

    def _line(self, line: bytes) -> LogLine:
        return LogLine(self._part, line.decode(errors="replace").rstrip("\n"))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def follow(readers: Sequence[LogReader]) -> Iterator[LogLine]:
    """Yield what is written from now on, for ever."""
    while True:
        lines = [line for reader in readers for line in reader.new_lines()]
        yield from lines
        if not lines:
            time.sleep(_POLL_SECONDS)
