"""Adding sums of results, and telling sums that cannot be true."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from schemas.results import ResultSums
from shared import sketch

_SKETCHES: Final = ("cost", "latency")
_NUMBERS: Final = tuple(name for name in ResultSums.__struct_fields__ if name not in _SKETCHES)


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
    for found, counted in ((sums.cost, sums.priced), (sums.latency, sums.timed)):
        if wrong := sketch.flaw(found):
            return wrong
        if sketch.size(found) not in (0, counted):
            return "a sketch is of another number of results than it says"
    return None
