"""What a workflow is: steps in plain Python, whose parameter names are the edges and whose annotations are the types.

::

    study = Workflow("study", Order)

    @study.step(queue="pattern_mining")
    async def scan(student: Student, input: Order) -> Found: ...

    @study.map("scan.batches", queue="pattern_mining")
    async def mine(student: Student, batch: Batch) -> Mined: ...

    @study.step
    async def publish(student: Student, scan: Found, mine: list[Mined]) -> Said: ...

The first parameter is the application's own. `input` is the input of the run, `task` a `Task`, and any other name an
earlier step, whose output is passed; of a step that maps, one name is its own: it takes the element.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from types import GenericAlias
from typing import Any, Final, Generic, TypedDict, TypeVar, Unpack, overload

from shared.errors import ConfigurationError
from shared.jobs.kinds import Kind, backoff
from shared.workflows import signature
from shared.workflows.signature import Signature, check_kept, element_of, field_of, shown
from shared.workflows.task import TaskKey

I = TypeVar("I")  # noqa: E741 - the type of the input
F = TypeVar("F", bound=Callable[..., Awaitable[Any]])

ATTEMPTS_MAX: Final = 3
INPUT: Final = "input"
TASK: Final = "task"
_SLUG: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")


class Terms(TypedDict, total=False):
    """Of the jobs of a step; see `Kind` and the options of the queue."""

    queue: str
    attempts_max: int
    timeout_seconds: float | None
    backoff: Callable[[int], float]
    priority: int


@dataclass(frozen=True)
class Over:
    """The list a step maps over: all of what `source` returned, or a field of it."""

    source: str
    field: str | None
    parameter: str
    """Takes the element."""
    path: tuple[str, ...]
    """To the list, in the JSON array of what the tasks of `source` returned."""


@dataclass(frozen=True)
class Step:
    """A node of the graph; `function` runs once, or once for each element that it maps over."""

    name: str
    function: Callable[..., Awaitable[Any]]
    types: Mapping[str, Any]
    """By parameter, without the context and `task`."""
    wants_task: bool
    result: Any
    over: Over | None
    kind: Kind[TaskKey, None]
    timeout_seconds: float | None
    priority: int

    @property
    def output(self) -> Any:
        """The type that other steps see."""
        return GenericAlias(list, (self.result,)) if self.over else self.result

    @property
    def needs(self) -> tuple[str, ...]:
        """The steps whose output is passed to it."""
        own = self.over.parameter if self.over else None
        return tuple(name for name in self.types if name not in (INPUT, own))

    @property
    def waits_for(self) -> frozenset[str]:
        """The steps that must be complete before it starts."""
        return frozenset({*self.needs, *([self.over.source] if self.over else [])}) - {INPUT}


class Workflow(Generic[I]):
    """A graph of steps under a name; `input` is a type that msgspec can read and write."""

    def __init__(self, slug: str, input: type[I]) -> None:
        if not _SLUG.fullmatch(slug):
            raise ConfigurationError(f"workflow {slug!r}: a name is of a-z, 0-9 and _, 63 at most, a letter first")
        check_kept(input, f"workflow {slug}, input")
        self.slug = slug
        self.input: type[I] = input
        self.steps: dict[str, Step] = {}
        """In the order of definition: a step comes after all it waits for."""

    @overload
    def step(self, function: F, /) -> F: ...
    @overload
    def step(self, /, **terms: Unpack[Terms]) -> Callable[[F], F]: ...
    def step(self, function: F | None = None, /, **terms: Unpack[Terms]) -> F | Callable[[F], F]:
        """Make a function a step that runs once; raises `ConfigurationError` for whatever does not fit."""

        def add(function: F) -> F:
            self._add(function, None, terms)
            return function

        return add if function is None else add(function)

    def map(self, over: str, /, **terms: Unpack[Terms]) -> Callable[[F], F]:
        """Make a function a step that runs once for each element of a list, given as `step` or `step.field`."""

        def add(function: F) -> F:
            self._add(function, over, terms)
            return function

        return add

    def dependents(self, name: str) -> list[str]:
        """The steps that wait for that one."""
        return [step.name for step in self.steps.values() if name in step.waits_for]

    @property
    def sinks(self) -> list[str]:
        """The steps no other waits for: what they return is the output of the run."""
        return [name for name in self.steps if not self.dependents(name)]

    def _add(self, function: Callable[..., Awaitable[Any]], over: str | None, terms: Terms) -> None:
        name = function.__name__
        where = f"workflow {self.slug}, step {name}"
        if name in self.steps or name in (INPUT, TASK) or not _SLUG.fullmatch(name):
            raise ConfigurationError(f"{where}: the name is taken, or not of a-z, 0-9 and _; choose another")
        read = signature.read(function, where)
        check_kept(read.result, f"{where}, return")
        wants_task = read.parameters.pop(TASK, None) is not None
        mapped = None if over is None else self._over(over, read, where)
        self._check_types(read.parameters, mapped, where)
        self.steps[name] = Step(
            name=name,
            function=function,
            types=read.parameters,
            wants_task=wants_task,
            result=read.result,
            over=mapped,
            kind=Kind(
                f"{self.slug}.{name}",
                TaskKey,
                type(None),
                queue=terms.get("queue", "default"),
                attempts_max=terms.get("attempts_max", ATTEMPTS_MAX),
                backoff=terms.get("backoff", backoff),
            ),
            timeout_seconds=terms.get("timeout_seconds"),
            priority=terms.get("priority", 0),
        )

    def _output_of(self, name: str, where: str) -> Any:
        """The type of the input or of an earlier step's output."""
        if name == INPUT:
            return self.input
        if name not in self.steps:
            known = ", ".join((INPUT, TASK, *self.steps))
            raise ConfigurationError(f"{where}: there is no earlier step {name}; there are {known}")
        return self.steps[name].output

    def _over(self, over: str, read: Signature, where: str) -> Over:
        source, _, field = over.partition(".")
        whole = self._output_of(source, where)
        found = field_of(whole, field) if field else ("", whole)
        element = element_of(found[1]) if found else None
        if found is None or element is None:
            raise ConfigurationError(f"{where}: {over} is no list; name a step that returns one, or `step.field`")
        own = [name for name in read.parameters if name != INPUT and name not in self.steps]
        if len(own) != 1:
            raise ConfigurationError(f"{where}: one parameter takes the element of {over}, not {_all(own)}")
        if read.parameters[own[0]] != element:
            raise ConfigurationError(_differs(where, own[0], read.parameters[own[0]], f"{over} holds", element))
        at = () if source != INPUT and self.steps[source].over else ("0",)
        return Over(source, field or None, own[0], (*at, found[0]) if field else at)

    def _check_types(self, parameters: Mapping[str, Any], over: Over | None, where: str) -> None:
        for name, type_ in parameters.items():
            if over is not None and name == over.parameter:
                continue
            returned = self._output_of(name, where)
            if type_ != returned:
                raise ConfigurationError(_differs(where, name, type_, f"{name} gives", returned))


def _differs(where: str, parameter: str, written: Any, source: str, given: Any) -> str:
    return f"{where}: parameter {parameter} is {shown(written)}, but {source} {shown(given)}"


def _all(names: Iterable[str]) -> str:
    return " and ".join(names) or "none"
