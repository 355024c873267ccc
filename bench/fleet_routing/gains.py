"""What jobs saved and regretted, with intervals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import mean
from typing import Final, NamedTuple

import numpy as np

from bench.fleet_routing.fleets import Job
from instance.learning.routing.outlook import Interval

_DRAWS: Final = 2000
_BOUNDS: Final = (2.5, 97.5)


class Gain(NamedTuple):
    """Share of the cost saved against the best single model, and change of the share that succeeded."""

    saved: Interval
    success: Interval

    @property
    def is_as_good(self) -> bool:
        """Whether success is not lower, as far as the interval tells."""
        return self.success.high >= 0.0

    def __str__(self) -> str:
        """Show it in percent and points."""
        saved, success = self.saved, self.success
        return (
            f"{saved.expected:4.0%} [{saved.low:.0%}, {saved.high:.0%}]".replace("%", "")
            + f" ({100 * success.expected:+.1f} [{100 * success.low:+.1f}, {100 * success.high:+.1f}])"
        )


def gain(fleets: Sequence[Sequence[Job]]) -> Gain:
    """Compare fleets with their incumbents; the intervals are of machines drawn anew, fleet by fleet.

    They say what other machines would find in these worlds, and nothing of other worlds.
    """
    found = [_by_machine(jobs) for jobs in fleets]
    rng = np.random.default_rng(0)
    draws = np.mean([one[rng.integers(len(one), size=(_DRAWS, len(one)))].mean(axis=1) for one in found], axis=0)
    middle = np.mean([one.mean(axis=0) for one in found], axis=0)
    saved, success = (
        Interval(float(low), float(expected), float(high))
        for low, expected, high in zip(
            np.percentile(draws, _BOUNDS[0], axis=0), middle, np.percentile(draws, _BOUNDS[1], axis=0), strict=True
        )
    )
    return Gain(saved, success)


def _by_machine(jobs: Sequence[Job]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return saved and gained of each machine of a fleet, (machines, 2)."""
    success, cents = jobs[0].world.alone()
    best = int(success.argmax())
    machines: defaultdict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        machines[job.machine].append(job)
    rows = [
        (
            1 - mean(job.cents for job in done) / float(cents[best]),
            mean(job.succeeded for job in done) - float(success[best]),
        )
        for done in machines.values()
    ]
    return np.array(rows, dtype=np.float64)


def same(jobs: Sequence[Job], others: Sequence[Job]) -> float:
    """Return the share of jobs for which the same plan was chosen."""
    plans = {(job.machine, job.number): job.plan for job in others}
    return mean(plans[job.machine, job.number] == job.plan for job in jobs)
