"""The receiving side of centralcloud and the sending side of instances, run in a test against real servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from nats.errors import Error as NatsError
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.ingest import stream
from centralcloud.ingest.consumer import Ingest
from centralcloud.ingest.presence import Presence
from centralcloud.store.presence import Patience
from instance.config import InstanceSettings, Sharing
from instance.speaker import enrol
from instance.store import outbox, signing_key
from instance.store.identity import Identity
from instance.sync.receipts import Receipts
from instance.sync.uplink import Uplink
from schemas import subjects
from schemas.envelope import Source
from schemas.subjects import Sender, inbox_prefix
from shared.bus import Bus
from shared.errors import UnreachableError
from shared.lease import Lease
from shared.metrics import Metrics
from shared.signing import Signer
from tests.support.databases import central_engine, instance_engine
from tests.support.lifecycle import started
from tests.support.patterns import scalar
from tests.support.wait import eventually


@dataclass
class Hub:
    """The receiving side of centralcloud."""

    nats_url: str
    engine: AsyncEngine
    bus: Bus
    ingest: Ingest
    metrics: Metrics
    commits: asyncio.Event

    def counted(self, name: str) -> int:
        """The value of a counter, by its name without `flocklore_`."""
        return int(self.metrics.registry.get_sample_value(f"flocklore_{name}_total") or 0)

    async def receives(self) -> None:
        """Wait until the stream and its consumer are there."""
        await eventually(self._has_consumer, what="a consumer")

    async def _has_consumer(self) -> bool:
        try:
            await self.bus.jetstream().consumer_info(subjects.STREAM, stream.CONSUMER)
        except (NatsError, UnreachableError):
            return False
        return True

    async def reaches(self, statement: str, wanted: object, timeout_seconds: float = 10.0) -> None:
        """Wait until a statement on the central database gives the wanted value."""
        await _reaches(self.engine, statement, wanted, timeout_seconds)


@asynccontextmanager
async def hub(
    nats_url: str, database_url: str, *, suspect_seconds: float = 30.0, silence_seconds: float = 2.0
) -> AsyncIterator[Hub]:
    """Run ingest and presence on a central database."""
    async with central_engine(database_url) as engine:
        metrics = Metrics()
        bus = Bus([nats_url], client_name="hub", inbox_prefix="_INBOX.centralcloud.test", metrics=metrics)
        presence = Presence(engine, bus, Patience(silence_seconds, suspect_seconds))
        commits = asyncio.Event()
        ingest = Ingest(engine, bus, metrics, replicas=1, on_commit=commits.set)
        async with started(bus, presence, ingest):
            yield Hub(nats_url, engine, bus, ingest, metrics, commits)


@dataclass
class Spoke:
    """The sending side of an instance."""

    engine: AsyncEngine
    identity: Identity
    bus: Bus
    lease: Lease
    uplink: Uplink
    receipts: Receipts
    metrics: Metrics

    async def standing(self) -> outbox.Uplink:
        """How far it has numbered and been confirmed."""
        async with self.engine.connect() as connection:
            return await outbox.get(connection)

    async def confirms_all(self, timeout_seconds: float = 10.0) -> outbox.Uplink:
        """Wait until everything it ever appended is numbered and confirmed, and nothing was appended since."""

        async def check() -> bool:
            return await scalar(self.engine, "SELECT count(*) FROM outbox WHERE confirmed_at IS NULL") == 0

        await eventually(check, timeout_seconds, what="everything confirmed")
        return await self.standing()

    async def signer(self) -> Signer | None:
        """What it signs with: a clone has it, too."""
        async with self.engine.connect() as connection:
            return await signing_key.get(connection)

    async def rotates(self, timeout_seconds: float = 10.0) -> None:
        """Wait until it has begun a new epoch."""
        await _reaches(self.engine, "SELECT rotations > 0 FROM uplink", True, timeout_seconds)


@asynccontextmanager
async def spoke(
    nats_url: str,
    database_url: str,
    name: str,
    *,
    resend_seconds: float = 1.0,
    sync_seconds: float = 1.0,
    lease_seconds: float = 3.0,
) -> AsyncIterator[Spoke]:
    """Run uplink and receipts on an instance's database, impatient so that tests are quick."""
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(instance_engine(database_url))
        # As in the daemon: a second one on this database stops before it writes anything.
        lease = Lease(engine, "instance", holder=f"{name} of a test", ttl_seconds=lease_seconds)
        await stack.enter_async_context(started(lease))
        one = await parts(engine, nats_url, name, lease, resend_seconds, sync_seconds)
        await stack.enter_async_context(started(one.bus, one.receipts, one.uplink))
        yield one


async def parts(
    engine: AsyncEngine, nats_url: str, name: str, lease: Lease, resend_seconds: float, sync_seconds: float
) -> Spoke:
    """Build the sending side of an instance, put together as in its daemon, not started."""
    metrics = Metrics()
    identity = await enrol(engine, InstanceSettings(instance_id=name, nats_url=nats_url))
    sender = Sender(identity.tenant, identity.instance_id)
    bus = Bus([nats_url], client_name=name, inbox_prefix=inbox_prefix(sender), metrics=metrics)
    uplink = Uplink(engine, bus, lease, identity, Source(instance_id=name), metrics, resend_seconds=resend_seconds)
    receipts = Receipts(
        engine,
        bus,
        identity,
        metrics,
        sharing=Sharing(),
        on_admitted=uplink.admitted.set,
        on_due=uplink.wake,
        sync_seconds=sync_seconds,
    )
    return Spoke(engine, identity, bus, lease, uplink, receipts, metrics)


async def _reaches(engine: AsyncEngine, statement: str, wanted: object, timeout_seconds: float) -> None:
    last: list[object] = [None]

    async def check() -> bool:
        last[0] = await scalar(engine, statement)
        return last[0] == wanted

    try:
        await eventually(check, timeout_seconds, what=statement)
    except AssertionError as error:
        raise AssertionError(f"{statement} stayed {last[0]!r}, wanted {wanted!r}") from error
