"""Processes that are started again when they end: supervision is the harness's part, not what is tested."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from shared.embedded.children import Child
from tests.support.processes import REPOSITORY

PAUSE_SECONDS = 0.3
STOP_SECONDS = 10.0


class Supervised:
    """One Python process of the mesh, running for as long as it is wanted."""

    def __init__(self, arguments: Sequence[str], log: Path, environment: dict[str, str] | None = None) -> None:
        self.arguments = list(arguments)
        self.log = log
        self.exits: Counter[int] = Counter()
        """How often it ended by itself, by exit code."""
        self._environment = {"PATH": os.defpath, "PYTHONPATH": str(REPOSITORY), "HOME": str(log.parent)}
        self._environment |= environment or {}
        self._child: Child | None = None
        self._wanted = False
        self._ended = 0.0

    def start(self) -> None:
        """Run it from now on."""
        self._wanted = True
        command = [sys.executable, *self.arguments]
        self._child = Child.spawn(command, log=self.log, environment=self._environment, directory=self.log.parent)

    def kill(self) -> None:
        """End it at once, and leave it so."""
        self._wanted = False
        if self._child is not None:
            self._child.kill()
            self._child = None

    def stop(self) -> None:
        """Let it end in order, and leave it so."""
        self._wanted = False
        if self._child is not None:
            self._child.stop(signal.SIGTERM, STOP_SECONDS)
            self._child = None

    def freeze(self) -> None:
        """Let it stand still, unaware."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._send(signal.SIGCONT)

    def tend(self) -> None:
        """Start it again a moment after it ended by itself."""
        if not self._wanted:
            return
        if self._child is not None and (code := self._child.poll()) is not None:
            self.exits[code] += 1
            self._child, self._ended = None, time.monotonic()
        if self._child is None and time.monotonic() - self._ended > PAUSE_SECONDS:
            self.start()

    def _send(self, number: signal.Signals) -> None:
        if self._child is not None and self._child.poll() is None:
            os.kill(self._child.pid, number)
