"""Processes named so that a reused process id is never mistaken for the one that had it before."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_STAT_STATE = 0
_STAT_START_TICKS = 19
_GONE = frozenset("ZXx")


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process id and when that process started; together unique, also across reboots."""

    pid: int
    started: str

    def alive(self) -> bool:
        """Tell whether this very process still runs; a zombie does not."""
        return identify(self.pid) == self

    def signal(self, number: signal.Signals) -> bool:
        """Signal this very process and no later one with its id; False when it is gone."""
        with _pinned(self.pid) as descriptor:
            if not self.alive():
                return False
            with contextlib.suppress(ProcessLookupError):
                if descriptor is None:
                    os.kill(self.pid, number)
                else:
                    signal.pidfd_send_signal(descriptor, number)
                return True
        return False


def identify(pid: int) -> ProcessIdentity | None:
    """Return the identity of the running process `pid`; None when there is none."""
    started = _started_linux(pid) if sys.platform == "linux" else _started_elsewhere(pid)
    return ProcessIdentity(pid, started) if started else None


def this_process() -> ProcessIdentity:
    """Return the identity of the calling process."""
    identity = identify(os.getpid())
    if identity is None:
        raise RuntimeError("this process cannot see itself; is /proc mounted?")
    return identity


@contextlib.contextmanager
def _pinned(pid: int) -> Iterator[int | None]:
    """Hold a descriptor of the process where the system has them: from then on its id cannot be reused unseen."""
    if not hasattr(os, "pidfd_open"):
        yield None
        return
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _started_linux(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name is in parentheses and may itself hold spaces and parentheses.
    fields = stat[stat.rindex(b")") + 2 :].decode().split()
    return None if fields[_STAT_STATE] in _GONE else f"{_boot()}:{fields[_STAT_START_TICKS]}"


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _started_elsewhere(pid: int) -> str | None:
    asked = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = asked.stdout.strip().partition(" ")
    return None if not state or state[0] in _GONE else started.strip()
