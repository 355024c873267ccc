"""One leader: who leads, who is next, and that nothing is written by who leads no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared import leader
from shared.database import transaction
from shared.errors import AlreadyRunningError
from shared.leader import Candidacy, Leadership, Word
from shared.lease import LeaseLostError
from shared.locks import force_release
from shared.metrics import Metrics
from shared.service import Service
from tests.support.databases import instance_engine
from tests.support.lifecycle import started, stress
from tests.support.patterns import scalar
from tests.support.wait import eventually

LOCK = "orchestrator:leader"
EXPIRE = "UPDATE distributed_locks SET expires_at = clock_timestamp() WHERE lock_name = 'orchestrator:leader'"


class Part(Service):
    """Runs while its candidate leads, or fails when told to."""

    name = "part"

    def __init__(self) -> None:
        super().__init__()
        self.failing = asyncio.Event()

    async def run(self) -> None:
        await self.failing.wait()
        raise ZeroDivisionError("oh")


class Candidate(Leadership):
    """A candidate with one part."""

    def __init__(self, engine: AsyncEngine, name: str, candidacy: Candidacy = "", **seconds: float) -> None:
        self.counted = Metrics()
        super().__init__(engine, LOCK, self.counted, candidate=name, candidacy=candidacy, **seconds)
        self.part = Part()
        self.lead(self.part)

    @property
    def failovers(self) -> float:
        return self.counted.registry.get_sample_value("orchestrator_failovers_total") or 0.0

    async def reigns(self) -> None:
        await eventually(lambda: self.leading and self.part.running, 5, what=f"{self._candidate} reigns")


def candidate(
    engine: AsyncEngine, name: str, candidacy: Candidacy = "", *, ttl: float = 0.9, check: float = 0.1
) -> Candidate:
    return Candidate(engine, name, candidacy, ttl_seconds=ttl, check_seconds=check)


async def write(engine: AsyncEngine, name: str) -> None:
    async with transaction(engine) as connection:
        await connection.execute(text("INSERT INTO schedules_disabled VALUES (:name)"), {"name": name})


async def run(engine: AsyncEngine, statement: str) -> None:
    async with transaction(engine) as connection:
        await connection.execute(text(statement))


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with instance_engine(database_url) as engine:
        yield engine


async def test_one_leads_and_its_writes_are_refused_as_soon_as_another_does(engine: AsyncEngine) -> None:
    one, other = candidate(engine, "one", ttl=600), candidate(engine, "other")
    async with started(one, other):
        assert one.leading
        await one.reigns()
        await write(one.engine, "first")
        with pytest.raises(LeaseLostError):
            await write(other.engine, "never")
        await run(engine, EXPIRE)
        await other.reigns()
        assert other.failovers == 1
        with pytest.raises(LeaseLostError):
            await write(one.engine, "too late")
        await write(other.engine, "second")
        one.hear("")
        await eventually(lambda: not one.leading and not one.part.running)
    assert await scalar(engine, "SELECT string_agg(name, ',' ORDER BY name) FROM schedules_disabled") == "first,second"
    assert await scalar(engine, "SELECT count(*) FROM distributed_locks") == 0
    assert (
        await scalar(
            engine,
            "SELECT string_agg(ended, ',' ORDER BY epoch) FROM lock_history WHERE lock_name = 'orchestrator:leader'",
        )
        == "expired,released"
    )


async def test_a_transaction_of_a_frozen_leader_is_undone_by_the_takeover(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.lease.BLOCKED_SECONDS", 0.1)
    frozen = candidate(engine, "frozen", ttl=600)
    async with started(frozen), frozen.engine.connect() as connection:
        await connection.execute(text("INSERT INTO schedules_disabled VALUES ('half')"))
        await run(engine, EXPIRE)
        async with started(other := candidate(engine, "other")):
            await other.reigns()
            await connection.invalidate()
    assert await scalar(engine, "SELECT count(*) FROM schedules_disabled") == 0


async def test_a_primary_wins_at_the_start_and_a_standby_takes_over_when_it_dies(engine: AsyncEngine) -> None:
    standby = candidate(engine, "standby", "standby", check=0.5)
    primary = candidate(engine, "primary", "primary", ttl=600)
    async with started(standby, primary):
        await primary.reigns()
        assert not standby.leading
        await eventually(lambda: standby.watched_epoch)
        await run(engine, EXPIRE)
        standby.hear("")
        await standby.reigns()
        assert standby.failovers == 1


async def test_a_standby_alone_leads_after_one_more_look(engine: AsyncEngine) -> None:
    standby = candidate(engine, "standby", "standby")
    async with started(standby):
        assert not standby.leading
        await standby.reigns()
        assert standby.failovers == 0


async def test_who_steps_down_lets_others_lead_and_comes_back(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader, "PAUSE_SECONDS", 1.0)
    one = candidate(engine, "one")
    async with started(one):
        await one.reigns()
        one.hear(said(Word(step_down=one.epoch + 1)))
        assert one.leading, "another epoch was meant"
        one.hear(said(Word(step_down=one.epoch)))
        async with started(other := candidate(engine, "other")):
            await other.reigns()
            assert other.failovers == 0
        await one.reigns()


async def test_who_is_promoted_leads_next(engine: AsyncEngine) -> None:
    one, other = candidate(engine, "one"), candidate(engine, "other", "standby", check=60)
    async with started(one, other):
        await one.reigns()
        await eventually(lambda: other.watched_epoch)
        async with transaction(engine) as connection:
            await force_release(connection, LOCK)
        for each in (one, other):
            each.hear(said(Word(promote="other")))
        await other.reigns()
        await eventually(lambda: not one.part.running)


async def test_a_failing_part_ends_the_service_and_gives_the_lease_free(engine: AsyncEngine) -> None:
    one = candidate(engine, "one")
    await one.start()
    await one.reigns()
    one.part.failing.set()
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(one.wait(), 5)
    await one.stop()
    assert await scalar(engine, "SELECT count(*) FROM distributed_locks") == 0


async def test_two_candidates_of_one_name_are_refused(engine: AsyncEngine) -> None:
    async with started(candidate(engine, "one", ttl=600)):
        with pytest.raises(AlreadyRunningError, match="WORKER_ID"):
            await candidate(engine, "one").start()


async def test_nonsense_is_not_taken_for_a_word(engine: AsyncEngine) -> None:
    one = candidate(engine, "one")
    async with started(one):
        one.hear("nonsense")
        await one.reigns()


async def test_its_lifecycle(engine: AsyncEngine) -> None:
    await stress(candidate(engine, "one"))


def said(word: Word) -> str:
    return msgspec.json.encode(word).decode()
