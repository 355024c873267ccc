"""Instances of the simulation as they are in life: a database each, the way up, the way down, and `advise` between."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal
from typing import Any, Final, Self
from unittest.mock import patch

from sqlalchemy.ext.asyncio import AsyncEngine

from bench.fleet_routing.fleets import Asked, Job, drawn, lies
from bench.fleet_routing.stage import Stage
from bench.routing_worlds import LANGUAGES, Instance, Row, World, day_of
from instance.config import InstanceSettings, Sharing
from instance.learning.results.rollup import Outcome
from instance.routing import advise, task_of
from instance.speaker import enrol
from instance.store import outbox, results
from instance.store.identity import Identity
from instance.store.outbox import event_identity
from instance.store.results import JobResult, Status
from instance.sync.downlink import Downlink
from instance.sync.receipts import Receipts
from instance.sync.results import say_results
from instance.sync.uplink import Uplink
from schemas.codec import encode
from schemas.envelope import Source
from schemas.events import ResultsLearned
from schemas.subjects import Sender, Topic, inbox_prefix
from shared.bus import Bus
from shared.database import connect_engine, transaction
from shared.lease import Lease
from shared.metrics import Metrics
from shared.service import Service
from tests.support.lifecycle import started
from tests.support.wait import eventually

LANES: Final = 4
"""So many machines are awake at once; on one day none hears of another's, so their order changes nothing."""

_CONFIRMED_SECONDS_MAX: Final = 60.0
_MICROCENTS: Final = 1_000_000
_STATUS: Final[dict[str, Status]] = {"success": "success", "failed": "failed"}


@dataclass
class Machine(Instance):
    """An instance whose results are rows of its own database."""

    ended: list[JobResult] = field(default_factory=list)
    """Results of the job at hand."""

    def note(self, day: date, job_type: str, model: str, context: Any, outcome: Outcome) -> None:
        """Keep a result until the job is over."""
        cents = None if outcome.cost_microcents is None else Decimal(outcome.cost_microcents) / _MICROCENTS
        self.ended.append(
            JobResult(
                job_type=job_type,
                model_used=model,
                status=_STATUS[outcome.status],
                context=dict(context),
                cost_cents=cents,
                duration_ms=outcome.duration_ms,
                completed_at=noon(day),
            )
        )

    async def work(self, engine: AsyncEngine, number: int, asked: Asked) -> Job:
        """Ask for advice, do the job, record what came of it, and count it."""
        language, difficulty = drawn(self)
        task = task_of("fix", {"language": LANGUAGES[language]}, asked.verifier)
        async with transaction(engine) as connection:
            advice = await advise(connection, task, asked.constraints, by="bench", rng=self.rng)
        right, cents = self.perform(day_of(number), advice.plan, language, difficulty)
        async with transaction(engine) as connection:
            await results.record_many(connection, self.ended)
        self.ended.clear()
        await say_results(engine)
        return Job(number, self.name, self.world, advice.plan, right, cents)


@dataclass
class Fleet:
    """Machines on databases of their own; those of one tenant share, through the hub of the stage."""

    stage: Stage
    tenant: str
    machines: Sequence[Machine]
    urls: Sequence[str]
    shares: bool = True
    says: bool = True
    """What was done is said; without, the hub is only heard."""

    async def round(self, numbers: Sequence[int], asked: Asked) -> list[Job]:
        """Do jobs of these numbers on every machine, all on one day."""
        if self.shares and self.says and numbers[0]:
            await self.stage.publish_priors(self.tenant, day_of(numbers[0]))
        lanes = asyncio.Semaphore(LANES)

        async def awake(machine: Machine, url: str) -> list[Job]:
            async with lanes:
                return await self._day(machine, url, numbers, asked)

        with today(day_of(numbers[0])):
            done = await asyncio.gather(*map(awake, self.machines, self.urls))
        return [job for jobs in done for job in jobs]

    async def _day(self, machine: Machine, url: str, numbers: Sequence[int], asked: Asked) -> list[Job]:
        async with self._awake(machine.name, url) as one:
            if one.link is not None:
                await one.link.fetch_priors()
            jobs = [await machine.work(one.engine, number, asked) for number in numbers]
            if one.link is not None and self.says:
                await one.confirm_all()
        return jobs

    async def make_known(self) -> None:
        """Enrol every machine, with a result of each model that nobody judged: enough to be chosen from, no more."""
        for machine, url in zip(self.machines, self.urls, strict=True):
            async with _connected(url) as engine:
                await enrol(engine, self._settings(machine.name))
                async with transaction(engine) as connection:
                    await results.record_many(connection, _unjudged(machine.world))
                await say_results(engine)

    async def lie(self, world: World, url: str) -> None:
        """Have one more instance, on a database of its own, say what nobody can have seen."""
        async with self._awake("liar", url) as liar:
            async with transaction(liar.engine) as connection:
                await outbox.append(connection, [_lie(row) for row in lies(world)])
            await liar.confirm_all()

    def _settings(self, name: str) -> InstanceSettings:
        urls = self.stage.nats_url if self.shares else None
        return InstanceSettings(instance_id=name, tenant=self.tenant, nats_url=urls)

    @asynccontextmanager
    async def _awake(self, name: str, url: str) -> AsyncIterator[_Awake]:
        async with AsyncExitStack() as stack:
            engine = await stack.enter_async_context(_connected(url))
            if not self.shares:
                yield _Awake(engine)
                return
            me = await enrol(engine, self._settings(name))
            bus, one = _sharing(engine, me, self.stage.nats_url)
            await stack.enter_async_context(started(bus))
            await bus.connected.wait()
            yield one


@dataclass
class _Awake:
    """A running machine: the parts of its speaker that results and priors go through."""

    engine: AsyncEngine
    link: Downlink | None = None
    speaks: Sequence[Service] = ()

    async def confirm_all(self) -> None:
        """Send everything there is to say, and wait until the hub has it."""
        async with started(*self.speaks):
            await eventually(self._is_confirmed, _CONFIRMED_SECONDS_MAX, what="everything confirmed")

    async def _is_confirmed(self) -> bool:
        async with transaction(self.engine) as connection:
            return (await outbox.backlog(connection))[0] == 0


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[AsyncEngine]:
    engine = connect_engine(url, application="bench")
    try:
        yield engine
    finally:
        await engine.dispose()


def _sharing(engine: AsyncEngine, me: Identity, nats_url: str) -> tuple[Bus, _Awake]:
    sender, metrics = Sender(me.tenant, me.instance_id), Metrics()
    bus = Bus([nats_url], client_name=me.instance_id, inbox_prefix=inbox_prefix(sender), metrics=metrics)
    lease = Lease(engine, "instance", holder=secrets.token_hex(16))
    uplink = Uplink(engine, bus, lease, me, Source(instance_id=me.instance_id), metrics)
    receipts = Receipts(
        engine, bus, me, metrics, sharing=Sharing(), on_admitted=uplink.admitted.set, on_due=uplink.wake
    )
    return bus, _Awake(engine, Downlink(engine, bus, me.tenant, metrics), (lease, receipts, uplink))


def _unjudged(world: World) -> list[JobResult]:
    return [JobResult(job_type="fix", model_used=model, completed_at=noon(day_of(0))) for model in world.models]


def _lie(row: Row) -> tuple[Topic, bytes]:
    event = ResultsLearned(
        **event_identity(), day=row.day, job_type=row.job_type, model=row.model, context=dict(row.context),
        version=1, sums=row.sums,
    )  # fmt: skip
    return event.topic, encode(event)


def noon(day: date) -> datetime:
    """Return when everything of a day is recorded."""
    return datetime.combine(day, time(12), UTC)


@contextmanager
def today(day: date) -> Iterator[None]:
    """Let it be that day for whoever advises: it is the only part that asks the clock itself."""

    class Calendar(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.combine(day, time(12), UTC).astimezone(tz)

    with patch("instance.routing.datetime", Calendar):
        yield
