"""Processes for CPU-bound work, which never outlive the daemon that started them."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
NICE: Final = 5
"""Learning gives way to whatever a person does on this machine."""


def cpu_pool(workers: int) -> ProcessPoolExecutor:
    """Make a pool; to be used from the main thread, whose end on Linux ends the processes too."""
    return ProcessPoolExecutor(
        max_workers=workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_prepare,
        initargs=(os.getpid(),),
    )


def _prepare(parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the daemon decides when to stop
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
    os.nice(NICE)
