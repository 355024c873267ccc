"""The whole of centralcloud on one screen: its parts, in the order they start."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud import jobs
from centralcloud.aggregator import Aggregator
from centralcloud.config import CentralcloudSettings
from centralcloud.ingest.consumer import Ingest
from centralcloud.ingest.presence import Presence
from centralcloud.leadership import LEADER
from centralcloud.queries.service import Queries
from centralcloud.schedules import schedule_table
from centralcloud.store import MIGRATIONS
from centralcloud.store.presence import Patience
from centralcloud.store.sessions import limit_idle_transactions
from shared import fires, leader
from shared import log as logging
from shared.bus import Bus
from shared.database import connect_engine, wait_until_reachable
from shared.embedded.attach import database
from shared.errors import ConfigurationError, Exit
from shared.jobs.meter import JobMeter
from shared.jobs.worker import Worker
from shared.jobs.workers import WorkerSettings
from shared.leader import Leadership
from shared.metrics import Metrics
from shared.migrations import upgrade_in_thread
from shared.notices import Notices
from shared.runner import run_daemon
from shared.schedule import Schedules, overridden
from shared.service import Service
from shared.version import VERSION

CHANGES: Final = "flocklore_changes"
"""Said by a hub that took in observations, for the one that leads to merge them."""

RECEIVING: Final = frozenset({"hybrid", "ingestor"})
ANSWERING: Final = frozenset({"hybrid", "web", "read_only"})
LEADING: Final = frozenset({"hybrid", "worker"})
"""Roles of a process: who takes in, who answers, who may lead and runs jobs."""


def main(settings: CentralcloudSettings) -> Exit:
    """Run until stopped; returns the exit code."""
    logging.configure(
        level=settings.log_level, form=settings.log_format, syslog=settings.syslog, service="centralcloud"
    )
    return run_daemon(lambda: build(settings), ready_file=settings.ready_file)


@asynccontextmanager
async def build(settings: CentralcloudSettings) -> AsyncIterator[Sequence[Service]]:
    """Yield the services in start order; what they share is closed after they have stopped.

    Every hub takes in and answers, or what its role says; what the one that leads does beside that is written through
    `leadership.engine`.
    """
    if not settings.nats_servers:
        raise ConfigurationError("nats_url: centralcloud needs NATS; set NATS_URL, or run `flocklore up`")
    async with database(settings.database_url, settings.state_dir, "centralcloud") as url:
        engine = connect_engine(url, application="centralcloud")
        limit_idle_transactions(engine)
        try:
            await wait_until_reachable(engine)
            await upgrade_in_thread(url, MIGRATIONS)
            yield _services(engine, url, settings)
        finally:
            await engine.dispose()


def _services(engine: AsyncEngine, url: str, settings: CentralcloudSettings) -> list[Service]:
    metrics = Metrics()
    bus = Bus(
        settings.nats_servers,
        client_name="centralcloud",
        inbox_prefix=f"_INBOX.centralcloud.{uuid.uuid4().hex}",
        credentials=settings.nats_credentials,
        metrics=metrics,
    )
    leadership = _leadership(engine, settings, metrics)
    aggregator = Aggregator(leadership.engine, bus, metrics, half_life_days=settings.half_life_days)
    table = overridden(schedule_table(leadership.engine, bus, aggregator, metrics), settings.schedules)
    schedules = Schedules(leadership.engine, table, metrics)
    leadership.lead(aggregator, schedules)
    notices = Notices(engine)
    notices.on(CHANGES, aggregator.notify)
    notices.on(fires.CHANNEL, schedules.wake)
    notices.on(leader.CHANNEL, leadership.hear)

    def arrived() -> None:
        if leadership.leading:
            aggregator.notify()
        else:
            notices.say(CHANGES)

    services: list[Service] = [bus, notices]
    if settings.role in ANSWERING:
        Queries(engine, bus)
    if settings.role in LEADING:
        services.append(leadership)
    if settings.role in RECEIVING:
        Presence(engine, bus, Patience(settings.silence_seconds, settings.suspect_seconds))
        services.append(Ingest(engine, bus, metrics, replicas=settings.stream_replicas, on_commit=arrived))
    return [*services, _worker(engine, url, settings, metrics)]


def _worker(engine: AsyncEngine, url: str, settings: CentralcloudSettings, metrics: Metrics) -> Worker:
    works = settings.role in LEADING
    told = WorkerSettings(
        name=_process_name(settings),
        role=settings.role,
        region=settings.region,
        version=VERSION,
        beat_seconds=settings.heartbeat_seconds,
        dead_seconds=settings.dead_seconds,
        queues=(settings.queues or None) if works else {},
    )
    return Worker(engine, url, jobs.handlers(engine) if works else [], told, JobMeter(metrics))


def _process_name(settings: CentralcloudSettings) -> str:
    return settings.worker_id or f"{socket.gethostname()}-{os.getpid()}"


def _leadership(engine: AsyncEngine, settings: CentralcloudSettings, metrics: Metrics) -> Leadership:
    return Leadership(
        engine,
        LEADER,
        metrics,
        candidate=_process_name(settings),
        candidacy=settings.orchestrator_role,
        ttl_seconds=settings.leadership_ttl_seconds,
        check_seconds=settings.leadership_check_seconds,
    )
