"""What the hub that leads measures every few seconds: the stream, the fleet, what waits."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.ingest import stream
from centralcloud.ingest.flow import Pressure
from centralcloud.store import dead_letters, gauges
from schemas import subjects
from shared.bus import Bus
from shared.database import transaction
from shared.jobs.meter import queue_measure
from shared.measuring import RARELY_SECONDS, Measure
from shared.metrics import Metrics


def hub_measures(engine: AsyncEngine, bus: Bus, metrics: Metrics, region: str) -> list[Measure]:
    """What is to be measured once for all hubs on a database."""
    return [
        stream_measure(bus, metrics),
        fleet_measure(engine, metrics),
        insights_measure(engine, metrics),
        queue_measure(engine, metrics, region),
    ]


def stream_measure(bus: Bus, metrics: Metrics) -> Measure:
    """What the stream holds, and how much of it centralcloud has not committed yet."""

    async def take() -> None:
        await bus.connected.wait()
        jetstream = bus.jetstream()
        state = (await jetstream.stream_info(subjects.STREAM)).state
        consumer = await jetstream.consumer_info(subjects.STREAM, stream.CONSUMER)
        metrics.stream_messages.set(state.messages)
        metrics.stream_bytes.set(state.bytes)
        metrics.consumer_pending.set(consumer.num_pending or 0)
        metrics.consumer_unacknowledged.set(consumer.num_ack_pending or 0)
        metrics.consumer_redelivered.set(consumer.num_redelivered or 0)

    readings = [
        metrics.stream_messages,
        metrics.stream_bytes,
        metrics.consumer_pending,
        metrics.consumer_unacknowledged,
        metrics.consumer_redelivered,
    ]
    return Measure("stream", take, readings)


def fleet_measure(engine: AsyncEngine, metrics: Metrics) -> Measure:
    """Who is there, who has learned everything, and what is still to be merged or looked at."""

    async def take() -> None:
        async with transaction(engine) as connection:
            present = await gauges.presence(connection)
            waiting = await gauges.patterns_waiting(connection)
            distrusted = await gauges.distrusted(connection)
            letters = await dead_letters.count_waiting(connection)
        metrics.instances.replace(present.instances)
        metrics.instances_current.replace(present.current)
        metrics.instances_distrusted.replace(distrusted)
        metrics.patterns_waiting.replace(waiting)
        metrics.dead_letters_waiting.set(letters)

    readings = [
        metrics.instances,
        metrics.instances_current,
        metrics.instances_distrusted,
        metrics.patterns_waiting,
        metrics.dead_letters_waiting,
    ]
    return Measure("fleet", take, readings)


def insights_measure(engine: AsyncEngine, metrics: Metrics) -> Measure:
    """How many insights there are."""

    async def take() -> None:
        async with transaction(engine) as connection:
            metrics.insights.replace(await gauges.insights_by_state(connection))

    return Measure("insights", take, [metrics.insights], RARELY_SECONDS)


def pressure_measure(bus: Bus, pressure: Pressure, metrics: Metrics) -> Measure:
    """How much waits to be committed, and whether instances are asked to slow down; every hub that takes in sees it."""

    async def take() -> None:
        await bus.connected.wait()
        metrics.buffer_pending.set(pressure.pending)
        metrics.publishers_slowed.set(pressure.slow)

    return Measure("pressure", take, [metrics.buffer_pending, metrics.publishers_slowed])
