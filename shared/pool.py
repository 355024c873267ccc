"""Processes for CPU-bound work, which never outlive the daemon that started them."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Final, TypeVar

from shared.errors import TransientError

T = TypeVar("T")

_PR_SET_PDEATHSIG: Final = 1
NICE: Final = 5
"""Learning gives way to whatever a person does on this machine."""
IDLE_SECONDS: Final = 30.0


class CpuProcesses:
    """Starts a process when one is asked for and none is idle, and ends those that have been idle for a while."""

    def __init__(self, processes_max: int | None = None, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._slots = asyncio.Semaphore(processes_max or os.cpu_count() or 1)
        self._idle_seconds = idle_seconds
        self._idle: list[_Process] = []
        self._ending: asyncio.TimerHandle | None = None

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Run a function of a module in a process, and kill that when cancelled.

        Raises what the function raises, and `TransientError` when the process died.
        """
        async with self._slots:
            self._stay()
            process = self._idle.pop() if self._idle else _Process()
            try:
                return await process.call(function, *args)
            except asyncio.CancelledError:
                process.kill()
                raise
            except BrokenProcessPool as error:
                process.kill()
                raise TransientError("a process for CPU-bound work died; was it killed for its memory?") from error
            finally:
                if process.usable:
                    self._idle.append(process)
                    self._ending = asyncio.get_running_loop().call_later(self._idle_seconds, self._end_idle)

    async def close(self) -> None:
        """End the processes; nothing may run any more."""
        self._stay()
        while self._idle:
            await self._idle.pop().close()

    def _stay(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None

    def _end_idle(self) -> None:
        while self._idle:
            self._idle.pop().end()


class _Process:
    """A pool of one, so that it can be killed without harm to others."""

    def __init__(self) -> None:
        self._pool = cpu_pool(1)
        self._pid: int | None = None
        self.usable = True

    async def call(self, function: Callable[..., T], *args: Any) -> T:
        loop = asyncio.get_running_loop()
        if self._pid is None:
            self._pid = await loop.run_in_executor(self._pool, os.getpid)
        return await loop.run_in_executor(self._pool, function, *args)

    def kill(self) -> None:
        self.usable = False
        if self._pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
        self.end()

    def end(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def close(self) -> None:
        await asyncio.to_thread(self._pool.shutdown)


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
