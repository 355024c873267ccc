"""What this process takes of its machine."""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path
from typing import Final

from msgspec import Struct

from shared.gauges import cpus, memory_bytes_max

_STATM: Final = Path("/proc/self/statm")
_KIB: Final = 1024


class Node(Struct, frozen=True, kw_only=True):
    """Memory in bytes; `cpu` from 0 to 1, of the processors it may keep busy, since the look before."""

    memory_bytes: int
    memory_bytes_max: int
    cpu: float
    uptime_seconds: float


class Gauge:
    """Looks at this process again and again."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._memory_bytes_max = memory_bytes_max()
        self._cpus = cpus()
        self._looked_at = self._began
        self._worked = time.process_time()

    def look(self) -> Node:
        """Measure."""
        now, worked = time.monotonic(), time.process_time()
        passed = max(now - self._looked_at, 1e-9)
        cpu = min(1.0, (worked - self._worked) / (passed * self._cpus))
        self._looked_at, self._worked = now, worked
        return Node(
            memory_bytes=_memory_bytes(),
            memory_bytes_max=self._memory_bytes_max,
            cpu=round(cpu, 3),
            uptime_seconds=round(now - self._began, 1),
        )


def _memory_bytes() -> int:
    """Resident now; where the system does not say, the most there ever was."""
    try:
        return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * _KIB
