"""The law of the counters: in any graph, in any order of ends, each task runs once and no step before what it needs."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import transaction
from shared.workflows import runs, tasks
from shared.workflows.definition import Workflow
from shared.workflows.signature import element_of
from shared.workflows.task import TaskKey
from shared.workflows.tasks import Attempt
from tests.support.databases import instance_engine

_CLAIM = text("""
    UPDATE oban_jobs SET state = 'executing', attempt = attempt + 1, attempted_by = ARRAY['w', 'b']
     WHERE id = (SELECT id FROM oban_jobs WHERE state = 'available' ORDER BY (id * :salt) % 97 LIMIT 1
                    FOR UPDATE SKIP LOCKED)
    RETURNING id, worker, args::text, attempt
""")
_FINISH = text("UPDATE oban_jobs SET state = 'completed' WHERE id = :id")
_COUNTERS = text("""
    SELECT step_slug, status, remaining_deps, remaining_tasks, initial_tasks, attempts_count FROM workflow_step_states
""")
_NOTHING_LEFT = text("SELECT remaining_steps, (SELECT count(*) FROM oban_jobs) FROM workflow_runs")
_FINISHERS = 3


class Shape(msgspec.Struct, frozen=True):
    """A step: the earlier ones whose output it takes, the one it maps over, and how much a task of it returns."""

    needs: tuple[int, ...]
    over: int | None
    length: int


@st.composite
def shapes(draw: st.DrawFn) -> list[Shape]:
    drawn: list[Shape] = []
    for index in range(draw(st.integers(1, 6))):
        earlier = st.integers(0, max(0, index - 1))
        needs = draw(st.sets(earlier, max_size=3)) if index else set[int]()
        over = draw(st.one_of(st.none(), earlier)) if index else None
        drawn.append(Shape(tuple(sorted(needs)), over, draw(st.integers(0, 3))))
    return drawn


def workflow_of(graph: Sequence[Shape]) -> Workflow[int]:
    """Each task of a step returns `length` numbers; so a map over a map takes one list of numbers each."""
    workflow = Workflow("graph", int)
    for index, shape in enumerate(graph):
        types = {f"s{need}": workflow.steps[f"s{need}"].output for need in shape.needs}
        if shape.over is None:
            workflow.step(_function(f"s{index}", types))
        else:
            types["element"] = element_of(workflow.steps[f"s{shape.over}"].output)
            workflow.map(f"s{shape.over}")(_function(f"s{index}", types))
    return workflow


def _function(name: str, types: dict[str, Any]) -> Any:
    async def function(*_: object) -> list[int]:
        raise NotImplementedError

    parameters = [inspect.Parameter(key, inspect.Parameter.POSITIONAL_OR_KEYWORD) for key in ("context", *types)]
    function.__name__ = name
    function.__annotations__ = types | {"return": list[int]}
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return function


def expected(graph: Sequence[Shape]) -> dict[str, list[Any]]:
    """The output of each step."""
    outputs: dict[str, list[Any]] = {}
    for index, shape in enumerate(graph):
        one = list(range(shape.length))
        outputs[f"s{index}"] = one if shape.over is None else [one for _ in outputs[f"s{shape.over}"]]
    return outputs


async def finish_all(engine: AsyncEngine, workflow: Workflow[int], model: dict[str, list[Any]], salt: int) -> int:
    """Do what a worker does until no job is left; returns how many were done."""
    done = 0
    while True:
        async with transaction(engine) as connection:
            claimed = (await connection.execute(_CLAIM, {"salt": salt})).one_or_none()
        if claimed is None:
            return done
        done += await _finish(engine, workflow, model, claimed)


async def _finish(engine: AsyncEngine, workflow: Workflow[int], model: dict[str, list[Any]], claimed: Any) -> int:
    id_, kind, args, number = claimed
    key = msgspec.json.decode(args, type=TaskKey)
    step = workflow.steps[kind.removeprefix("graph.")]
    attempt = Attempt(key.run, step, key.index, id_, number, "w", "default")
    async with transaction(engine) as connection:
        begun = await tasks.begin(connection, attempt)
    assert begun is not None
    outputs = msgspec.json.decode(begun.outputs or "{}")
    for need in step.needs:
        whole = outputs.get(need, [])
        assert (whole if workflow.steps[need].over else whole[0]) == model[need]
    if step.over is not None:
        assert msgspec.json.decode(begun.element or "") == model[step.over.source][key.index]
    output = model[step.name][key.index] if step.over else model[step.name]
    written = msgspec.json.encode(output).decode()
    if step.over is not None:
        async with transaction(engine) as connection:
            if await tasks.complete_one_of_many(connection, attempt, begun.boot, written):
                return 1
    async with transaction(engine) as connection:
        assert await tasks.complete(connection, workflow, attempt, written, durable=False)
        await connection.execute(_FINISH, {"id": id_})
    return 1


async def run_graph(engine: AsyncEngine, graph: list[Shape], salt: int) -> None:
    workflow, model = workflow_of(graph), expected(graph)
    async with transaction(engine) as connection:
        await connection.execute(text("TRUNCATE workflow_runs CASCADE"))
        await connection.execute(text("TRUNCATE oban_jobs"))
        run = (await runs.start(connection, workflow, 0)).run_id
    finishers = [finish_all(engine, workflow, model, salt + index) for index in range(_FINISHERS)]
    while sum(await asyncio.gather(*finishers)):  # one may have found nothing while another was making more
        finishers = [finish_all(engine, workflow, model, salt)]
    sizes = {name: len(model[step.over.source]) if step.over else 1 for name, step in workflow.steps.items()}
    async with transaction(engine) as connection:
        rows = {row[0]: tuple(row[1:]) for row in await connection.execute(_COUNTERS)}
        assert rows == {name: ("completed", 0, 0, size, size) for name, size in sizes.items()}
        assert (await connection.execute(_NOTHING_LEFT)).one() == (0, sum(sizes.values()))
        ended = await runs.get(connection, run)
    assert ended is not None
    assert ended.status == "completed"
    sinks = {name: model[name] for name in workflow.sinks}
    assert ended.output == (sinks if len(sinks) > 1 else next(iter(sinks.values())))


async def test_the_counters_of_any_graph(database_url: str) -> None:
    async with instance_engine(database_url) as engine:
        loop = asyncio.get_running_loop()

        @settings(max_examples=40)
        @given(shapes(), st.integers(1, 96))
        def holds(graph: list[Shape], salt: int) -> None:
            asyncio.run_coroutine_threadsafe(run_graph(engine, graph, salt), loop).result()

        await asyncio.to_thread(partial(holds))
