"""A wide map with a fan-in, whose workers are killed in the middle: the exact result, each effect exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import transaction
from shared.workflows import runs
from shared.workflows.runs import Run
from tests.chaos.supervision import Supervised
from tests.chaos.workflows.hand import EFFECTS, Load, tally
from tests.support.databases import instance_engine
from tests.support.patterns import scalar
from tests.support.wait import eventually

COMPLETED = "SELECT count(*) FILTER (WHERE status = 'completed')"
WORKERS = "SELECT (SELECT count(*) FROM workers)"
MARKS = text("SELECT step, count(*), count(DISTINCT index) FROM effects GROUP BY step")
TEND_SECONDS = 0.1
RUN_SECONDS_MAX = 240.0


@asynccontextmanager
async def hands(database_url: str, directory: Path, count: int) -> AsyncIterator[list[Supervised]]:
    """Processes that perform the workflow, started again when they end by themselves."""
    module = ["-m", "tests.chaos.workflows.hand", database_url]
    processes = [Supervised([*module, f"h{index}"], directory / f"h{index}.log") for index in range(count)]

    async def tend() -> None:
        while True:
            for process in processes:
                process.tend()
            await asyncio.sleep(TEND_SECONDS)

    for process in processes:
        process.start()
    tending = asyncio.create_task(tend())
    try:
        yield processes
    finally:
        tending.cancel()
        for process in processes:
            process.stop()


async def ended(engine: AsyncEngine, started: runs.Started) -> Run:
    async def look() -> Run | None:
        async with transaction(engine) as connection:
            run = await runs.get(connection, started.run_id)
        return run if run is not None and run.status != "started" else None

    run = await eventually(look, RUN_SECONDS_MAX, "the end of the run")
    assert run is not None
    return run


async def holds(engine: AsyncEngine, statement: str) -> bool:
    return bool(await scalar(engine, statement))


async def kill_some(engine: AsyncEngine, processes: list[Supervised], kills: int, tasks: int) -> None:
    """Kill one worker each time another part of the tasks is done; the first stays dead, so others must notice."""
    for kill in range(1, kills + 1):
        enough = f"{COMPLETED} >= {tasks * kill // (kills + 2)} FROM step_tasks"
        await eventually(partial(holds, engine, enough), RUN_SECONDS_MAX, enough)
        victim = processes[kill % len(processes)]
        victim.kill()
        if kill > 1:
            victim.start()


async def tally_while_killing(
    database_url: str, directory: Path, load: Load, *, workers: int, kills: int
) -> tuple[Run, dict[str, int]]:
    """The run, and how many effects each step had and how many of them were different ones."""
    async with instance_engine(database_url) as engine, hands(database_url, directory, workers) as processes:
        await eventually(partial(holds, engine, f"{WORKERS} = {workers}"), what="all workers")
        async with transaction(engine) as connection:
            await connection.execute(EFFECTS)
            started = await runs.start(connection, tally, load)
        await kill_some(engine, processes, kills, load.tasks)
        run = await ended(engine, started)
        async with transaction(engine) as connection:
            marks = (await connection.execute(MARKS)).all()
    assert all(count == different for _, count, different in marks)
    return run, {step: count for step, count, _ in marks}


def exact(run: Run, tasks: int) -> None:
    assert (run.status, run.error) == ("completed", None)
    assert run.output == [tasks, sum(n * n for n in range(tasks)), sum(n**3 for n in range(tasks))]
    assert {step.step: step.completed for step in run.steps} == {"number": 1, "square": tasks, "total": 1}


async def test_a_kill_changes_nothing(database_url: str, scratch: Path) -> None:
    load = Load(120, 0.02)
    run, marks = await tally_while_killing(database_url, scratch, load, workers=2, kills=1)
    exact(run, load.tasks)
    assert marks == {"number": 1, "square": load.tasks, "total": 1}


@pytest.mark.chaos
@pytest.mark.parametrize("effects", [True, False], ids=["with effects", "without"])
async def test_three_kills_change_nothing(database_url: str, scratch: Path, *, effects: bool) -> None:
    load = Load(1_000, 0.05, effects)
    run, marks = await tally_while_killing(database_url, scratch, load, workers=4, kills=3)
    exact(run, load.tasks)
    assert marks == ({"number": 1, "square": load.tasks, "total": 1} if effects else {"number": 1, "total": 1})
    attempts = sum(step.attempts for step in run.steps)
    print(f"{attempts} attempts at {load.tasks + 2} tasks")  # noqa: T201 - a long run says how it went
