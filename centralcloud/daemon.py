"""The whole of centralcloud on one screen: its parts, in the order they start."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from centralcloud.aggregator import Aggregator
from centralcloud.config import CentralcloudSettings
from centralcloud.ingest.consumer import Ingest
from centralcloud.ingest.presence import Presence
from centralcloud.queries.service import Queries
from centralcloud.schedules import schedule_table
from centralcloud.store import MIGRATIONS
from centralcloud.store.presence import Patience
from shared import log as logging
from shared.bus import Bus
from shared.database import connect_engine, wait_until_reachable
from shared.embedded.attach import database
from shared.errors import ConfigurationError, Exit
from shared.metrics import Metrics
from shared.migrations import upgrade_in_thread
from shared.runner import run_daemon
from shared.schedule import Schedules, overridden
from shared.service import Service


def main(settings: CentralcloudSettings) -> Exit:
    """Run until stopped; returns the exit code."""
    logging.configure(
        level=settings.log_level, form=settings.log_format, syslog=settings.syslog, service="centralcloud"
    )
    return run_daemon(lambda: build(settings), ready_file=settings.ready_file)


@asynccontextmanager
async def build(settings: CentralcloudSettings) -> AsyncIterator[Sequence[Service]]:
    """Yield the services in start order; what they share is closed after they have stopped."""
    if not settings.nats_servers:
        raise ConfigurationError("nats_url: centralcloud needs NATS; set NATS_URL, or run `flocklore up`")
    async with database(settings.database_url, settings.state_dir, "centralcloud") as url:
        engine = connect_engine(url, application="centralcloud")
        try:
            await wait_until_reachable(engine)
            await upgrade_in_thread(url, MIGRATIONS)
            metrics = Metrics()
            bus = Bus(
                settings.nats_servers,
                client_name="centralcloud",
                inbox_prefix=f"_INBOX.centralcloud.{uuid.uuid4().hex}",
                credentials=settings.nats_credentials,
                metrics=metrics,
            )
            aggregator = Aggregator(engine, bus, metrics, half_life_days=settings.half_life_days)
            Presence(engine, bus, Patience(settings.silence_seconds, settings.suspect_seconds))
            Queries(engine, bus)
            table = overridden(schedule_table(engine, bus, aggregator), settings.schedules)
            yield [
                bus,
                aggregator,
                Ingest(engine, bus, metrics, replicas=settings.stream_replicas, on_commit=aggregator.notify),
                Schedules(engine, table, metrics),
            ]
        finally:
            await engine.dispose()
