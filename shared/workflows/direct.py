"""Running a workflow in this very process, without a queue: for one who waits for it, and needs no crash survived."""

from __future__ import annotations

import asyncio
from typing import Any, Final, TypeVar

from shared.errors import UsageError
from shared.workflows.definition import Over, Step, Workflow

I = TypeVar("I")  # noqa: E741 - the type of the input

WIDTH: Final = 3


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
