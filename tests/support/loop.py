"""Parts of the two daemons, run in a test against real servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.ingest.consumer import Ingest
from centralcloud.ingest.presence import Presence
from instance.config import InstanceSettings
from instance.daemon import enrol
from instance.store.identity import Identity
from instance.sync.receipts import Receipts
from instance.sync.uplink import Uplink
from schemas.envelope import Source
from schemas.subjects import Sender, inbox_prefix
from shared.bus import Bus
from shared.lease import Lease
from shared.metrics import Metrics
from shared.service import Service
from tests.support.databases import central_engine, instance_engine


@asynccontextmanager
async def started(*services: Service) -> AsyncIterator[None]:
    """Run services for the length of a block, stopped in reverse order."""
    async with AsyncExitStack() as stack:
        for service in services:
            await service.start()
            stack.push_async_callback(service.stop)
        yield


@dataclass
class Hub:
    """The receiving side of centralcloud."""

    engine: AsyncEngine
    bus: Bus
    ingest: Ingest
    metrics: Metrics
    commits: asyncio.Event


@asynccontextmanager
async def hub(nats_url: str, database_url: str, *, suspect_seconds: float = 30.0) -> AsyncIterator[Hub]:
    """Run ingest and presence on a central database."""
    async with central_engine(database_url) as engine:
        metrics = Metrics()
        bus = Bus([nats_url], client_name="hub", inbox_prefix="_INBOX.centralcloud.test", metrics=metrics)
        Presence(engine, bus, suspect_seconds=suspect_seconds)
        commits = asyncio.Event()
        ingest = Ingest(engine, bus, metrics, replicas=1, on_commit=commits.set)
        async with started(bus, ingest):
            yield Hub(engine, bus, ingest, metrics, commits)


@dataclass
class Spoke:
    """The sending side of an instance."""

    engine: AsyncEngine
    identity: Identity
    bus: Bus
    uplink: Uplink
    receipts: Receipts
    metrics: Metrics


@asynccontextmanager
async def spoke(
    nats_url: str, database_url: str, name: str, *, resend_seconds: float = 1.0, sync_seconds: float = 1.0
) -> AsyncIterator[Spoke]:
    """Run uplink and receipts on an instance's database, impatient so that tests are quick."""
    async with instance_engine(database_url) as engine:
        metrics = Metrics()
        identity = await enrol(engine, InstanceSettings(instance_id=name, nats_url=nats_url))
        lease = Lease(engine, "instance", holder=identity.holder, ttl_seconds=3)
        sender = Sender(identity.tenant, identity.instance_id)
        bus = Bus([nats_url], client_name=name, inbox_prefix=inbox_prefix(sender), metrics=metrics)
        uplink = Uplink(engine, bus, lease, identity, Source(instance_id=name), metrics, resend_seconds=resend_seconds)
        receipts = Receipts(
            engine,
            bus,
            identity,
            metrics,
            policy="public",
            on_admitted=uplink.admitted.set,
            on_due=uplink.wake,
            sync_seconds=sync_seconds,
        )
        async with started(lease, bus, receipts, uplink):
            yield Spoke(engine, identity, bus, uplink, receipts, metrics)
