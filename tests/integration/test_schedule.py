from __future__ import annotations

import pytest
from sqlalchemy import text

from shared.database import transaction
from shared.errors import ConfigurationError, NotFoundError
from shared.metrics import Metrics
from shared.schedule import Schedules, Task, overridden
from tests.support.databases import instance_engine
from tests.support.lifecycle import started, stress
from tests.support.patterns import scalar
from tests.support.wait import eventually


class Counter:
    def __init__(self) -> None:
        self.runs = 0
        self.failing = False

    async def run(self) -> None:
        self.runs += 1
        if self.failing:
            raise ValueError("no")


async def test_a_task_runs_on_its_timer_and_is_recorded(database_url: str) -> None:
    counter = Counter()
    async with instance_engine(database_url) as engine:
        async with started(Schedules(engine, [Task("tick", 0.2, counter.run)], Metrics())):
            await eventually(lambda: counter.runs >= 2)
        assert await scalar(engine, "SELECT runs FROM schedule_runs WHERE name = 'tick'") == counter.runs


async def test_a_run_missed_while_down_is_made_up_once_and_one_not_due_waits(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.schedule.START_SPREAD_SECONDS", 0.05)
    due, fresh, interrupted = Counter(), Counter(), Counter()
    async with instance_engine(database_url) as engine:
        async with transaction(engine) as connection:
            await connection.execute(
                text(
                    "INSERT INTO schedule_runs (name, last_started, last_finished, runs) VALUES"
                    " ('due', now() - interval '10 h', now() - interval '9 h', 1), ('fresh', now(), now(), 1),"
                    " ('interrupted', now(), now() - interval '1 h', 1)"
                )
            )
        tasks = [Task("due", 3600, due.run), Task("fresh", 3600, fresh.run), Task("interrupted", 3600, interrupted.run)]
        async with started(Schedules(engine, tasks, Metrics())):
            await eventually(lambda: due.runs == interrupted.runs == 1)
        assert (due.runs, fresh.runs, interrupted.runs) == (1, 0, 1)


async def test_on_demand_a_failure_is_raised_and_recorded(database_url: str) -> None:
    counter = Counter()
    counter.failing = True
    async with instance_engine(database_url) as engine:
        schedules = Schedules(engine, [Task("train", None, counter.run)], Metrics())
        async with started(schedules):
            with pytest.raises(ValueError, match="no"):
                await schedules.run_now("train")
            with pytest.raises(NotFoundError, match="train"):
                await schedules.run_now("unknown")
        assert await scalar(engine, "SELECT last_error FROM schedule_runs") == "ValueError: no"


async def test_its_lifecycle(database_url: str) -> None:
    async with instance_engine(database_url) as engine:
        await stress(Schedules(engine, [Task("tick", 3600, Counter().run)], Metrics()))


def test_overrides() -> None:
    table = [Task("a", 60.0, Counter().run), Task("b", 60.0, Counter().run), Task("c", 60.0, Counter().run)]
    changed = {task.name: task for task in overridden(table, {"a": "5", "b": "off", "c": "0 2 * * *"})}
    assert (changed["a"].every_seconds, changed["b"].every_seconds, changed["c"].cron) == (5.0, None, "0 2 * * *")
    for wrong in ({"a": "sometimes"}, {"d": "5"}):
        with pytest.raises(ConfigurationError, match="schedules"):
            overridden(table, wrong)
