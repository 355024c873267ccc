"""Log files of child processes, turned over when a child starts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

LOG_BYTES_MAX = 10_000_000
LOG_FILES_KEPT = 3
_TAIL_BYTES = 4096


def open_log(path: Path) -> BinaryIO:
    """Open `path` for appending, private to this user; first turned over if it grew beyond `LOG_BYTES_MAX`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
        _turn_over(path)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600), "ab")


def tail(path: Path, lines: int) -> str:
    """Return the last `lines` lines of a log, at most 4 KB; empty when there is none."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def _turn_over(path: Path) -> None:
    for number in range(LOG_FILES_KEPT, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        newer = path.with_name(f"{path.name}.{number - 1}") if number > 1 else path
        if newer.exists():
            newer.replace(older)
