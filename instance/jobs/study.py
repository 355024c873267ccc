"""The study of a directory as a workflow: scan, mine part by part, publish, let the agents study, conclude."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from instance.agents.orders import AgentOrder, Consulted, Found, Mined, Order, Part, Published, Scan
from instance.agents.student import Student
from shared.database import transaction
from shared.errors import PermanentError
from shared.workflows import runs
from shared.workflows.definition import Workflow

log = structlog.get_logger(__name__)

QUEUE: Final = "pattern_mining"

STUDY: Final = Workflow("study", Order)


class StudyFailedError(PermanentError):
    """A directory could not be studied."""


@STUDY.step(queue=QUEUE)
async def scan(student: Student, input: Order) -> Found:
    """Find what changed since last time."""
    return await student.scan(input)


@STUDY.map("scan.parts", queue=QUEUE)
async def mine(student: Student, part: Part) -> Mined:
    """Mine some of the files."""
    return await student.mine(part)


@STUDY.step(queue=QUEUE)
async def publish(student: Student, scan: Found, mine: list[Mined]) -> Published:
    """Say what the miner found, and see which agents are due."""
    return await student.publish(scan, mine)


@STUDY.map("publish.due", queue=QUEUE)
async def consult(student: Student, order: AgentOrder) -> Consulted:
    """Let one agent study."""
    return await student.consult(order)


@STUDY.step(queue=QUEUE)
async def conclude(
    student: Student, scan: Found, mine: list[Mined], publish: Published, consult: list[Consulted]
) -> Scan:
    """Say what the agents found."""
    return await student.conclude(scan, mine, publish, consult)


async def order_study(connection: AsyncConnection, root: str) -> UUID:
    """Start the study of a directory with the caller's transaction; returns the run, the one under way if there is."""
    return (await runs.start(connection, STUDY, Order(root=root), unique_key=root)).run_id


async def study_queued(engine: AsyncEngine, student: Student) -> None:
    """Have every directory that is there studied by the workers of the instance, and wait for the end.

    Raises `StudyFailedError` when a study failed; the others are studied nevertheless.
    """
    failures, roots = [], [str(root) for root in present(student)]
    while roots:
        async with transaction(engine) as connection:
            ordered = [await order_study(connection, root) for root in roots]
        ended = [await runs.ended(engine, run) for run in ordered]
        failures += [f"{run.input['root']}: {run.error}" for run in ended if run.status != "completed"]
        roots = [run.input["root"] for run in ended if run.status == "completed" and run.output["rest"]]
    if failures:
        raise StudyFailedError("; ".join(failures))


def present(student: Student) -> list[Path]:
    """The directories that are there; of others the log tells."""
    found = []
    for root in student.roots:
        if root.is_dir():
            found.append(root)
        else:
            log.warning("not studied", root=str(root), reason="it is not a directory")
    return found
