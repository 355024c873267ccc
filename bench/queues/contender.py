"""What the benchmark asks of every queue. This module is also imported where Flocklore is not installed."""

from __future__ import annotations

import asyncio
import importlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")
Handler = Callable[[int], Awaitable[None]]


@dataclass(frozen=True)
class Patience:
    """How long a worker may be silent before its jobs are given to others, and how often it shows that it lives."""

    dead_seconds: float = 30.0
    beat_seconds: float = 5.0


class Contender(ABC):
    """A queue in the database of `url`, one kind of job in it, each with a number."""

    def __init__(self, url: str) -> None:
        self.url = url

    @abstractmethod
    async def install(self) -> None:
        """Make its tables."""

    @abstractmethod
    async def open(self) -> None:
        """Connect, to enqueue."""

    @abstractmethod
    async def enqueue(self, number: int) -> None:
        """Enqueue one job in a transaction of its own."""

    @abstractmethod
    async def enqueue_many(self, count: int) -> None:
        """Enqueue jobs 0 to `count` - 1, as fast as it knows how."""

    @abstractmethod
    async def unfinished(self) -> int:
        """Jobs that are not yet recorded as done."""

    @abstractmethod
    async def work(self, handler: Handler, limit: int, patience: Patience | None) -> None:
        """Run jobs, `limit` at a time, until cancelled; `patience` None: as it is by default."""


def contender(where: str, url: str) -> Contender:
    """Import one by `module:class`."""
    module, _, name = where.partition(":")
    made: Contender = getattr(importlib.import_module(module), name)(url)
    return made


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a process of the benchmark: every contender on the same event loop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
