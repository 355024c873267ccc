"""Who speaks for the instance: of the processes on its database the one that holds the lease `instance`.

It alone numbers and sends what was learned, hears insights, and fires schedules. Others that could do the same wait,
and take over when it goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Sequence
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.advisor import Advisor
from instance.agents.student import Student
from instance.config import InstanceSettings
from instance.measures import flow_measure, instance_measures
from instance.naming import default_instance_id
from instance.region.connection import region_bus
from instance.region.delegate import ROLE, Delegate
from instance.schedules import schedule_table
from instance.store import identity, outbox, signing_key
from instance.store.identity import Identity
from instance.sync.downlink import Downlink
from instance.sync.heartbeat import Heartbeats
from instance.sync.receipts import Receipts
from instance.sync.snapshot import begin_epoch, say_everything
from instance.sync.uplink import Uplink
from schemas.envelope import Source
from schemas.subjects import Sender, inbox_prefix
from shared.bus import Bus
from shared.database import transaction
from shared.errors import AlreadyRunningError, UnreachableError
from shared.lease import Lease
from shared.measuring import Measure, Meter, bus_measure
from shared.metrics import Metrics
from shared.notices import Notices
from shared.passport import passport_of
from shared.schedule import CHANNEL, Schedules, overridden
from shared.service import Service, first_end

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 1.0
"""How often who waits looks whether the instance is without a speaker."""


class Speaker(Service):
    """Runs what only one process of an instance may run, for as long as it is this one."""

    name = "speaker"

    def __init__(
        self, engine: AsyncEngine, settings: InstanceSettings, student: Student, metrics: Metrics, *, worker: str
    ) -> None:
        super().__init__()
        self.parts: list[Service] = []
        """What runs, in the order it was started; empty while another process speaks."""
        self._engine = engine
        self._settings = settings
        self._student = student
        self._metrics = metrics
        self._worker = worker

    async def open(self) -> None:
        """Begin to speak, unless another process does."""
        try:
            await self._begin()
        except AlreadyRunningError as error:
            log.info("another process speaks for this instance; waiting to follow it", reason=str(error))

    async def run(self) -> None:
        """Wait for our turn; then run until a part fails."""
        while not self.parts:
            await asyncio.sleep(LOOK_SECONDS)
            with contextlib.suppress(AlreadyRunningError, UnreachableError):
                await self._begin()
                log.info("speaks for the instance now")
        await first_end(self.parts)

    async def close(self) -> None:
        """Stop everything; the lease goes last."""
        while self.parts:
            await self.parts.pop().stop()

    async def _begin(self) -> None:
        lease = Lease(self._engine, "instance", holder=secrets.token_hex(16), metrics=self._metrics)
        await self._start(lease)
        try:
            for part in await self._speaking(lease):
                await self._start(part)
        except BaseException:
            await self.close()
            raise

    async def _start(self, part: Service) -> None:
        await part.start()
        self.parts.append(part)

    async def _speaking(self, lease: Lease) -> Sequence[Service]:
        settings, engine, metrics = self._settings, self._engine, self._metrics
        me = await enrol(engine, settings)
        log.info("Registering instance", instance=me.instance_id, tenant=me.tenant)
        if settings.isolated and not settings.region_nats_url:
            log.warning("isolated: no NATS is configured, so what is learned stays here; set NATS_URL to share it")
            return [*self._schedules(None, None), self._meter()]
        sender = Sender(me.tenant, me.instance_id)
        bus = Bus(
            settings.nats_servers,
            client_name=me.instance_id,
            inbox_prefix=inbox_prefix(sender),
            passport=passport_of(settings),
            metrics=metrics,
        )
        downlink = Downlink(engine, bus, me.tenant, metrics)
        if settings.role == "read_only":
            return [bus, downlink, *self._schedules(None, downlink), self._meter(bus_measure(bus, metrics))]
        Advisor(engine, bus, settings, sender)
        source = Source(instance_id=me.instance_id, hostname=socket.gethostname(), environment=settings.environment)
        uplink = Uplink(engine, bus, lease, me, source, metrics)
        receipts = Receipts(
            engine,
            bus,
            me,
            metrics,
            sharing=settings.sharing,
            on_admitted=uplink.admitted.set,
            on_turned_away=uplink.admitted.clear,
            on_due=uplink.wake,
        )
        beats = Heartbeats(
            engine,
            bus,
            me,
            worker=self._worker,
            every_seconds=settings.heartbeat_seconds,
            role=ROLE if settings.region_nats_url else None,
            admitted=uplink.admitted,
        )
        self._student.on_said = uplink.wake
        links: list[Service] = [bus]
        nearest = bus
        if settings.region_nats_url:
            nearest = region_bus(settings, sender, metrics)
            delegate = Delegate(engine, nearest, bus, lease, sender, settings, on_said=uplink.wake)
            downlink.on_applied = delegate.wake
            links = [nearest, delegate]  # it decides on the other connection
        meter = self._meter(bus_measure(nearest, metrics), flow_measure(uplink.pace, metrics))
        return [*links, receipts, beats, uplink, downlink, *self._schedules(receipts, downlink), meter]

    def _meter(self, *further: Measure) -> Meter:
        measures = instance_measures(self._engine, self._metrics, self._settings.region)
        return Meter("meter", self._metrics, [*measures, *further])

    def _schedules(self, receipts: Receipts | None, downlink: Downlink | None) -> list[Service]:
        table = schedule_table(self._engine, self._settings, self._student, receipts, downlink)
        schedules = Schedules(self._engine, overridden(table, self._settings.schedules), self._metrics)
        notices = Notices(self._engine)
        notices.on(CHANNEL, schedules.wake)
        return [notices, schedules]


async def enrol(engine: AsyncEngine, settings: InstanceSettings) -> Identity:
    """Settle who we are: `INSTANCE_ID`, or the name kept in the database, or one made of the host's name.

    A database that several processes share keeps the name it has, whichever of them is first.
    """
    async with transaction(engine) as connection:
        await outbox.prepare(connection)
        await signing_key.prepare(connection)
        before = await identity.get(connection)
        name = settings.instance_id or default_instance_id()
        if before is not None and (settings.instance_id is None or await identity.is_shared(connection, name)):
            name = before.instance_id
        me = await identity.enrol(connection, settings.tenant, name)
        shares = not settings.isolated and settings.role != "read_only"
        if shares and await outbox.start_sharing(connection) and settings.share_backlog:
            await say_everything(connection, settings.sharing)
        if before is not None and (before.tenant, before.instance_id) != (me.tenant, me.instance_id):
            log.warning("this database now speaks for another name", before=before.instance_id, now=me.instance_id)
            await begin_epoch(connection, settings.sharing)
    return me
