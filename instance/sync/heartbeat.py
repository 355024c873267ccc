"""Saying that we live, every few seconds, and goodbye at the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from instance.store import insights, outbox
from instance.store.identity import Identity
from schemas import subjects
from schemas.codec import encode
from schemas.subjects import Sender
from schemas.sync import Goodbye, Heartbeat
from shared.bus import Bus
from shared.database import transaction
from shared.errors import UnreachableError
from shared.jobs import workers
from shared.service import Service
from shared.version import VERSION

JITTER: Final = 0.1


class Heartbeats(Service):
    """Publishes on core NATS: a lost heartbeat is followed by the next."""

    name = "heartbeats"

    def __init__(
        self,
        engine: AsyncEngine,
        bus: Bus,
        identity: Identity,
        *,
        worker: str,
        every_seconds: float,
        role: str | None = None,
        admitted: asyncio.Event | None = None,
    ) -> None:
        """`role`: told instead of that of the process. Nothing is told while `admitted` is not set."""
        super().__init__()
        self._engine = engine
        self._bus = bus
        self._identity = identity
        self._sender = Sender(identity.tenant, identity.instance_id)
        self._every_seconds = every_seconds
        self._worker = worker
        self._role = role
        self._admitted = admitted
        self._started = datetime.now(UTC)

    async def run(self) -> None:
        """Beat, with a little jitter so that a thousand instances do not beat at once."""
        while True:
            if self._admitted is not None:
                await self._admitted.wait()
            with contextlib.suppress(UnreachableError):  # no database: not alive enough to say so
                await self._beat()
            await asyncio.sleep(self._every_seconds * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311 - jitter

    async def close(self) -> None:
        """Say goodbye, so that our work is not waited for."""
        if self._admitted is not None and not self._admitted.is_set():
            return
        word = Goodbye(time=datetime.now(UTC), holder=self._identity.holder, reason="stopped")
        await self._bus.hint(subjects.goodbye(self._sender), encode(word))

    async def _beat(self) -> None:
        async with transaction(self._engine) as connection:
            uplink = await outbox.get(connection)
            insight_version = await insights.version(connection)
            crew = [one for one in await workers.list_workers(connection) if one.status != "offline"]
        own = next((one for one in crew if one.name == self._worker), None)
        beat = Heartbeat(
            time=datetime.now(UTC),
            holder=self._identity.holder,
            hostname=socket.gethostname(),
            pid=os.getpid(),
            version=VERSION,
            started=self._started,
            status=own.recorded if own else "online",
            load=sum(one.load for one in crew),
            role=self._role or (own.role if own else "hybrid"),
            region=own.region if own else "",
            capabilities=tuple(own.capabilities) if own else (),
            epoch=uplink.epoch,
            head=uplink.head,
            confirmed=uplink.confirmed,
            insight_version=insight_version,
        )
        await self._bus.hint(subjects.heartbeat(self._sender), encode(beat))
