"""One task of a step: the job that stands for it, and what its function may ask."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.jobs.running import Running

T = TypeVar("T")
Write = Callable[[AsyncConnection], Awaitable[object]]


class TaskKey(Struct, frozen=True):
    """The arguments of the job of a task; the kind of the job says which step."""

    run: UUID
    index: int


class Task:
    """Given to a step that has a parameter called `task`."""

    def __init__(self, running: Running[TaskKey]) -> None:
        self.run_id = running.args.run
        self.index = running.args.index
        """From 0; of a step that maps over nothing, 0."""
        self.attempt = running.attempt
        self.writes: list[Write] = []
        self._running = running

    def also(self, write: Write) -> None:
        """Have `write(connection)` done in the transaction that completes the task: once, or not at all."""
        self.writes.append(write)

    def progress(self, done: float, total: float, note: str = "") -> None:
        """Say how far it is."""
        self._running.progress(done, total, note)

    async def in_process(self, function: Callable[..., T], *args: object) -> T:
        """Call a function in a process of the worker's pool."""
        return await self._running.in_process(function, *args)
