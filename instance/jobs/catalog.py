"""The kinds of jobs of an instance: the steps of a study, and what a person or a schedule may order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.agents.librarian import read_all
from instance.agents.orders import Order
from instance.agents.student import Student
from instance.jobs.study import STUDY, order_study
from shared.database import transaction
from shared.jobs import queue
from shared.jobs.kinds import Kind, Kinds
from shared.jobs.queue import Options
from shared.jobs.running import Bound, Running, bind
from shared.workflows.performer import bind as bind_steps


class Nothing(Struct, frozen=True):
    """No arguments."""


STUDY_DIRECTORY: Final = Kind("study_directory", Order, str, attempts_max=3)
"""Orders a study; the result is its run."""

EMBED: Final = Kind("embed", Nothing, type(None), queue="training", attempts_max=3)
"""Lets the sentence model read what it has not read."""

KINDS: Final = Kinds([*(step.kind for step in STUDY.steps.values()), STUDY_DIRECTORY, EMBED])


async def order_embedding(engine: AsyncEngine) -> None:
    """Have the sentence model read what it has not read, unless it is about to."""
    async with transaction(engine) as connection:
        await queue.enqueue(connection, EMBED, Nothing(), Options(unique_key="embed"))


def handlers(engine: AsyncEngine, student: Student) -> Sequence[Bound]:
    """What does the jobs of this process."""

    async def study_directory(running: Running[Order]) -> str:
        async with transaction(engine) as connection:
            return str(await order_study(connection, running.args.root))

    async def embed(_: Running[Nothing]) -> None:
        await read_all(engine)

    return [*bind_steps(STUDY, student, engine), bind(STUDY_DIRECTORY, study_directory), bind(EMBED, embed)]
