"""The whole of centralcloud on one screen: its parts, in the order they start."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud import jobs
from centralcloud.aggregator import Aggregator
from centralcloud.config import CentralcloudSettings
from centralcloud.connections import Engines, connect_engines
from centralcloud.ingest.consumer import Ingest
from centralcloud.ingest.flow import Pressure
from centralcloud.ingest.presence import Presence
from centralcloud.leadership import LEADER
from centralcloud.measures import hub_measures, pressure_measure
from centralcloud.queries.service import Queries
from centralcloud.region.service import Listening, RegionQueries
from centralcloud.schedules import schedule_table
from centralcloud.store import MIGRATIONS, changes, tenancy
from centralcloud.store.presence import Patience
from centralcloud.wellbeing import health_of, watch_parts
from shared import fires, leader, tracing
from shared import log as logging
from shared.bus import Bus
from shared.database import wait_until_reachable
from shared.embedded.attach import database
from shared.errors import ConfigurationError, Exit
from shared.jobs.meter import JobMeter
from shared.jobs.worker import Worker
from shared.jobs.workers import WorkerSettings
from shared.leader import Leadership
from shared.measuring import Meter, bus_measure
from shared.metrics import Metrics
from shared.migrations import upgrade_in_thread
from shared.nats_service import NatsService
from shared.notices import Notices
from shared.passport import passport_of
from shared.restarting import Restarted
from shared.runner import run_daemon
from shared.schedule import Schedules, overridden
from shared.service import Service
from shared.version import VERSION

RECEIVING: Final = frozenset({"hybrid", "ingestor"})
ANSWERING: Final = frozenset({"hybrid", "web", "read_only"})
LEADING: Final = frozenset({"hybrid", "worker"})
"""Roles of a process: who takes in, who answers, who may lead and runs jobs."""


def main(settings: CentralcloudSettings) -> Exit:
    """Run until stopped; returns the exit code."""
    logging.configure(
        level=settings.log_level, form=settings.log_format, syslog=settings.syslog, service="centralcloud"
    )
    with tracing.exporting(settings.trace_url, "centralcloud", _process_name(settings)):
        return run_daemon(lambda: build(settings), ready_file=settings.ready_file)


@asynccontextmanager
async def build(settings: CentralcloudSettings) -> AsyncIterator[Sequence[Service]]:
    """Yield the services in start order; what they share is closed after they have stopped.

    Every hub takes in and answers, or what its role says; what the one that leads does beside that is written through
    `leadership.engine`. What is shown over HTTP is there before the database is, to say that we wait for it, and has
    connections of its own: neither can starve ingest, or be starved by it.
    """
    if not settings.nats_servers:
        raise ConfigurationError("nats_url: centralcloud needs NATS; set NATS_URL, or run `flocklore up`")
    async with database(settings.database_url, settings.state_dir, "centralcloud") as url:
        engines = connect_engines(url, settings)
        services = _services(engines, url, settings)
        early = [service for service in services if service.name == "http"]
        try:
            for service in early:
                await service.start()
            await wait_until_reachable(engines.work)
            await upgrade_in_thread(url, MIGRATIONS)
            await tenancy.prepare(engines.work)
            yield services
        finally:
            for service in early:
                await service.stop()
            await engines.dispose()


def _services(engines: Engines, url: str, settings: CentralcloudSettings) -> list[Service]:
    metrics, engine = Metrics(), engines.work
    engines.watch(metrics)
    bus = Bus(
        settings.nats_servers,
        client_name="centralcloud",
        inbox_prefix=f"_INBOX.centralcloud.{uuid.uuid4().hex}",
        passport=passport_of(settings),
        metrics=metrics,
    )
    leadership = _leadership(engine, settings, metrics)
    aggregator = Aggregator(
        leadership.engine,
        bus,
        metrics,
        half_life_days=settings.half_life_days,
        instances_min=settings.insight_instances_min,
    )
    table = overridden(schedule_table(leadership.engine, bus, aggregator, metrics), settings.schedules)
    schedules = Schedules(leadership.engine, table, metrics)
    meter = Meter("fleet meter", metrics, hub_measures(engine, bus, metrics, settings.region))
    leadership.lead(aggregator, schedules, meter)
    notices = Notices(engine)
    notices.on(changes.CHANNEL, aggregator.notify)
    notices.on(fires.CHANNEL, schedules.wake)
    notices.on(leader.CHANNEL, leadership.hear)

    def arrived() -> None:
        if leadership.leading:
            aggregator.notify(tracing.current())
        else:
            notices.say(changes.CHANNEL, tracing.current())

    services: list[Service] = [bus, notices, Meter("meter", metrics, [bus_measure(bus, metrics)])]
    if settings.role in ANSWERING:
        Queries(engine, bus)
        RegionQueries(engine, bus, region=settings.region, instances_min=settings.insight_instances_min)
    if settings.role in LEADING:
        services.append(Restarted(leadership, metrics))
    if settings.role in RECEIVING:
        services += _receiving(engine, bus, settings, metrics, arrived)
    services.append(_worker(engine, url, settings, metrics))
    health = health_of(engines.web, bus, settings, name=_process_name(settings))
    NatsService(bus, health, name="centralcloud", process=health.instance_id)
    if settings.http_port is not None:
        from centralcloud.surface import show  # noqa: PLC0415 - a fifth of a second, for those that serve alone

        answers = settings.role in ANSWERING
        services = [*show(engines, bus, notices, settings, metrics, health, answers=answers), *services]
    watch_parts(health, services)
    return [*services, health]


def _receiving(
    engine: AsyncEngine, bus: Bus, settings: CentralcloudSettings, metrics: Metrics, arrived: Callable[[], None]
) -> list[Service]:
    """Make the parts that take in; ingest may fail, and be started again, without the others noticing."""
    Listening(engine, bus, region=settings.region, delegate=settings.region_delegate)
    patience = Patience(settings.silence_seconds, settings.suspect_seconds)
    presence = Presence(engine, bus, patience, region=settings.region)
    ingest = Ingest(
        engine,
        bus,
        metrics,
        replicas=settings.stream_replicas,
        on_commit=arrived,
        signatures=settings.signatures,
        events_per_minute=settings.ingest_events_per_minute,
        region=settings.region,
    )
    pressure = Pressure(bus, ingest, settings.backlog_max)
    gauge = Meter("pressure meter", metrics, [pressure_measure(bus, pressure, metrics)])
    return [presence, Restarted(ingest, metrics), pressure, gauge]


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
    bound = jobs.handlers(engine) if works else []
    return Worker(engine, url, bound, told, JobMeter(metrics, told.name, bound))


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
