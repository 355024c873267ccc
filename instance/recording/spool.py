"""Results that could not be recorded yet: one file each in the state directory, until a database has them.

A file is complete or not there at all, is deleted only after its result is committed, and names an id that is recorded
once. So nothing is lost and nothing counted twice, whoever delivers it and however often that is interrupted.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from shared.embedded.paths import make_directory

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from instance.store.results import JobResult

DIRECTORY: Final = "spool"
UNNAMED: Final = "_"
"""Of commands that were not told which instance they are for; no instance can be called so."""

DELIVERED_AT_ONCE: Final = 500
_UNREADABLE: Final = ".unreadable"


def put(state: Path, instance_id: str | None, result: Mapping[str, Any]) -> Path:
    """Keep a result, the fields of a `JobResult`, on the disk; raises `OSError`."""
    directory = _directory(state, instance_id)
    make_directory(directory)
    path = directory / f"{secrets.token_hex(16)}.json"
    unfinished = path.with_suffix(".new")
    with unfinished.open("xb") as file:
        file.write(msgspec.json.encode(result))
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    return path


def waiting(state: Path, instance_id: str | None) -> Iterator[Path]:
    """What waits for an instance, or, without a name, for whichever there is."""
    with (
        contextlib.suppress(FileNotFoundError, NotADirectoryError),
        os.scandir(_directory(state, instance_id)) as entries,
    ):
        yield from (Path(entry.path) for entry in entries if entry.name.endswith(".json"))


async def deliver(engine: AsyncEngine, state: Path, names: Iterable[str | None]) -> int:
    """Record everything that waits under these names; returns how many results were new."""
    from instance.store import results  # noqa: PLC0415 - whoever only puts something here starts without a database
    from shared.database import transaction  # noqa: PLC0415 - same

    new, paths = 0, chain.from_iterable(waiting(state, name) for name in set(names))
    while some := list(islice(paths, DELIVERED_AT_ONCE)):
        read = _read(some)
        async with transaction(engine) as connection:
            new += await results.record_many(connection, list(read.values()))
        for path in read:
            path.unlink(missing_ok=True)
    return new


def _read(paths: Sequence[Path]) -> dict[Path, JobResult]:
    """Read files; what is no result is set aside under another name, to be looked at."""
    from instance.store.results import JobResult  # noqa: PLC0415 - as above

    found = {}
    for path in paths:
        try:
            found[path] = msgspec.json.decode(path.read_bytes(), type=JobResult)
        except FileNotFoundError:
            continue  # somebody else has delivered it
        except (msgspec.DecodeError, UnicodeDecodeError):
            path.rename(path.with_name(path.name + _UNREADABLE))
    return found


def _directory(state: Path, instance_id: str | None) -> Path:
    return state / DIRECTORY / (instance_id or UNNAMED)
