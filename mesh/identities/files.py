"""Files that hold secrets: their owner's alone from the first byte, and replaced as a whole."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from shared.errors import UsageError

DIRECTORY_MODE: Final = 0o700
FILE_MODE: Final = 0o600
HANDED_MODE: Final = 0o444


def make_private(directory: Path) -> None:
    """Make a directory; UsageError when there is something in it: what is in use is never written over."""
    if directory.exists() and any(directory.iterdir()):
        raise UsageError(f"{directory} is not empty, and nothing is written over; name another --directory")
    directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    directory.chmod(DIRECTORY_MODE)


def write_private(path: Path, text: str) -> None:
    """Replace a file, on disk when this returns; whoever reads sees the old one or the new one."""
    path.parent.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
    _replace(path, text, FILE_MODE)


def write_handed(path: Path, text: str) -> None:
    """Replace a file in the same way, for whoever has its directory: another user, in a container of his own."""
    _replace(path, text, HANDED_MODE)


def _replace(path: Path, text: str, mode: int) -> None:
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold a lock file, waiting for whoever has it: two changes at once would lose one."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, FILE_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
