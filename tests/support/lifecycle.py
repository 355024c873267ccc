"""Services in tests: run for the length of a block, and one stress test for the lifecycle of each."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from shared.service import Service

_ROUNDS = 12


@asynccontextmanager
async def started(*services: Service) -> AsyncIterator[None]:
    """Run services for the length of a block, stopped in reverse order."""
    async with AsyncExitStack() as stack:
        for service in services:
            await service.start()
            stack.push_async_callback(service.stop)
        yield


async def stress(service: Service, *, seed: int = 7) -> None:
    """Start and stop in any order, at the same time, twice, and while waited for; it ends stopped."""
    chance = random.Random(seed)  # noqa: S311 - a reproducible order
    await service.stop()
    for _ in range(_ROUNDS):
        calls = [chance.choice((service.start, service.stop)) for _ in range(chance.randint(1, 5))]
        await asyncio.gather(*(call() for call in calls))
    await service.start()
    await service.start()
    assert service.running
    waiting = asyncio.create_task(service.wait())
    await asyncio.sleep(0)
    await asyncio.gather(service.stop(), service.stop())
    await waiting
    assert not service.running
