"""The one lifecycle every long-running part follows, and the order they start and stop in.

A service is started once it can do its work; it then runs until it is stopped or fails. `start` and `stop` may
be called in any order and any number of times, also at the same time; after a stop it may be started again.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Sequence
from typing import Any

import structlog

STOP_SECONDS_MAX = 30.0
CANCEL_AGAIN_SECONDS = 0.25

log = structlog.get_logger(__name__)


class Service(ABC):
    """A named part of a daemon. Subclasses say how to open, run and close it."""

    name: str

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._working = False
        self._lifecycle = asyncio.Lock()

    @property
    def running(self) -> bool:
        """Whether it has started and neither stopped nor failed."""
        return self._task is not None and not self._task.done()

    async def open(self) -> None:  # noqa: B027 - many services have nothing to open
        """Acquire what `run` needs; after an error here nothing stays behind."""

    @abstractmethod
    async def run(self) -> None:
        """Work until cancelled; returning or raising ends the service."""

    async def close(self) -> None:  # noqa: B027 - many services have nothing to close
        """Release what `open` acquired; called exactly once for each successful `open`."""

    async def start(self) -> None:
        """Open and begin to run; does nothing when it runs already. Cancelled meanwhile, it is stopped again."""
        async with self._lifecycle:
            if self.running:
                return
            await self.open()
            entered = asyncio.Event()
            self._task = asyncio.create_task(self._run_then_close(entered), name=self.name)
            try:
                await entered.wait()  # a task cancelled before its first step would never close
            except asyncio.CancelledError:
                await self._end(self._task)
                raise

    async def stop(self) -> None:
        """End the work and close; does nothing when it does not run. Never raises what `run` raised.

        Whoever is cancelled meanwhile learns of it when this has ended: nobody else would wait for it.
        """
        async with self._lifecycle:
            if self._task is not None:
                await self._end(self._task)

    async def wait(self) -> None:
        """Return when it ends; raise what it failed with."""
        task = self._task
        if task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(task)

    async def _end(self, task: asyncio.Task[None]) -> None:
        """Cancel until `run` gives in: a library may swallow a cancellation (nats-py does while it connects)."""
        deadline = asyncio.get_running_loop().time() + STOP_SECONDS_MAX
        interruption: asyncio.CancelledError | None = None
        while not task.done() and (left := deadline - asyncio.get_running_loop().time()) > 0:
            if self._working:
                task.cancel()
            try:
                await asyncio.wait({task}, timeout=min(left, CANCEL_AGAIN_SECONDS))
            except asyncio.CancelledError as cancelled:
                interruption = cancelled
        if not task.done():
            log.error("service did not stop in time", service=self.name, seconds=STOP_SECONDS_MAX)
        elif not task.cancelled():
            task.exception()  # whoever waited has it; nobody else is to be told
        self._task = None
        if interruption is not None:
            raise interruption

    async def _run_then_close(self, entered: asyncio.Event) -> None:
        try:
            self._working = True
            entered.set()
            await self.run()
        finally:
            self._working = False
            await self.close()


async def run_services(services: Sequence[Service], stop: asyncio.Event) -> None:
    """Start in order, wait for `stop` or the first service to end, stop in reverse order.

    Raises what a service failed with, or `RuntimeError` when one ended by itself without an error.
    """
    started: list[Service] = []
    try:
        for service in services:
            await service.start()
            started.append(service)
            log.debug("service started", service=service.name)
        await first_end(services, stop)
    finally:
        for service in reversed(started):
            await service.stop()
            log.debug("service stopped", service=service.name)


async def first_end(services: Sequence[Service], stop: asyncio.Event | None = None) -> None:
    """Return when `stop` is set; raises when the first of the running services ends, what it failed with."""
    stop = stop or asyncio.Event()
    stopping: asyncio.Task[Any] = asyncio.create_task(stop.wait())
    waiting: dict[asyncio.Task[Any], Service] = {asyncio.create_task(service.wait()): service for service in services}
    try:
        done, _ = await asyncio.wait({stopping, *waiting}, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopping}:
            task.result()
            if not stop.is_set():
                raise RuntimeError(f"service {waiting[task].name} ended by itself")
    finally:
        await end_all(stopping, *waiting)


async def together(*parts: Coroutine[Any, Any, None]) -> None:
    """Run the parts of one service side by side; when one fails or the whole is cancelled, end all of them.

    A task group would cancel each once, and wait for ever for one whose cancellation was lost.
    """
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        await asyncio.gather(*tasks)
    finally:
        await end_all(*tasks)


async def end_all(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks until they give in, however often we are cancelled ourselves, which we are told in the end.

    A cancellation is lost where it meets the very answer that `asyncio.wait_for` waits for (Python 3.11).
    """
    interruption: asyncio.CancelledError | None = None
    while unfinished := [task for task in tasks if not task.done()]:
        for task in unfinished:
            task.cancel()
        try:
            await asyncio.wait(unfinished, timeout=CANCEL_AGAIN_SECONDS)
        except asyncio.CancelledError as cancelled:
            interruption = cancelled
    for task in tasks:
        if not task.cancelled():
            task.exception()  # so that nobody is told that it was never looked at
    if interruption is not None:
        raise interruption
