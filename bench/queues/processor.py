"""Processor time of processes, where /proc tells it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_USER, _SYSTEM, _CHILDREN_USER, _CHILDREN_SYSTEM = range(11, 15)
_PARENT: Final = 1
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def seconds_of(pid: int) -> float | None:
    """Seconds a process has used; None where that cannot be known."""
    stat = _stat(Path("/proc") / str(pid))
    return (int(stat[_USER]) + int(stat[_SYSTEM])) / _TICKS if stat else None


def seconds_of_family(pid: int) -> float | None:
    """Seconds a process, its children and those that have ended have used; None where that cannot be known."""
    stats = [stat for entry in Path("/proc").glob("[0-9]*") if (stat := _stat(entry)) and int(stat[_PARENT]) == pid]
    own = _stat(Path("/proc") / str(pid))
    if own is None:
        return None
    ticks = sum(int(value) for value in own[_USER : _CHILDREN_SYSTEM + 1])
    return (ticks + sum(int(stat[_USER]) + int(stat[_SYSTEM]) for stat in stats)) / _TICKS


def _stat(process: Path) -> list[str] | None:
    """The fields after the name of the program, which may hold blanks."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
