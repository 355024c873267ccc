"""What a workflow may look like; whatever does not fit is refused before anything runs, with its place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from msgspec import Struct

from shared.errors import ConfigurationError
from shared.workflows.definition import Over, Workflow
from shared.workflows.task import Task


class Order(Struct):
    paths: list[str]


class Batch(Struct):
    paths: tuple[str, ...]


class Found(Struct, rename="camel"):
    every_batch: list[Batch]
    files: int


@dataclass
class Mined:
    patterns: list[str]


class Opaque:
    """Nothing that JSON can hold."""


async def scan(context: object, input: Order) -> Found:
    raise NotImplementedError


async def mine(context: object, batch: Batch, input: Order) -> Mined:
    raise NotImplementedError


async def weigh(context: object, mined: Mined) -> int:
    raise NotImplementedError


async def publish(context: object, scan: Found, mine: list[Mined], task: Task) -> None:
    raise NotImplementedError


def test_edges_types_and_output_are_read_from_the_functions() -> None:
    study = Workflow("study", Order)
    study.step(scan)
    assert study.map("scan.every_batch", queue="pattern_mining", attempts_max=5, priority=2)(mine) is mine
    study.map("mine")(weigh)
    study.step(publish)
    found, mined, weighed, published = study.steps.values()
    assert (set(found.waits_for), set(mined.waits_for), mined.needs) == (set(), {"scan"}, ())
    assert mined.over == Over("scan", "every_batch", "batch", ("0", "everyBatch"))
    assert weighed.over == Over("mine", None, "mined", ())
    assert (published.needs, published.wants_task) == (("scan", "mine"), True)
    assert (mined.kind.name, mined.kind.queue, mined.kind.attempts_max, mined.priority) == (
        "study.mine", "pattern_mining", 5, 2,
    )  # fmt: skip
    assert mined.output == list[Mined]
    assert weighed.output == list[int]
    assert study.dependents("mine") == ["weigh", "publish"]
    assert study.sinks == ["weigh", "publish"]


def test_a_workflow_may_map_over_its_input() -> None:
    async def read(context: object, path: str) -> int:
        raise NotImplementedError

    each = Workflow("each", list[str])
    each.map("input")(read)
    assert each.steps["read"].over == Over("input", None, "path", ("0",))
    assert each.steps["read"].waits_for == set()


def with_scan() -> Workflow[Order]:
    workflow = Workflow("study", Order)
    workflow.step(scan)
    return workflow


async def of_nowhere(context: object, scanned: Found) -> int:
    raise NotImplementedError


async def of_itself(context: object, of_itself: int) -> int:
    raise NotImplementedError


async def mistaken(context: object, scan: Order) -> int:
    raise NotImplementedError


async def silent(context: object, scan: Found):  # type: ignore[no-untyped-def]  # noqa: ANN201
    raise NotImplementedError


async def untyped(context: object, scan) -> int:  # type: ignore[no-untyped-def]  # noqa: ANN001
    raise NotImplementedError


async def unreal(context: object, scan: Missing) -> int:  # type: ignore[name-defined]  # noqa: F821
    raise NotImplementedError


async def unkept(context: object, scan: Found) -> Opaque:
    raise NotImplementedError


async def lonely() -> int:
    raise NotImplementedError


async def loose(context: object, **scan: Found) -> int:
    raise NotImplementedError


def plain(context: object, scan: Found) -> int:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (of_nowhere, "there is no earlier step scanned; there are input, task, scan"),
        (of_itself, "no earlier step of_itself"),
        (mistaken, "parameter scan is Order, but scan gives Found"),
        (silent, "say the type of return"),
        (untyped, "say the type of scan"),
        (unreal, "name 'Missing' is not defined"),
        (unkept, "Opaque cannot be kept as JSON"),
        (lonely, "its first parameter is the context"),
        (loose, "parameter scan must have a name"),
        (plain, "write `async def`"),
        (scan, "the name is taken"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_step_that_does_not_fit_is_refused(step: Callable[..., Any], why: str) -> None:
    with pytest.raises(ConfigurationError, match=f"workflow study, step {step.__name__}.*{why}"):
        with_scan().step(step)


async def over_order(context: object, batch: Order) -> int:
    raise NotImplementedError


async def over_two(context: object, one: Batch, two: Batch) -> int:
    raise NotImplementedError


async def over_none(context: object, scan: Found) -> int:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("step", "over", "why"),
    [
        (mine, "scanned.every_batch", "no earlier step scanned"),
        (mine, "scan", "scan is no list"),
        (mine, "scan.files", "scan.files is no list"),
        (mine, "scan.nothing", "scan.nothing is no list"),
        (over_order, "scan.every_batch", "parameter batch is Order, but scan.every_batch holds Batch"),
        (over_two, "scan.every_batch", "one parameter takes the element of scan.every_batch, not one and two"),
        (over_none, "scan.every_batch", "one parameter takes the element of scan.every_batch, not none"),
    ],
)
def test_a_map_that_does_not_fit_is_refused(step: Callable[..., Awaitable[Any]], over: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=f"workflow study, step {step.__name__}.*{why}"):
        with_scan().map(over)(step)


@pytest.mark.parametrize("slug", ["", "Study", "a b", "1st", "a" * 64])
def test_a_name_that_is_none_is_refused(slug: str) -> None:
    with pytest.raises(ConfigurationError, match="a name is of a-z"):
        Workflow(slug, Order)


def test_an_input_that_json_cannot_hold_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="workflow study, input: Opaque cannot be kept"):
        Workflow("study", Opaque)
