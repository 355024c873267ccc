"""Workflows to try things with, and workers that perform them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import transaction
from shared.jobs.running import Cancel, Discard, Snooze
from shared.jobs.worker import Worker
from shared.jobs.workers import WorkerSettings
from shared.workflows import runs
from shared.workflows.definition import Workflow
from shared.workflows.performer import bind
from shared.workflows.runs import Run
from shared.workflows.task import Task
from tests.support.databases import instance_engine
from tests.support.lifecycle import started
from tests.support.wait import eventually


class Order(Struct):
    size: int
    behaviour: str = ""


class Found(Struct):
    batches: list[int]


@dataclass
class Desk:
    """The context: what the steps did, and what the test lets them do."""

    calls: Counter[str] = field(default_factory=Counter)
    at_work: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    interrupted: bool = False
    workers: set[str] = field(default_factory=set)


study = Workflow("study", Order)


@study.step
async def scan(desk: Desk, input: Order) -> Found:
    desk.calls["scan"] += 1
    return Found(list(range(input.size)))


@study.map("scan.batches", queue="pattern_mining", backoff=lambda _attempt: 0.0)
async def mine(desk: Desk, batch: int, input: Order, task: Task) -> int:
    desk.calls["mine"] += 1
    if batch == input.size - 1 and input.behaviour:
        await behave(desk, input.behaviour, task)
    return batch * 10


@study.step
async def publish(desk: Desk, scan: Found, mine: list[int]) -> str:
    desk.calls["publish"] += 1
    return f"{len(scan.batches)} batches: {mine}"


async def behave(desk: Desk, behaviour: str, task: Task) -> None:
    """Do what the input asks for."""
    desk.calls[behaviour] += 1
    match behaviour:
        case "fail":
            raise ValueError("a file without letters\0")
        case "fail twice" if task.attempt < 3:
            raise ValueError("not yet")
        case "give up":
            raise Discard("it is hopeless")
        case "withdraw":
            raise Cancel("nobody wants it")
        case "snooze" if desk.calls["snooze"] == 1:
            raise Snooze(0.0)
        case "wait":
            await wait(desk)


async def wait(desk: Desk) -> None:
    """Stand still until the test lets it go on, or the job is cancelled."""
    desk.at_work.set()
    try:
        await desk.go_on.wait()
    except asyncio.CancelledError:
        desk.interrupted = True
        raise


diamond = Workflow("diamond", int)


@diamond.step
async def top(desk: Desk, input: int) -> int:
    return input


@diamond.step
async def left(desk: Desk, top: int) -> int:
    return top + 1


@diamond.step
async def right(desk: Desk, top: int) -> int:
    return top + 2


@diamond.step
async def bottom(desk: Desk, left: int, right: int, input: int) -> dict[str, int]:
    return {"left": left, "right": right, "input": input}


@asynccontextmanager
async def at_work(
    database_url: str, *workers: str, more: Sequence[Workflow[Any]] = ()
) -> AsyncIterator[tuple[AsyncEngine, Desk]]:
    """An instance's database, a desk, and workers that perform everything above."""
    async with instance_engine(database_url) as engine:
        desk = Desk()
        workflows: list[Workflow[Any]] = [study, diamond, *more]
        handlers = [bound for workflow in workflows for bound in bind(workflow, desk, engine)]
        async with started(
            *(Worker(engine, database_url, handlers, WorkerSettings(name=name)) for name in workers or ("w",))
        ):
            yield engine, desk


async def start(engine: AsyncEngine, workflow: Workflow[Any], input: Any, **more: Any) -> UUID:
    async with transaction(engine) as connection:
        return (await runs.start(connection, workflow, input, **more)).run_id


async def look(engine: AsyncEngine, run: UUID) -> Run:
    async with transaction(engine) as connection:
        found = await runs.get(connection, run)
    assert found is not None
    return found


async def ended(engine: AsyncEngine, run: UUID) -> Run:
    """The run, once it has ended."""

    async def check() -> Run | None:
        found = await look(engine, run)
        return found if found.status != "started" else None

    found = await eventually(check)
    assert found is not None
    return found


async def rows(engine: AsyncEngine, statement: str) -> list[tuple[Any, ...]]:
    async with transaction(engine) as connection:
        return [tuple(row) for row in await connection.execute(text(statement))]


async def no_job_is_left(engine: AsyncEngine) -> bool:
    statement = "SELECT FROM oban_jobs WHERE state IN ('available', 'scheduled', 'executing', 'retryable')"
    return not await rows(engine, statement)
