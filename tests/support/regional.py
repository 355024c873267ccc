"""A region's hub, reduced to what it answers its delegate, and the delegate's connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from msgspec import Struct
from nats.aio.client import Client
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.ingest.presence import Presence
from centralcloud.region.pinning import pin
from centralcloud.region.service import Listening, RegionQueries
from schemas.codec import decode, encode
from schemas.replies import Response
from schemas.subjects import Sender
from shared.bus import Bus
from shared.database import transaction
from tests.support.asking import asker, hub_bus
from tests.support.observed import TENANT

DELEGATE: Final = Sender(TENANT, "delegate")


@asynccontextmanager
async def delegate_of(engine: AsyncEngine, url: str, *, instances_min: int = 3) -> AsyncIterator[Client]:
    """Give the delegate's client to a hub of the region `eu`."""

    def prepare(bus: Bus) -> None:
        RegionQueries(engine, bus, region="eu", instances_min=instances_min)
        Listening(engine, bus, region="eu", delegate=DELEGATE.instance)
        Presence(engine, bus, region="eu")

    async with hub_bus(url, prepare), asker(url, *DELEGATE) as client:
        yield client


async def asked(client: Client, subject: str, query: Struct, kind: Any) -> Any:
    """The data of an answer, or its error."""
    reply = decode((await client.request(subject, encode(query), timeout=5)).data, Response[kind])
    return reply.data if reply.error is None else reply.error


async def pinned(engine: AsyncEngine, primary: str, *fallbacks: str, tenant: str = TENANT) -> None:
    """Have a tenant belong to regions."""
    async with transaction(engine) as connection:
        await pin(connection, tenant, primary, fallbacks)
