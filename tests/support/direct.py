"""A workflow run in this very process, without a queue: what is asked here is what its steps do, not who runs them."""

from __future__ import annotations

import asyncio
from typing import Any, Final, TypeVar

from instance.agents.orders import Order, Scan
from instance.agents.student import Student
from instance.jobs.study import STUDY, present
from shared.errors import UsageError
from shared.workflows.definition import Over, Step, Workflow

I = TypeVar("I")  # noqa: E741 - the type of the input

WIDTH: Final = 3


async def study_here(student: Student) -> list[Scan]:
    """Study every directory that is there in this process, one after another."""
    scans, roots = [], [str(root) for root in present(student)]
    while roots:
        root = roots.pop(0)
        scan: Scan = (await run_here(STUDY, student, Order(root=root)))["conclude"]
        scans.append(scan)
        if scan.rest:
            roots.insert(0, root)
    return scans


async def run_here(workflow: Workflow[I], context: object, input: I, *, width: int = WIDTH) -> dict[str, Any]:
    """Run every step, in order of definition; returns the output of each step by name.

    Of a step that maps, `width` tasks run at a time. Raises what a step raises.
    """
    known: dict[str, Any] = {"input": input}
    for step in workflow.steps.values():
        known[step.name] = await _run(step, context, known, width)
    del known["input"]
    return known


async def _run(step: Step, context: object, known: dict[str, Any], width: int) -> Any:
    if step.wants_task:
        raise UsageError(f"step {step.name} needs the queue; start the workflow instead")
    given = {name: known[name] for name in step.types if name in known}
    if step.over is None:
        return await step.function(context, **given)
    over = step.over
    slots = asyncio.Semaphore(width)

    async def one(element: Any) -> Any:
        async with slots:
            return await step.function(context, **given, **{over.parameter: element})

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(element)) for element in _elements(over, known)]
    return [task.result() for task in tasks]


def _elements(over: Over, known: dict[str, Any]) -> Any:
    return known[over.source] if over.field is None else getattr(known[over.source], over.field)
