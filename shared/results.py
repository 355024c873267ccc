"""Sums of results: what they are of, how they are added, and which cannot be true."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final, NamedTuple, Protocol

from schemas.results import ResultSums
from shared import sketch

_SKETCHES: Final = ("cost", "latency")
_NUMBERS: Final = tuple(name for name in ResultSums.__struct_fields__ if name not in _SKETCHES)


class Summed(Protocol):
    """The sums of one day, kind of job, model and context."""

    @property
    def day(self) -> date: ...  # noqa: D102
    @property
    def job_type(self) -> str: ...  # noqa: D102
    @property
    def model(self) -> str: ...  # noqa: D102
    @property
    def context(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def sums(self) -> ResultSums: ...  # noqa: D102


class Cell(NamedTuple):
    """What results have in common that are added up."""

    job_type: str
    model: str
    context: tuple[tuple[str, str], ...]


def cell_of(job_type: str, model: str, context: Mapping[str, str]) -> Cell:
    """Tell which results are added up with these."""
    return Cell(job_type, model, tuple(sorted(context.items())))


def merge(many: Iterable[ResultSums]) -> ResultSums:
    """Return the sums of all results together."""
    terms = list(many)
    numbers = {name: sum(getattr(one, name) for one in terms) for name in _NUMBERS}
    return ResultSums(
        **numbers,
        cost=sketch.merge(one.cost for one in terms),
        latency=sketch.merge(one.latency for one in terms),
    )


def flaw(sums: ResultSums) -> str | None:
    """What contradicts itself in sums somebody sent; None when nothing does. A sketch may be left out."""
    if sums.succeeded + sums.failed > sums.results:
        return "more results succeeded or failed than there are"
    if max(sums.priced, sums.metered, sums.timed) > sums.results:
        return "more results were measured than there are"
    if sums.latency_ms_squared > (sums.latency_ms + sums.timed) ** 2:  # each duration may have been rounded by 1 ms
        return "the squares of the durations are more than durations of that sum can have"
    for found, counted in ((sums.cost, sums.priced), (sums.latency, sums.timed)):
        if wrong := sketch.flaw(found):
            return wrong
        if sketch.size(found) not in (0, counted):
            return "a sketch is of another number of results than it says"
    return None
