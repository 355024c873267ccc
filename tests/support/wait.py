"""Waiting for a condition with a deadline, so that no test ever sleeps."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")
_POLL_SECONDS = 0.02


@overload
async def eventually(
    check: Callable[[], Awaitable[T]], timeout_seconds: float = 10.0, what: str = "condition"
) -> T: ...
@overload
async def eventually(check: Callable[[], T], timeout_seconds: float = 10.0, what: str = "condition") -> T: ...
async def eventually(check: Callable[[], object], timeout_seconds: float = 10.0, what: str = "condition") -> object:
    """Poll `check` until it is true and return its value; `AssertionError` with the last one at the deadline."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        outcome = check()
        value = await outcome if inspect.isawaitable(outcome) else outcome
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} not met within {timeout_seconds} s; last value: {value!r}")
        await asyncio.sleep(_POLL_SECONDS)


def eventually_sync(check: Callable[[], T], timeout_seconds: float = 10.0, what: str = "condition") -> T:
    """Do as `eventually` does, for tests of processes without an event loop."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} not met within {timeout_seconds} s; last value: {value!r}")
        time.sleep(_POLL_SECONDS)
