"""An instance as a process: the product's way up, and a made-up workspace that keeps changing.

The observations in its database, written in the transaction of their events, are the truth a run is judged by.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncEngine

from shared import log as logging
from shared.database import transaction
from shared.lease import Lease
from shared.runner import run_daemon
from shared.service import Service
from tests.chaos import textbook
from tests.support.databases import instance_engine
from tests.support.fleet import parts
from tests.support.patterns import observe

PATTERNS = 400
CHANGES = 10
FORGOTTEN_SHARE = 0.15


class Plan(Struct, frozen=True, kw_only=True):
    """How one instance behaves."""

    name: str
    nats_url: str
    database_url: str
    quiet_file: str
    """Once this file is there, nothing is learned any more."""
    events_per_second: float = 40.0
    resend_seconds: float = 1.5
    sync_seconds: float = 1.5
    lease_seconds: float = 3.0
    textbook: bool = False


class Workspace(Service):
    """Changes ten patterns at a time: new ones, more or fewer files, gone."""

    name = "workspace"

    def __init__(self, engine: AsyncEngine, plan: Plan, on_said: Callable[[], None]) -> None:
        super().__init__()
        self._engine = engine
        self._plan = plan
        self._on_said = on_said
        self._chance = random.Random(f"{plan.name} {os.getpid()}")  # noqa: S311 - any changes will do

    async def run(self) -> None:
        """Learn until it is to be quiet."""
        while not await asyncio.to_thread(Path(self._plan.quiet_file).exists):
            numbers = self._chance.sample(range(PATTERNS), CHANGES)
            async with transaction(self._engine) as connection:
                await observe(connection, {number: self._files() for number in numbers})
            self._on_said()
            await asyncio.sleep(CHANGES / self._plan.events_per_second)
        await asyncio.Event().wait()

    def _files(self) -> int:
        return 0 if self._chance.random() < FORGOTTEN_SHARE else self._chance.randint(1, 9)


@asynccontextmanager
async def build(plan: Plan) -> AsyncIterator[Sequence[Service]]:
    """Yield the services in start order, as the daemon does."""
    async with instance_engine(plan.database_url) as engine:
        lease = Lease(engine, "instance", holder=secrets.token_hex(16), ttl_seconds=plan.lease_seconds)
        await lease.start()
        try:
            one = await parts(engine, plan.nats_url, plan.name, lease, plan.resend_seconds, plan.sync_seconds)
            workspace = Workspace(engine, plan, one.uplink.wake)
            if plan.textbook:
                yield [lease, one.bus, textbook.Relay(engine, one.bus, one.identity), workspace]
            else:
                yield [lease, one.bus, one.receipts, one.uplink, workspace]
        finally:
            await lease.stop()


if __name__ == "__main__":
    given = msgspec.json.decode(sys.argv[1], type=Plan)
    logging.configure(level="info", form="json", service="instance", instance=given.name)
    sys.exit(run_daemon(lambda: build(given)))
