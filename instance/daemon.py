"""The whole of an instance on one screen: its parts, in the order they start."""

from __future__ import annotations

import re
import secrets
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.agents.student import Student
from instance.config import InstanceSettings
from instance.schedules import schedule_table
from instance.store import identity, outbox
from instance.store.identity import Identity
from instance.sync.downlink import Downlink
from instance.sync.heartbeat import Heartbeats
from instance.sync.receipts import Receipts
from instance.sync.snapshot import begin_epoch, say_everything
from instance.sync.uplink import Uplink
from schemas.envelope import Source
from schemas.subjects import Sender, inbox_prefix
from shared import log as logging
from shared.bus import Bus
from shared.database import connect_engine, transaction, wait_until_reachable
from shared.embedded.attach import database, database_name
from shared.errors import Exit
from shared.lease import Lease
from shared.metrics import Metrics
from shared.migrations import upgrade_in_thread
from shared.runner import run_daemon
from shared.schedule import Schedules, overridden
from shared.service import Service

log = structlog.get_logger(__name__)

MIGRATIONS: Final = Path(__file__).parent / "store" / "migrations"


def main(settings: InstanceSettings) -> Exit:
    """Run until stopped; returns the exit code."""
    logging.configure(
        level=settings.log_level,
        form=settings.log_format,
        syslog=settings.syslog,
        service="instance",
        instance=settings.instance_id or default_instance_id(),
    )
    return run_daemon(lambda: build(settings), ready_file=settings.ready_file)


@asynccontextmanager
async def build(settings: InstanceSettings) -> AsyncIterator[Sequence[Service]]:
    """Yield the services in start order; what they share is closed after they have stopped."""
    name = f"instance_{database_name(settings.instance_id or default_instance_id())}"
    async with database(settings.database_url, settings.state_dir, name) as url:
        engine = connect_engine(url, application=f"flocklore {name}")
        try:
            await wait_until_reachable(engine)
            await upgrade_in_thread(url, MIGRATIONS)
            lease = Lease(engine, "instance", holder=secrets.token_hex(16))
            await lease.start()  # before anything is written: a second daemon on this database stops here
            try:
                yield [lease, *await _services(engine, settings, lease)]
            finally:
                await lease.stop()
        finally:
            await engine.dispose()


async def _services(engine: AsyncEngine, settings: InstanceSettings, lease: Lease) -> list[Service]:
    metrics = Metrics()
    me = await enrol(engine, settings)
    log.info("Registering instance", instance=me.instance_id, tenant=me.tenant)
    if settings.isolated:
        log.warning("isolated: no NATS is configured, so what is learned stays here; set NATS_URL to share it")
        student = Student(engine, settings, on_said=lambda: None)
        return [Schedules(engine, overridden(schedule_table(engine, student, None, None), settings.schedules), metrics)]
    bus = Bus(
        settings.nats_servers,
        client_name=me.instance_id,
        inbox_prefix=inbox_prefix(Sender(me.tenant, me.instance_id)),
        credentials=settings.nats_credentials,
        metrics=metrics,
    )
    source = Source(instance_id=me.instance_id, hostname=socket.gethostname(), environment=settings.environment)
    uplink = Uplink(engine, bus, lease, me, source, metrics)
    receipts = Receipts(
        engine,
        bus,
        me,
        metrics,
        sharing=settings.sharing,
        on_admitted=uplink.admitted.set,
        on_due=uplink.wake,
    )
    downlink = Downlink(engine, bus, me.tenant, metrics)
    student = Student(engine, settings, on_said=uplink.wake)
    table = overridden(schedule_table(engine, student, receipts, downlink), settings.schedules)
    beats = Heartbeats(
        engine, bus, me, every_seconds=settings.heartbeat_seconds, role=settings.role, region=settings.region
    )
    return [bus, receipts, beats, uplink, downlink, Schedules(engine, table, metrics)]


async def enrol(engine: AsyncEngine, settings: InstanceSettings) -> Identity:
    """Settle who we are: `INSTANCE_ID`, or the name kept in the database, or one made of the host's name."""
    async with transaction(engine) as connection:
        await outbox.prepare(connection)
        before = await identity.get(connection)
        name = settings.instance_id or (before.instance_id if before else default_instance_id())
        me = await identity.enrol(connection, settings.tenant, name)
        if not settings.isolated and await outbox.start_sharing(connection) and settings.share_backlog:
            await say_everything(connection, settings.sharing)
        if before is not None and (before.tenant, before.instance_id) != (me.tenant, me.instance_id):
            log.warning("this database now speaks for another name", before=before.instance_id, now=me.instance_id)
            await begin_epoch(connection, settings.sharing)
    return me


def default_instance_id() -> str:
    """A name made of the host's: `instance_<host>`, in the letters a subject may have."""
    host = re.sub(r"[^a-z0-9_-]+", "-", socket.gethostname().lower()).strip("-")
    return f"instance_{host or 'local'}"[:63]
