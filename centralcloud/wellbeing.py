"""What is looked at to say how a process of centralcloud is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.config import CentralcloudSettings
from centralcloud.ingest import stream
from centralcloud.store.wellbeing import active_instances
from schemas import subjects
from shared.bus import Bus
from shared.database import transaction
from shared.health import HEALTHY, Health, Survey
from shared.jobs.vitals import vitals
from shared.restarting import Restarted
from shared.service import Service

NEEDED: Final = ("database", "nats")


def health_of(engine: AsyncEngine, bus: Bus, settings: CentralcloudSettings, *, name: str) -> Health:
    """What is looked at: the database, NATS, and what the stream holds for us."""

    async def survey() -> Survey:
        async with transaction(engine) as connection:
            return Survey(await vitals(connection), await active_instances(connection))

    async def buffers() -> Mapping[str, int]:
        consumer = await bus.jetstream().consumer_info(subjects.STREAM, stream.CONSUMER)
        return {"stream": consumer.num_pending or 0, "unacknowledged": consumer.num_ack_pending or 0}

    async def nats() -> str:
        await bus.client.flush()
        return HEALTHY

    health = Health(survey, role=settings.role, buffers=buffers, needed=NEEDED)
    health.instance_id = name
    health.watch("nats", nats)
    return health


def watch_parts(health: Health, services: Iterable[Service]) -> None:
    """Have those looked at that may fail alone."""
    for service in services:
        if isinstance(service, Restarted):
            health.watch(service.name, service.word)
