"""What all readers share: what they are told, what they say of lines they could not read, and lines of bounded length.

A reader is a pure function of a file and an `Origin`. It takes counts, times, models and ids, and leaves every text a
person or a model wrote where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, BinaryIO, Final, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from instance.learning.prices import Prices
from instance.store.results import JobResult

T = TypeVar("T")

LINE_BYTES_MAX: Final = 64 * 1024 * 1024
"""Longer lines are skipped: no transcript's is, and memory has an end."""

NAMED_MAX: Final = 20

Count = Annotated[int, Meta(ge=0, le=10**12)]


@dataclass
class Faults:
    """Lines that could not be read: all are counted, the first are named."""

    count: int = 0
    named: list[str] = field(default_factory=list)

    def note(self, line: int, why: object) -> None:
        """Name a line and what is wrong with it."""
        self.count += 1
        if len(self.named) < NAMED_MAX:
            self.named.append(f"line {line}: {why}")


@dataclass(frozen=True)
class Origin:
    """What a reader is told beside the file."""

    now: datetime
    prices: Prices
    context: Mapping[str, str] = field(default_factory=dict)
    """Of the job that runs now: added to what it has just written, not to transcripts of before."""
    within: tuple[Path, ...] | None = None
    """Of transcripts, only what was done in these directories; None: everything."""
    faults: Faults = field(default_factory=Faults)

    def wants(self, directory: str) -> bool:
        """Tell whether what was done in a directory is to be read."""
        return self.within is None or any(Path(directory).is_relative_to(root) for root in self.within)


Reader: TypeAlias = Callable[[BinaryIO, Origin], Iterator[JobResult]]


def lines(file: BinaryIO, faults: Faults) -> Iterator[tuple[int, bytes]]:
    """Yield every line that is not blank with its number, from 1; what is too long is named and skipped."""
    number = 0
    while line := file.readline(LINE_BYTES_MAX):
        number += 1
        if len(line) == LINE_BYTES_MAX and not line.endswith(b"\n"):
            faults.note(number, f"longer than {LINE_BYTES_MAX} bytes")
            while line and not line.endswith(b"\n"):
                line = file.readline(LINE_BYTES_MAX)
        elif not line.isspace():
            yield number, line


def decoded(file: BinaryIO, decoder: msgspec.json.Decoder[T], faults: Faults) -> Iterator[tuple[int, T]]:
    """Yield every line of a transcript; its last one may still be being written."""
    for number, line in lines(file, faults):
        try:
            yield number, decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if line.endswith(b"\n"):
                faults.note(number, error)
