"""Running a command as if it were run without us: its terminal, its signals, its exit code, and how it went."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import FrameType
from typing import Final, Literal

from shared.errors import NotFoundError

_FROM_KEYBOARD: Final = frozenset({signal.SIGINT, signal.SIGQUIT})
_STOPPING: Final = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP})
_PASSED_ON: Final = (*_STOPPING, signal.SIGUSR1, signal.SIGUSR2)
_KILLED: Final = 128
"""What shells add to the number of the signal that ended a command."""


@dataclass(frozen=True)
class Ran:
    """How a command went."""

    exit_code: int
    """As a shell tells it: 128 and the signal, if one ended it."""
    status: Literal["success", "failed", "cancelled"]
    started_at: datetime
    duration_ms: int


def run(command: Sequence[str]) -> Ran:
    """Run a command to its end; `NotFoundError` when there is no such program.

    It fails by its exit code; one that somebody stopped did neither succeed nor fail.
    """
    started_at, began = datetime.now(UTC), time.monotonic()
    with _signals() as post:
        try:
            # Whatever was open stays so: a jobserver of make, the descriptors of a shell's <(...).
            process = subprocess.Popen(command, close_fds=False)
        except OSError as error:
            raise NotFoundError(f"cannot run {command[0]}: {error.strerror}; nothing was recorded") from error
        post.open(process)
        code = process.wait()
    stopped = bool(post.arrived & _STOPPING) or -code in _STOPPING
    return Ran(
        exit_code=code if code >= 0 else _KILLED - code,
        status="success" if code == 0 else "cancelled" if stopped else "failed",
        started_at=started_at,
        duration_ms=round((time.monotonic() - began) * 1000),
    )


@dataclass
class _Post:
    """Hands signals on to the command, also those that arrive while it is being started."""

    arrived: set[int] = field(default_factory=set)
    _process: subprocess.Popen[bytes] | None = None

    def open(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        for number in tuple(self.arrived):
            self._hand_on(number)

    def take(self, number: int, _frame: FrameType | None) -> None:
        self.arrived.add(number)
        self._hand_on(number)

    def _hand_on(self, number: int) -> None:
        typed = number in _FROM_KEYBOARD and _at_a_terminal()
        if self._process is not None and not typed:  # what is typed reaches the command without us
            self._process.send_signal(number)


@contextlib.contextmanager
def _signals() -> Iterator[_Post]:
    """Take signals for the command; what this process was told to ignore the command ignores, too."""
    post = _Post()
    before = {number: signal.getsignal(number) for number in _PASSED_ON}
    taken = [number for number, handler in before.items() if handler != signal.SIG_IGN]
    for number in taken:
        signal.signal(number, post.take)
    try:
        yield post
    finally:
        for number in taken:
            signal.signal(number, before[number])


def _at_a_terminal() -> bool:
    """Tell whether this process is in the foreground of a terminal: its keys then signal the command as well."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
