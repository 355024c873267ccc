"""What no event tells is measured every few seconds: never while somebody scrapes, who must not wait for a database.

What cannot be measured now is shown as nothing rather than as it was.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import nats.errors
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.bus import Bus
from shared.connections import Connections
from shared.errors import FlockloreError
from shared.gauges import Reading
from shared.metrics import Metrics
from shared.service import Service, together

log = structlog.get_logger(__name__)

EVERY_SECONDS: Final = 10.0
RARELY_SECONDS: Final = 60.0
"""How often that is measured that has to be counted row by row."""

RETRY_SECONDS: Final = 2.0
MEASURE_SECONDS_MAX: Final = 5.0


@dataclass(frozen=True)
class Measure:
    """One thing to be measured; `readings` are those that `take` sets."""

    what: str
    take: Callable[[], Awaitable[None]]
    readings: Sequence[Reading]
    every_seconds: float = EVERY_SECONDS


class Meter(Service):
    """Takes its measures for as long as it runs; afterwards their readings show nothing."""

    def __init__(self, name: str, metrics: Metrics, measures: Sequence[Measure]) -> None:
        super().__init__()
        self.name = name
        self._metrics = metrics
        self._measures = measures

    async def run(self) -> None:
        """Take each measure at its own pace, so that a slow one delays no other."""
        await together(*map(self._repeat, self._measures))

    async def close(self) -> None:
        """Forget what was measured: it may not be true any more, or be somebody else's to say."""
        for measure in self._measures:
            _forget(measure)

    async def _repeat(self, measure: Measure) -> None:
        while True:
            taken = await self._take(measure)
            await asyncio.sleep(measure.every_seconds if taken else min(measure.every_seconds, RETRY_SECONDS))

    async def _take(self, measure: Measure) -> bool:
        try:
            async with asyncio.timeout(MEASURE_SECONDS_MAX):
                await measure.take()
        except (FlockloreError, SQLAlchemyError, nats.errors.Error, TimeoutError, OSError) as error:
            log.debug("not measured", what=measure.what, reason=str(error) or type(error).__name__)
            self._metrics.measuring_failures.labels(measure.what).inc()
            _forget(measure)
            return False
        return True


def bus_measure(bus: Bus, metrics: Metrics) -> Measure:
    """How quickly NATS answers on the connection of this process."""

    async def take() -> None:
        await bus.connected.wait()
        started = time.perf_counter()
        await bus.client.flush()
        metrics.nats_round_trip.set(time.perf_counter() - started)

    return Measure("nats", take, [metrics.nats_round_trip])


def watch_pool(metrics: Metrics, name: str, engine: AsyncEngine) -> None:
    """Show from now on how many connections of an engine are open and in use, and for how long they are waited for."""
    pool = engine.pool
    if isinstance(pool, Connections):
        metrics.database_connections.labels(name, "in_use").set_function(pool.checkedout)
        metrics.database_connections.labels(name, "idle").set_function(pool.checkedin)
        metrics.database_connections_max.labels(name).set(pool.connections_max)
        pool.on_wait = metrics.database_wait_seconds.labels(name).observe


def _forget(measure: Measure) -> None:
    for reading in measure.readings:
        reading.forget()
