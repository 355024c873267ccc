"""A mesh of three NATS servers and two hubs; somebody has its instances learn all the time, and somebody asks."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any, Final

import nats.errors
from nats.js.api import ClusterInfo
from sqlalchemy.ext.asyncio import AsyncEngine

from mesh.profiles import STANDBY
from mesh.status import PartStatus
from schemas import subjects
from schemas.codec import encode
from schemas.insights import GlobalStatistics, StatisticsQuery
from shared.bus import Bus
from shared.client import data_of
from shared.database import connect_engine, transaction
from shared.embedded.nodes import NODES, running_urls
from shared.errors import FlockloreError, UnreachableError
from shared.metrics import Metrics
from shared.service import end_all
from tests.chaos.verdict import settled
from tests.support.lifecycle import started
from tests.support.patterns import observe
from tests.support.real_mesh import RealMesh
from tests.support.wait import eventually
from tests.support.wire import plain_client

INSTANCES: Final = ("ann", "bob", "cat")
HUBS: Final = ("centralcloud", STANDBY)
PARTS: Final = ("postgres", *NODES, *HUBS, *(f"instance-{name}" for name in INSTANCES))

OFFER_SECONDS: Final = 0.2
ASK_SECONDS: Final = 0.1
ANSWER_SECONDS: Final = 1.0
PATTERNS: Final = 300
CHANGES: Final = 5

_COMMITS = "SELECT extract(epoch FROM received_at)::float8 AS at FROM received_envelopes ORDER BY 1"


class Clustered:
    """The mesh, and what is true of it."""

    def __init__(self, mesh: RealMesh) -> None:
        self.mesh = mesh

    @property
    def hub_url(self) -> str:
        """The central database."""
        return self.mesh.postgres.dsn("centralcloud")

    @property
    def databases(self) -> dict[str, str]:
        """The database of each instance."""
        return {name: self.mesh.postgres.dsn(f"instance_{name}") for name in INSTANCES}

    def part(self, name: str) -> PartStatus:
        """What the supervisor says of a part."""
        status = self.mesh.status()
        assert status is not None
        (found,) = (part for part in status.parts if part.name == name)
        return found

    async def leader(self, after_epoch: int = 0) -> tuple[str, int]:
        """Wait until a hub leads, later than the one of this epoch; returns its name and its epoch."""

        async def look() -> tuple[str, int] | None:
            found = (await asyncio.to_thread(self.mesh.ask, "centralcloud", "status"))["leadership"]["leader"]
            return (found["candidate"], found["epoch"]) if found and found["epoch"] > after_epoch else None

        leader = await eventually(look, 30, "a hub leads")
        assert leader is not None
        return leader

    def send(self, name: str, number: signal.Signals) -> PartStatus:
        """Send a signal to a part; returns what it was."""
        before = self.part(name)
        assert before.process is not None
        assert before.process.signal(number)
        return before

    async def back(self, before: PartStatus) -> None:
        """Wait until another process of this part is ready."""

        def is_back() -> bool:
            now = self.part(before.name)
            return now.ready and now.process is not None and now.process != before.process

        await eventually(is_back, 60, f"{before.name} is back")

    async def stream(self) -> ClusterInfo:
        """Where the stream is: its leader, and how far the others are; asked until there is an answer."""

        async def ask() -> ClusterInfo | None:
            with contextlib.suppress(nats.errors.Error, TimeoutError, OSError):
                async with plain_client(running_urls(self.mesh.state)[0]) as client:
                    return (await client.jetstream(timeout=1).stream_info(subjects.STREAM)).cluster
            return None

        found = await eventually(ask, 60, "an answer about the stream")
        assert found is not None
        return found

    async def in_step(self) -> ClusterInfo:
        """Wait until all three servers have the whole stream; returns where it is."""

        async def look() -> ClusterInfo | None:
            found = await self.stream()
            others = found.replicas or []
            return found if found.leader and len(others) == len(NODES) - 1 and all(map(_current, others)) else None

        found = await eventually(look, 60, "all servers in step")
        assert found is not None
        return found

    async def heard_from_all(self, since: float) -> None:
        """Wait until something of every instance was committed after this time."""
        statement = "SELECT count(DISTINCT instance) FROM received_envelopes WHERE received_at > to_timestamp(%s)"

        def heard() -> bool:
            return bool(self.mesh.value("centralcloud", statement, since) == len(INSTANCES))

        await eventually(heard, 120, "something of every instance")

    async def settled(self) -> None:
        """Wait until centralcloud has all that the instances know."""
        await eventually(lambda: settled(self.hub_url, self.databases), 120, "everything arrived")

    def commits(self) -> list[float]:
        """When centralcloud committed something, in seconds since the epoch."""
        return [row["at"] for row in self.mesh.rows("centralcloud", _COMMITS)]


class Asking:
    """Somebody who asks centralcloud ten times a second, and remembers when there was an answer."""

    def __init__(self) -> None:
        self.answered: list[float] = []

    async def ask(self, bus: Bus) -> None:
        """Ask for ever."""
        while True:
            with contextlib.suppress(FlockloreError):
                reply = await bus.request(subjects.STATISTICS_QUERY, encode(StatisticsQuery()), ANSWER_SECONDS)
                data_of(reply, GlobalStatistics)
                self.answered.append(time.time())
            await asyncio.sleep(ASK_SECONDS)


class Offering:
    """Every instance learns five patterns at a time, in the transaction of their events, again and again."""

    def __init__(self) -> None:
        self.events = 0

    async def offer(self, engine: AsyncEngine, chance: random.Random) -> None:
        """Learn for ever; while the database is away nothing is offered."""
        while True:
            changes = {number: chance.randint(0, 9) for number in chance.sample(range(PATTERNS), CHANGES)}
            with contextlib.suppress(UnreachableError):
                async with transaction(engine) as connection:
                    said = await observe(connection, changes)
                self.events += said
            await asyncio.sleep(OFFER_SECONDS)


@asynccontextmanager
async def asking(urls: Sequence[str]) -> AsyncIterator[Asking]:
    """Ask for the length of a block."""
    bus = Bus(list(urls), client_name="asker", inbox_prefix="_INBOX.default.asker", metrics=Metrics())
    one = Asking()
    async with started(bus), _running([one.ask(bus)]):
        yield one


@asynccontextmanager
async def offering(clustered: Clustered, seed: int) -> AsyncIterator[Offering]:
    """Have all instances learn for the length of a block."""
    one = Offering()
    engines = {name: connect_engine(url, application="test") for name, url in clustered.databases.items()}
    chances = {name: random.Random(f"{seed} {name}") for name in engines}  # noqa: S311 - reproducible
    try:
        async with _running([one.offer(engine, chances[name]) for name, engine in engines.items()]):
            yield one
    finally:
        for engine in engines.values():
            await engine.dispose()


def longest_gap(times: Iterable[float], begin: float, end: float) -> float:
    """The longest time without any of these moments, in seconds; what began before `begin` counts from there."""
    inside = [begin, *(moment for moment in times if begin < moment < end), end]
    return max(later - earlier for earlier, later in pairwise(inside))


@asynccontextmanager
async def _running(works: Iterable[Any]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
        assert not any(task.done() for task in tasks), "whoever offers or asks has ended"
    finally:
        await end_all(*tasks)


def _current(peer: Any) -> bool:
    return bool(peer.current) and not peer.offline
