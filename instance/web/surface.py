"""Everything an instance shows over HTTP, put together in one place: health, metrics, its API, what is sent to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine

from instance.config import InstanceSettings
from instance.learning.prices import prices
from instance.otlp.sink import Sink
from instance.speaker import Speaker
from instance.store import outbox
from instance.sync.receipts import Receipts
from instance.web import api
from shared.bus import Bus
from shared.database import transaction
from shared.health import HEALTHY, Health, Survey
from shared.jobs.vitals import vitals
from shared.metrics import Metrics
from shared.service import Service
from shared.web.endpoint import Endpoint, Raw
from shared.web.server import WebServer
from shared.web.surface import surface

TITLE: Final = "Flocklore instance"


class Shown(NamedTuple):
    """The server, and the health it tells of."""

    server: WebServer
    health: Health

    def around(self, services: Sequence[Service], speaker: Speaker, *, name: str) -> list[Service]:
        """Put the services between the server and what says that they all run."""
        self.health.instance_id = name
        _watch_nats(self.health, speaker)
        _watch_admission(self.health, speaker)
        return [self.server, *services, self.health]


def show(engine: AsyncEngine, settings: InstanceSettings, metrics: Metrics, *, answers: bool) -> Shown:
    """Make what is shown; without `answers` that is health and metrics alone."""
    health = _health_of(engine, settings)
    endpoints: list[Endpoint | Raw] = []
    if answers:
        sink = Sink(engine, prices(Path(settings.prices) if settings.prices else None), metrics)
        endpoints += [*api.endpoints(engine, settings), *sink.endpoints()]
    return Shown(surface(settings, metrics, health, title=TITLE, endpoints=endpoints), health)


def _health_of(engine: AsyncEngine, settings: InstanceSettings) -> Health:
    """What is looked at: the database, and the outbox in it. NATS is not needed: an instance works without it."""

    async def survey() -> Survey:
        async with transaction(engine) as connection:
            found = await vitals(connection)
        return Survey(found, active_instances=found.workers)

    async def buffers() -> Mapping[str, int]:
        async with transaction(engine) as connection:
            return {"outbox": (await outbox.backlog(connection))[0]}

    return Health(survey, role=settings.role, buffers=buffers)


def _watch_nats(health: Health, speaker: Speaker) -> None:
    """Have the connection to NATS looked at while this process is the one that speaks for the instance."""

    async def nats() -> str:
        for part in speaker.parts:
            if isinstance(part, Bus):
                await part.client.flush()
        return HEALTHY

    health.watch("nats", nats)


def _watch_admission(health: Health, speaker: Speaker) -> None:
    """Have it said when the hub does not take in what we learn, and why."""

    async def admission() -> str:
        return next((part.refusal for part in speaker.parts if isinstance(part, Receipts) and part.refusal), HEALTHY)

    health.watch("admission", admission)
