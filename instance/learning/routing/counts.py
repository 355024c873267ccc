"""What a ledger holds for one task, laid out in an array: by nearness, by what was tried before, and by model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from instance.learning.routing.ledger import Ledger, Tally
from instance.learning.routing.pooling import Floats, correlation, mass_of
from instance.learning.routing.task import AFTER, Task
from shared.results import Cell

MODELS_MAX: Final = 10
"""More models than these make more plans than can be looked at in time; those asked for by name and those with the
most results are kept."""

NO_MODELS: Final = frozenset({"unknown", "other"})
"""What results are summed up under whose model has no name to call it by."""

_FIELD: Final = {name: place for place, name in enumerate(Tally._fields)}


@dataclass(frozen=True)
class Counts:
    """Tallies of shape (levels, 1 + models + 1, models, fields).

    The second axis is what a verifier rejected before: nothing, each of the models, any other. Levels are apart.
    """

    tallies: Floats

    def first(self, field: str) -> Floats:
        """Return sums of first attempts, (levels, models)."""
        return self._of(field)[:, 0]

    def after(self, field: str) -> Floats:
        """Return sums of attempts after another, (levels, model before, model)."""
        return self._of(field)[:, 1:]

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tallies + other.tallies)

    @property
    def labelled(self) -> Floats:
        """Results somebody has judged, (levels, what was before, models)."""
        return self._of("succeeded") + self._of("failed")

    def _of(self, field: str) -> Floats:
        found: Floats = self.tallies[..., _FIELD[field]]
        return found


def known_models(task: Task, ledgers: Sequence[Ledger], named: Collection[str] = ()) -> tuple[str, ...]:
    """Return the models there are results of for this kind of job, by name.

    Those `named` are among them without a result of their own, unless no model has any: there is nothing to hold them
    against.
    """
    results: defaultdict[str, float] = defaultdict(float)
    for ledger in ledgers:
        for cell, tally in ledger.of(task.job_type):
            results[cell.model] += tally.results
    seen = {model for model, number in results.items() if number > 0 and model not in NO_MODELS}
    wanted = set(named) if seen else set()
    return tuple(
        sorted(sorted(seen | wanted, key=lambda model: (model not in wanted, -results[model], model))[:MODELS_MAX])
    )


def counts(ledger: Ledger, task: Task, models: Sequence[str]) -> Counts:
    """Lay out what a ledger holds of some models."""
    place = {model: number for number, model in enumerate(models)}
    tallies = np.zeros((len(task.steps) + 1, len(models) + 2, len(models), len(Tally._fields)))
    for cell, tally in ledger.of(task.job_type):
        if cell.model in place:
            context = dict(cell.context)
            before = place.get(context[AFTER], len(models)) + 1 if AFTER in context else 0
            tallies[task.nearness(context), before, place[cell.model]] += tally
    return Counts(tallies)


def context_masses(ledgers: Sequence[Ledger], task: Task) -> list[float]:
    """Return for each step of the task what wider contexts count at most, by how much contexts differ there."""
    cells = [(cell, dict(cell.context), tally) for ledger in ledgers for cell, tally in ledger.of(task.job_type)]
    return [mass_of(correlation(_groups(cells, task, step))) for step in range(len(task.steps))]


def _groups(
    cells: Sequence[tuple[Cell, dict[str, str], Tally]], task: Task, step: int
) -> list[list[tuple[float, float]]]:
    """Group first attempts that go along with the task so far by the next word, for each model."""
    word = task.steps[step][0]
    groups: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0.0, 0.0]))
    for cell, context, tally in cells:
        if AFTER not in context and word in context and task.nearness(context) >= step:
            group = groups[cell.model][context[word]]
            group[0] += tally.succeeded
            group[1] += tally.succeeded + tally.failed
    return [[(succeeded, labelled) for succeeded, labelled in group.values()] for group in groups.values()]
