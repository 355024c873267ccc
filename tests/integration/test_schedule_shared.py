"""Schedules of several processes on one database: once each, made up, run again, asked for, switched off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared import fires
from shared.database import transaction
from shared.errors import AlreadyRunningError
from shared.fires import Outcome
from shared.metrics import Metrics
from shared.schedule import Schedules, Task
from tests.support.databases import instance_engine
from tests.support.lifecycle import started
from tests.support.patterns import scalar
from tests.support.processes import line, python
from tests.support.wait import eventually

ENDLESS = """
    import asyncio, sys
    from shared.database import connect_engine
    from shared.metrics import Metrics
    from shared.schedule import Schedules, Task

    async def work():
        print("begun", flush=True)
        await asyncio.Event().wait()

    async def main():
        schedules = Schedules(connect_engine(sys.argv[1], application="test"), [Task("work", 3600, work)], Metrics())
        await schedules.open()
        await schedules.run_now("work")

    asyncio.run(main())
"""


class Work:
    """Counts its runs, and how many there ever were at one time."""

    def __init__(self, *, blocked: bool = False) -> None:
        self.runs = self.now = self.most = 0
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        if not blocked:
            self.go_on.set()

    async def run(self) -> None:
        self.runs += 1
        self.now += 1
        self.most = max(self.most, self.now)
        self.begun.set()
        try:
            await self.go_on.wait()
        finally:
            self.now -= 1


@pytest.fixture
async def engine(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncEngine]:
    monkeypatch.setattr("shared.schedule.START_SPREAD_SECONDS", 0.05)
    async with instance_engine(database_url) as engine:
        yield engine


def schedules(engine: AsyncEngine, work: Work, every: float | None = 3600, cron: str | None = None) -> Schedules:
    return Schedules(engine, [Task("work", every, work.run, cron)], Metrics())


async def execute(engine: AsyncEngine, statement: str) -> None:
    async with transaction(engine) as connection:
        await connection.execute(text(statement))


async def ask(engine: AsyncEngine) -> Any:
    async with transaction(engine) as connection:
        return await fires.ask(connection, "work")


async def test_each_fire_is_run_once_by_one_of_them(engine: AsyncEngine) -> None:
    work = Work()
    async with started(*(schedules(engine, work, 0.2) for _ in range(3))):
        await eventually(lambda: work.runs >= 8)
    assert work.most == 1
    assert await scalar(engine, "SELECT count(*) FROM schedule_fires") == work.runs
    assert await scalar(engine, "SELECT runs FROM schedule_runs") == work.runs
    assert await scalar(engine, "SELECT bool_and(round(extract(epoch FROM fire_at), 6) % 0.2 = 0) FROM schedule_fires")


async def test_many_missed_fires_are_made_up_once(engine: AsyncEngine) -> None:
    work, other = Work(), Work()
    await execute(
        engine, "INSERT INTO schedule_runs VALUES ('work', now() - interval '9 d', now() - interval '8 d', NULL, '', 1)"
    )
    async with started(schedules(engine, work), schedules(engine, other)):
        await eventually(lambda: scalar(engine, "SELECT last_finished > now() - interval '1 h' FROM schedule_runs"))
        assert work.runs + other.runs == 1
    assert await scalar(engine, "SELECT next_run > now() FROM schedule_runs")
    async with started(there := schedules(engine, work)):
        await ask(engine)
        there.wake()
        await eventually(lambda: scalar(engine, "SELECT runs = 3 FROM schedule_runs"))
    assert work.runs + other.runs == 2, "the one that was asked for, and no other"


async def test_a_line_of_cron_waits_for_its_time_when_it_was_never_run(engine: AsyncEngine) -> None:
    work = Work()
    async with started(there := schedules(engine, work, cron="0 0 29 2 *")):
        await ask(engine)
        there.wake()
        await eventually(lambda: work.runs)
        await eventually(lambda: scalar(engine, "SELECT last_finished IS NOT NULL FROM schedule_runs"))
    assert work.runs == 1


async def test_a_run_whose_process_was_killed_is_run_again(engine: AsyncEngine, database_url: str) -> None:
    work = Work()
    with python(ENDLESS, database_url) as process:
        assert line(process) == "begun"
        async with started(there := schedules(engine, work)):
            with pytest.raises(AlreadyRunningError, match=f"process {process.pid}"):
                await there.run_now("work")
            process.kill()
            process.wait()
        assert work.runs == 0
        async with started(schedules(engine, work)):
            await eventually(lambda: scalar(engine, "SELECT last_finished > last_started FROM schedule_runs"))
    assert work.runs == 1
    assert await scalar(engine, "SELECT count(*) FROM schedule_fires") == 1
    ended = "SELECT string_agg(ended, ',' ORDER BY epoch) FROM lock_history WHERE lock_name = 'schedule:work'"
    assert await scalar(engine, ended) == "expired,released"


async def test_what_kills_its_processes_is_given_up_until_its_next_time(engine: AsyncEngine) -> None:
    work = Work()
    await execute(engine, "INSERT INTO schedule_fires VALUES ('work', now(), 'dead:1', now() - interval '1 min')")
    await execute(engine, "INSERT INTO schedule_runs VALUES ('work', now() - interval '1 min', NULL, NULL, NULL, 1)")
    await execute(
        engine,
        "INSERT INTO lock_history SELECT 'schedule:work', -n, 'x', 'dead', 1, now(), now(), 'expired'"
        "  FROM generate_series(1, 3) AS n",
    )
    async with started(schedules(engine, work)):
        await eventually(lambda: scalar(engine, "SELECT last_error FROM schedule_runs"))
    assert work.runs == 0
    assert "3 processes died" in str(await scalar(engine, "SELECT last_error FROM schedule_runs"))


async def test_a_run_that_loses_its_lock_is_interrupted_and_run_again(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.schedule.RUN_TTL_SECONDS", 0.3)
    work = Work(blocked=True)
    async with started(one := schedules(engine, work)):
        await eventually(lambda: work.runs)
        await execute(engine, "DELETE FROM distributed_locks")
        await eventually(lambda: work.runs == 2, 15)
        work.go_on.set()
        await eventually(lambda: scalar(engine, "SELECT last_finished > last_started FROM schedule_runs"), 15)
        assert one.running
    assert work.runs == 2
    assert work.most == 1


async def test_asked_for_it_is_run_whoever_hears_it(engine: AsyncEngine) -> None:
    work = Work()
    async with started(there := schedules(engine, work, None)):
        fire_at = await ask(engine)
        there.wake()
        await eventually(lambda: work.runs)

        async def ended() -> Outcome | None:
            async with transaction(engine) as connection:
                return await fires.outcome(connection, "work", fire_at)

        assert await eventually(ended) == Outcome(None)
    await ask(engine)
    await ask(engine)
    assert await ended() == Outcome(None)
    async with started(schedules(engine, work, None)):
        await eventually(lambda: work.runs == 2)
        await eventually(lambda: scalar(engine, "SELECT last_finished > last_started FROM schedule_runs"))
    assert work.runs == 2, "what was asked for twice while nobody ran is run once"


async def test_switched_off_it_runs_only_when_asked_for(engine: AsyncEngine) -> None:
    work = Work()
    async with transaction(engine) as connection:
        assert await fires.disable(connection, "work")
        assert not await fires.disable(connection, "work")
    async with started(there := schedules(engine, work, 0.05)):
        await ask(engine)
        there.wake()
        await eventually(lambda: work.runs == 1)
        await there.run_now("work")
        assert work.runs == 2
        async with transaction(engine) as connection:
            assert await fires.enable(connection, "work")
        there.wake()
        await eventually(lambda: work.runs >= 4)


async def test_a_clock_an_hour_ahead_fires_nothing_early(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + 3600)
    work = Work()
    async with started(there := schedules(engine, work)):
        await there.run_now("work")
        await ask(engine)
        there.wake()
        await eventually(lambda: work.runs == 2)
    assert await scalar(engine, "SELECT max(fire_at) <= clock_timestamp() FROM schedule_fires")
    assert await scalar(engine, "SELECT next_run < clock_timestamp() + interval '67 min' FROM schedule_runs")


async def test_old_fires_are_forgotten_but_the_last(engine: AsyncEngine) -> None:
    await execute(
        engine,
        "INSERT INTO schedule_fires SELECT 'work', now() - n * interval '1 d', 'one', now() - n * interval '1 d'"
        "  FROM generate_series(10, 20) AS n",
    )
    await execute(engine, "INSERT INTO schedule_runs VALUES ('work', now(), now(), NULL, NULL, 11)")
    async with started(schedules(engine, Work())):
        await eventually(lambda: scalar(engine, "SELECT count(*) = 1 FROM schedule_fires"))
    assert await scalar(engine, "SELECT fire_at > now() - interval '10.1 d' FROM schedule_fires")
