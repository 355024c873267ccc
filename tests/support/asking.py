"""A bus for one part of centralcloud, and a client that asks it, on the tests' NATS server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import nats
from nats.aio.client import Client

from shared.bus import Bus
from shared.metrics import Metrics


@asynccontextmanager
async def hub_bus(url: str, prepare: Callable[[Bus], Any] | None = None) -> AsyncIterator[Bus]:
    """Give a connected bus; `prepare` subscribes what it must hear."""
    bus = Bus([url], client_name="hub", inbox_prefix="_INBOX.centralcloud.test", metrics=Metrics())
    if prepare:
        prepare(bus)
    await bus.start()
    try:
        await bus.connected.wait()
        yield bus
    finally:
        await bus.stop()


@asynccontextmanager
async def asker(url: str, tenant: str = "default", instance: str = "asker") -> AsyncIterator[Client]:
    """Give a plain client with the inbox of an instance."""
    client = await nats.connect(url, inbox_prefix=f"_INBOX.{tenant}.{instance}")
    try:
        yield client
    finally:
        await client.close()


async def ask(client: Client, subject: str, query: bytes, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """Ask and return the reply as the JSON object it must be."""
    reply = await client.request(subject, query, timeout=5, headers=headers)
    return msgspec.json.decode(reply.data, type=dict[str, Any])
