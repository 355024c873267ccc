from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import click
import pytest
import structlog
from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from mesh import database_access
from mesh.jobs_cli import jobs
from mesh.workers_cli import workers
from mesh.workflows_cli import workflows
from shared import log
from shared.database import transaction
from shared.embedded.postgres import EmbeddedPostgres
from shared.errors import Exit
from shared.jobs import queue
from shared.jobs.kinds import Kind, Kinds
from shared.jobs.running import Running, bind
from shared.jobs.worker import Worker
from shared.jobs.workers import WorkerSettings
from shared.workflows import runs
from shared.workflows.definition import Workflow
from tests.support.commands import documented, invoked
from tests.support.databases import central_engine, instance_engine
from tests.support.lifecycle import started
from tests.support.wait import eventually


class Order(Struct):
    number: int
    how: str = "well"


WORK = Kind("test.work", Order, int, attempts_max=1)
TRAIN = Kind("test.train", Order, int, queue="training")
KINDS = Kinds([WORK, TRAIN])
FLOW = Workflow("flow", Order)


@FLOW.step
async def first(_: object, input: Order) -> int:
    return input.number


@FLOW.step
async def second(_: object, first: int) -> int:
    return first + 1


@pytest.fixture(autouse=True)
def _elsewhere(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Point commands at the test's database and kinds; put logging back, which commands set up for themselves."""
    handlers, level = list(logging.root.handlers), logging.root.level
    log.configure(level="error")  # else what a worker here says would be taken for what the command beside it says
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("FLOCKLORE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setitem(database_access.KINDS, "instance", f"{__name__}:KINDS")
    yield
    logging.root.handlers, logging.root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with instance_engine(database_url) as engine:
        yield engine


async def refused(command: click.Command, code: Exit, *arguments: str) -> str:
    result = await invoked(command, *arguments)
    assert result.exit_code == code, result.output
    return result.stderr


async def add(engine: AsyncEngine, *orders: Order, kind: Kind[Order, int] = WORK) -> list[int]:
    async with transaction(engine) as connection:
        return [(await queue.enqueue(connection, kind, order)).id for order in orders]


async def state(job: int) -> str:
    return str((await documented(jobs, "show", str(job)))["state"])


def worker(engine: AsyncEngine, database_url: str, name: str = "one") -> Worker:
    """A worker whose jobs end as they were ordered to."""

    async def work(job: Running[Order]) -> int:
        if job.args.how == "forever":
            job.progress(1, 3, "waiting")
            await asyncio.Event().wait()
        if job.args.how == "badly":
            raise ValueError(f"no such \x1b[31m number\n{job.args.number}")
        return job.args.number

    return Worker(engine, database_url, [bind(WORK, work)], WorkerSettings(name, beat_seconds=1, dead_seconds=5))


async def test_what_is_enqueued_is_listed_and_shown(engine: AsyncEngine) -> None:
    assert "No such job." in (await invoked(jobs, "list")).stdout
    made = await documented(jobs, "enqueue", "test.work", "--args", '{"number": 7}', "--priority", "3")
    assert made["is_new"]
    assert (await invoked(jobs, "enqueue", "test.train", "--args", '{"number": 8}')).stdout.endswith("is queued\n")
    listed = await documented(jobs, "list")
    assert [(one["kind"], one["queue"], one["state"]) for one in listed] == [
        ("test.train", "training", "available"),
        ("test.work", "default", "available"),
    ]
    shown = await documented(jobs, "show", str(made["id"]))
    assert (shown["args"], shown["priority"]) == ({"number": 7, "how": "well"}, 3)
    assert '{"how":"well","number":7}' in (await invoked(jobs, "show", str(made["id"]))).stdout


@pytest.mark.parametrize("daemon", ["instance", "centralcloud"])
def test_the_kinds_of_each_daemon_are_where_the_commands_look(daemon: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert list(database_access.kinds_of(daemon))


async def test_a_key_makes_no_second_job(engine: AsyncEngine) -> None:
    arguments = ("enqueue", "test.work", "--args", '{"number": 7}', "--idempotency-key", "seven")
    made = await documented(jobs, *arguments)
    assert await documented(jobs, *arguments) == {"id": made["id"], "is_new": False}
    assert "nothing was queued" in (await invoked(jobs, *arguments)).stdout


REFUSED = {
    ("test.play",): "there are test.train, test.work",
    ("test.work",): "missing required field `number`",
    ("test.work", "--args", '{"number": "seven"}'): "Expected `int`",
    ("test.work", "--args", "seven"): "--args does not fit a job of kind test.work",
    ("test.work", "--args", '{"number": 7}', "--queue", "nowhere"): "no queue is called nowhere",
}


async def test_what_this_release_cannot_run_is_not_queued(engine: AsyncEngine) -> None:
    for arguments, said in REFUSED.items():
        assert said in await refused(jobs, Exit.USAGE, "enqueue", *arguments)
    assert await documented(jobs, "list") == []


async def test_lists_are_narrowed(engine: AsyncEngine) -> None:
    many = await add(engine, *(Order(number) for number in range(5)))
    (train,) = await add(engine, Order(5), kind=TRAIN)
    await invoked(jobs, "cancel", str(many[0]))

    async def ids(*arguments: str) -> list[int]:
        return [one["id"] for one in await documented(jobs, "list", *arguments)]

    assert await ids("--kind", "test.train") == await ids("--queue", "training") == [train]
    assert await ids("--state", "cancelled") == [many[0]]
    assert await ids("--state", "cancelled", "--state", "available", "--limit", "2") == [train, many[4]]
    assert await ids("--before", str(many[2])) == [many[1], many[0]]
    assert f"--before {many[4]}" in (await invoked(jobs, "list", "--limit", "2")).stderr
    assert await ids("--tenant", "another") == []
    assert "'sleeping' is not one of" in await refused(jobs, Exit.USAGE, "list", "--state", "sleeping")


async def test_an_error_is_shown_in_full_and_steers_no_terminal(engine: AsyncEngine, database_url: str) -> None:
    (job,) = await add(engine, Order(7, "badly"))
    async with started(worker(engine, database_url)):
        await eventually(lambda: is_in(engine, job, "discarded"))
    shown = (await invoked(jobs, "show", str(job))).stdout
    assert "attempt 1 of 1" in " ".join(shown.split())
    assert "ValueError: no such" in shown
    assert "raise ValueError(" in shown, "the traceback"
    assert "\x1b" not in shown + (await invoked(jobs, "list")).stdout
    assert "ValueError: no such" in (await invoked(jobs, "list", "--state", "discarded")).stdout


async def test_a_running_job_is_shown_with_its_progress_and_cancelled(engine: AsyncEngine, database_url: str) -> None:
    (job,) = await add(engine, Order(7, "forever"))
    async with started(worker(engine, database_url)) as _, asyncio.timeout(20):
        await eventually(lambda: is_in(engine, job, "executing"))
        await eventually(lambda: has_progress(engine, job))
        shown = " ".join((await invoked(jobs, "show", str(job))).stdout.split())
        assert "worker one progress 1 of 3 waiting" in shown
        assert await documented(jobs, "cancel", str(job)) == {"cancelled": 1}
        await eventually(lambda: load(engine, 0))
    assert await state(job) == "cancelled"
    assert "cancelled 0 of 1: the others had ended" in (await invoked(jobs, "cancel", str(job))).stdout


async def test_a_discarded_job_is_run_again(engine: AsyncEngine, database_url: str) -> None:
    (job,) = await add(engine, Order(7, "badly"))
    async with started(worker(engine, database_url)):
        await eventually(lambda: is_in(engine, job, "discarded"))
        async with transaction(engine) as connection:
            await connection.execute(text("UPDATE oban_jobs SET args = '{\"number\": 7}'"))
        assert "retried 1 of 1\n" in (await invoked(jobs, "retry", str(job))).stdout
        await eventually(lambda: is_in(engine, job, "completed"))
    assert (await documented(jobs, "show", str(job)))["result"] == 7


async def test_a_job_that_is_not_there_is_named_and_nothing_is_changed(engine: AsyncEngine) -> None:
    (job,) = await add(engine, Order(7))
    for command in ("retry", "cancel"):
        assert "no job 999" in await refused(jobs, Exit.NOT_FOUND, command, str(job), "999")
    assert "no job 999" in await refused(jobs, Exit.NOT_FOUND, "show", "999")
    assert await state(job) == "available"


async def test_queues_are_paused_and_rescaled_while_a_worker_runs(engine: AsyncEngine, database_url: str) -> None:
    async with started(worker(engine, database_url)):
        assert await documented(jobs, "pause", "default") == {"queue": "default", "paused": True}
        held, other = await add(engine, Order(1), Order(2))
        assert "up to 1 jobs" in (await invoked(jobs, "rescale", "default", "1")).stdout
        found = {one["name"]: one for one in await documented(jobs, "queues")}
        assert found["default"] == {
            "name": "default", "limit_per_worker": 1, "paused": True, "jobs": {"available": 2},
        }  # fmt: skip
        assert {name: one["limit_per_worker"] for name, one in found.items()} == {
            "default": 1, "metrics": 5, "pattern_mining": 3, "training": 2,
        }  # fmt: skip
        assert "goes on" in (await invoked(jobs, "resume", "default")).stdout
        await eventually(lambda: is_in(engine, held, "completed"))
        await eventually(lambda: is_in(engine, other, "completed"))
    assert (await invoked(jobs, "queues")).stdout.splitlines()[1].split() == [
        "default", "1", "no", "0", "0", "0", "0", "2", "0", "0",
    ]  # fmt: skip


async def test_a_queue_that_is_not_there_is_not_found(engine: AsyncEngine) -> None:
    for arguments in (("pause", "nowhere"), ("resume", "nowhere"), ("rescale", "nowhere", "3")):
        said = await refused(jobs, Exit.NOT_FOUND, *arguments)
        assert "default, metrics, pattern_mining, training" in said
    assert "not between" in await refused(jobs, Exit.USAGE, "rescale", "default", "5000")


async def test_only_what_ended_long_ago_is_pruned(engine: AsyncEngine) -> None:
    old, young, waiting = await add(engine, Order(1), Order(2), Order(3))
    await invoked(jobs, "cancel", str(old), str(young))
    async with transaction(engine) as connection:
        long_ago = text("UPDATE oban_jobs SET cancelled_at = now() - interval '8 days' WHERE id = :id")
        await connection.execute(long_ago, {"id": old})
    assert await refused(jobs, Exit.USAGE, "prune")
    assert await documented(jobs, "prune", "--kept-days", "7") == {"deleted": 1}
    assert [one["id"] for one in await documented(jobs, "list")] == [waiting, young]
    assert (await invoked(jobs, "prune", "--kept-days", "0")).stdout == "deleted 1 jobs\n"


async def test_workers_are_listed_and_paused(engine: AsyncEngine, database_url: str) -> None:
    assert "No worker" in (await invoked(workers, "list")).stdout
    async with started(worker(engine, database_url)):
        (row,) = await documented(workers, "list")
        assert (row["name"], row["status"], row["load"]) == ("one", "online", 0)
        assert await documented(workers, "pause", "one") == {"worker": "one", "status": "paused"}
        (held,) = await add(engine, Order(1))
        (shown,) = await documented(workers, "list")
        assert shown["status"] == "paused"
        assert await state(held) == "available"
        assert (await invoked(workers, "resume", "one")).stdout == "one is online\n"
        await eventually(lambda: is_in(engine, held, "completed"))
        assert (await documented(workers, "drain", "one"))["status"] == "draining"
        assert "draining" in (await invoked(workers, "show", "one")).stdout
    assert (await documented(workers, "show", "one"))["status"] == "offline"
    assert "no worker called one is alive" in await refused(workers, Exit.NOT_FOUND, "pause", "one")
    assert "there are: one" in await refused(workers, Exit.NOT_FOUND, "show", "two")


async def test_runs_are_listed_shown_and_cancelled(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        started_run = await runs.start(connection, FLOW, Order(1), idempotency_key="once")
    run = str(started_run.run_id)
    (listed,) = await documented(workflows, "list", "--workflow", "flow", "--status", "started")
    assert (listed["id"], listed["status"]) == (run, "started")
    shown = await documented(workflows, "show", run)
    assert {step["step"] for step in shown["steps"]} == {"first", "second"}
    assert "once" in (await invoked(workflows, "show", run)).stdout
    assert (await invoked(workflows, "cancel", run)).stdout == f"cancelled {run}\n"
    assert await documented(workflows, "cancel", run) == {"run": run, "cancelled": False}
    assert await documented(workflows, "list", "--status", "started") == []
    assert "cancelled" in (await invoked(workflows, "list")).stdout
    assert {one["state"] for one in await documented(jobs, "list")} == {"cancelled"}


async def test_a_run_that_is_not_there_is_not_found(engine: AsyncEngine) -> None:
    nobody = "00000000-0000-0000-0000-000000000000"
    assert nobody in await refused(workflows, Exit.NOT_FOUND, "show", nobody)
    assert nobody in await refused(workflows, Exit.NOT_FOUND, "cancel", nobody)
    assert await refused(workflows, Exit.USAGE, "show", "first")


async def test_a_database_of_another_release_is_left_alone(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0002'"))
    assert "flocklore db upgrade" in await refused(jobs, Exit.CONFIGURATION, "list")


async def test_the_database_is_chosen_and_has_kinds_of_its_own(
    own_postgres: Callable[[], EmbeddedPostgres], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await asyncio.to_thread(own_postgres)
    await asyncio.to_thread(server.ensure_database, "centralcloud", "instance_ann")
    monkeypatch.setitem(database_access.KINDS, "centralcloud", f"{__name__}:NONE")
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@localhost:1/nowhere")
    where = ("--database-url", server.dsn("postgres"))
    arguments = ("enqueue", "test.work", "--args", '{"number": 7}', *where)
    async with central_engine(server.dsn("centralcloud")), instance_engine(server.dsn("instance_ann")):
        assert "centralcloud, instance_ann" in await refused(jobs, Exit.USAGE, "list", *where)
        assert (await documented(jobs, *arguments, "--database", "instance_ann"))["is_new"]
        await refused(jobs, Exit.USAGE, *arguments, "--database", "centralcloud")
        assert len(await documented(jobs, "list", *where, "--database", "instance_ann")) == 1
        assert await documented(jobs, "list", *where, "--database", "centralcloud") == []
        assert await refused(jobs, Exit.NOT_FOUND, "list", *where, "--database", "instance_bob")
    assert await refused(jobs, Exit.UNREACHABLE, "list")


NONE = Kinds()


async def is_in(engine: AsyncEngine, job: int, wanted: str) -> bool:
    async with transaction(engine) as connection:
        found = await connection.execute(text("SELECT state::text FROM oban_jobs WHERE id = :id"), {"id": job})
        return bool(found.scalar() == wanted)


async def has_progress(engine: AsyncEngine, job: int) -> bool:
    async with transaction(engine) as connection:
        found = await connection.execute(text("SELECT meta ? 'progress' FROM oban_jobs WHERE id = :id"), {"id": job})
        return bool(found.scalar())


async def load(engine: AsyncEngine, wanted: int) -> bool:
    async with transaction(engine) as connection:
        return bool((await connection.execute(text("SELECT load FROM workers"))).scalar() == wanted)
