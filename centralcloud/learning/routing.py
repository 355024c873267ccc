"""Priors for routing out of what instances said: each bounded, and worth the less the more instances differ.

How alike the results of one instance are is estimated by moments for each kind of job (Beta-Binomial; Kleinman,
"Proportions with extraneous variance: single and independent samples", 1973). With a correlation rho, n results of
one instance tell of another one as much as n / (1 + rho (n - 1)), and those of the fleet never more than 1 / rho - 1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from math import fsum
from statistics import median
from types import MappingProxyType
from typing import Final, Protocol

from schemas.names import COUNT_MAX
from schemas.results import ResultSums, Sketch
from schemas.routing import DISCOUNT, MASS_MAX, PRIORS_MAX, VERIFIER, RoutingPrior, RoutingPriors
from shared.results import Cell, Summed, cell_of

RESULTS_MAX: Final = 100.0
"""Of one kind of job, model and context, an instance counts as at most so many results ..."""

TYPICAL_MAX: Final = 3.0
"""... and at most so many times what is typical of those that report any ..."""

RESULTS_FREE: Final = 10.0
"""... where that is more than so many."""

SKETCH_RANKS: Final = 20
"""The sketch of a prior has numbers at so many even ranks."""

_UNIT: Final = 100  # results are written in hundredths, so that rounding loses nothing
_CORRELATION: Final = 0.1
_CORRELATION_RESULTS: Final = 20.0  # how many results the prior correlation weighs
_CORRELATION_MIN: Final = 1.0 / (1.0 + MASS_MAX)
_SKETCHES: Final = {"cost": "priced", "latency": "timed"}
_NUMBERS: Final = tuple(name for name in ResultSums.__struct_fields__ if name not in _SKETCHES)
_ZEROS: Final = -1


class Contribution(Summed, Protocol):
    """What one instance says of one day, kind of job, model and context."""

    @property
    def instance(self) -> str: ...  # noqa: D102


Part = tuple[str, int]
"""A field of the sums, or of a sketch the bucket with an index."""

Voice = dict[Part, float]
"""What one instance says of one cell, or all of them do."""


def priors(
    contributions: Iterable[Contribution],
    today: date,
    *,
    discount: float = DISCOUNT,
    trust: Mapping[str, float] = MappingProxyType({}),
) -> RoutingPriors:
    """Make the priors of the fleet; `trust` is by instance, 1 where nothing is said of one.

    Of more cells than a message may have, those most instances know are told.
    """
    cells = {
        cell: {instance: _scaled(one, trust.get(instance, 1.0)) for instance, one in _bounded(voices).items()}
        for cell, voices in _voices(contributions, today, discount).items()
    }
    correlations = _correlations(cells)
    told = sorted(sorted(cells), key=lambda cell: -len(cells[cell]))[:PRIORS_MAX]
    return RoutingPriors(
        day=today,
        priors=tuple(_prior(cell, list(cells[cell].values()), correlations[cell.job_type]) for cell in sorted(told)),
    )


def _voices(contributions: Iterable[Contribution], today: date, discount: float) -> dict[Cell, dict[str, Voice]]:
    """Add up the days of each instance; a day counts `discount` to the power of its age."""
    found: defaultdict[Cell, defaultdict[str, list[Voice]]] = defaultdict(lambda: defaultdict(list))
    for one in contributions:
        if one.job_type.startswith(VERIFIER):
            continue
        cell = cell_of(one.job_type, one.model, one.context)
        found[cell][one.instance].append(_scaled(_voice(one.sums), discount ** max(0, (today - one.day).days)))
    return {cell: {name: _added(days) for name, days in voices.items()} for cell, voices in found.items()}


def _voice(sums: ResultSums) -> Voice:
    voice: Voice = {(name, 0): float(getattr(sums, name)) for name in _NUMBERS}
    for name in _SKETCHES:
        sketch: Sketch = getattr(sums, name)
        voice[name, _ZEROS] = float(sketch.zeros)
        voice.update(((name, index), float(count)) for index, count in sketch.buckets)
    return voice


def _scaled(voice: Voice, factor: float) -> Voice:
    return {part: factor * number for part, number in voice.items()}


def _added(voices: Sequence[Voice]) -> Voice:
    """Add voices up, exactly and so in any order."""
    parts: defaultdict[Part, list[float]] = defaultdict(list)
    for voice in voices:
        for part, number in voice.items():
            parts[part].append(number)
    return {part: fsum(numbers) for part, numbers in parts.items()}


def _bounded(voices: Mapping[str, Voice]) -> dict[str, Voice]:
    """Let no instance count as many more results than is typical."""
    typical = median(_results(voice) for voice in voices.values())
    bound = min(RESULTS_MAX, max(RESULTS_FREE, TYPICAL_MAX * typical))
    return {name: _scaled(voice, min(1.0, bound / max(_results(voice), 1.0))) for name, voice in voices.items()}


def _results(voice: Voice) -> float:
    return voice["results", 0]


def _judged(voice: Voice) -> tuple[float, float]:
    """Return how many results succeeded, and how many somebody has judged."""
    return voice["succeeded", 0], voice["succeeded", 0] + voice["failed", 0]


def _correlations(cells: Mapping[Cell, Mapping[str, Voice]]) -> dict[str, float]:
    """Estimate for each kind of job how alike the results of one instance are; few results leave it near 0.1."""
    evidence: defaultdict[str, float] = defaultdict(lambda: _CORRELATION * _CORRELATION_RESULTS)
    surplus: defaultdict[str, float] = defaultdict(lambda: _CORRELATION_RESULTS)
    for cell, voices in sorted(cells.items()):
        spread, free = _spread([_judged(voice) for _, voice in sorted(voices.items())])
        evidence[cell.job_type] += spread
        surplus[cell.job_type] += free
    return {
        cell.job_type: min(1.0, max(_CORRELATION_MIN, evidence[cell.job_type] / surplus[cell.job_type]))
        for cell in cells
    }


def _spread(judged: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return by how much rates differ beyond chance, and by how much they would if instances decided everything."""
    total = fsum(number for _, number in judged)
    rate = fsum(succeeded for succeeded, _ in judged) / total if total else 0.0
    if not 0.0 < rate < 1.0:
        return 0.0, 0.0
    known = [(succeeded, number) for succeeded, number in judged if number]
    spread = fsum(number * (succeeded / number - rate) ** 2 for succeeded, number in known) / (rate * (1 - rate))
    free = len(known) - 1
    return spread - free, max(0.0, total - fsum(number * number for _, number in known) / total - free)


def _prior(cell: Cell, voices: Sequence[Voice], correlation: float) -> RoutingPrior:
    independent = [_scaled(one, 1.0 / (1.0 + correlation * max(0.0, _results(one) - 1.0))) for one in voices]
    together = _added(independent)
    there_is = _judged(together)[1] or _results(together)
    bound = min(MASS_MAX, 1.0 / correlation - 1.0)
    return RoutingPrior(
        job_type=cell.job_type,
        model=cell.model,
        context=dict(cell.context),
        instances=sum(_results(one) > 0 for one in voices),
        sums=_sums(_scaled(together, _UNIT)),
        weight=bound / (bound + there_is) / _UNIT,
    )


def _sums(voice: Voice) -> ResultSums:
    """Round down, which lets no part exceed the whole, and end where counts do."""
    numbers = {name: min(int(voice[name, 0]), COUNT_MAX) for name in _NUMBERS if name != "latency_ms_squared"}
    return ResultSums(
        **numbers,
        latency_ms_squared=voice["latency_ms_squared", 0],
        cost=_condensed(voice, "cost", numbers["priced"]),
        latency=_condensed(voice, "latency", numbers["timed"]),
    )


def _condensed(voice: Voice, name: str, number: int) -> Sketch:
    """Return a sketch of so many numbers at a few even ranks: enough to tell how they are spread."""
    buckets = sorted((index, count) for (field, index), count in voice.items() if field == name and count > 0)
    total, seen, place = fsum(count for _, count in buckets), 0.0, 0
    found: defaultdict[int, int] = defaultdict(int)
    for rank in range(SKETCH_RANKS if buckets else 0):
        while place < len(buckets) - 1 and seen + buckets[place][1] < (rank + 0.5) / SKETCH_RANKS * total:
            seen += buckets[place][1]
            place += 1
        found[buckets[place][0]] += (rank + 1) * number // SKETCH_RANKS - rank * number // SKETCH_RANKS
    return Sketch(
        zeros=found.pop(_ZEROS, 0), buckets=tuple((index, count) for index, count in sorted(found.items()) if count)
    )
