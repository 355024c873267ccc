"""How far a verifier can be believed: what it accepted and rejected against what was true in the end.

The job type `verifier.<name>` has the attempts it accepted, `verifier.<name>.rejected` those it rejected; the model is
the one it judged and the status what was true in the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from instance.learning.routing.ledger import Ledger, Tally
from instance.learning.routing.task import AFTER, Task
from schemas.routing import VERIFIER

REJECTED: Final = ".rejected"


class Beta(NamedTuple):
    """A Beta distribution of a rate."""

    yes: float
    no: float

    @property
    def mean(self) -> float:
        """Expected rate."""
        return self.yes / (self.yes + self.no)


FALSE_ACCEPTANCE: Final = Beta(1.0, 9.0)
"""Until it is known, a verifier is taken to accept a tenth of what is wrong ..."""

FALSE_REJECTION: Final = Beta(1.0, 19.0)
"""... and to reject a twentieth of what is right."""


class Verifier(NamedTuple):
    """How often wrong attempts are accepted, and right ones rejected."""

    false_acceptance: Beta = FALSE_ACCEPTANCE
    false_rejection: Beta = FALSE_REJECTION


def verifier_of(task: Task, ledgers: Sequence[Ledger]) -> Verifier:
    """Estimate the two rates of the task's verifier from what it judged here, whatever that was.

    Nobody labels a rejected attempt unless it turns out to have been right, so one without a label was wrong. Where
    no rejections were recorded, the attempts made after a rejection stand for them. False rejections are only counted
    as far as rejections have labels.
    """
    if task.verifier is None:
        return Verifier()
    accepted = _sum(ledgers, VERIFIER + task.verifier)
    rejected = _sum(ledgers, VERIFIER + task.verifier + REJECTED)
    rejections = rejected.results or _attempts_after(ledgers, task)
    labelled = (rejected.succeeded + rejected.failed) / rejections if rejections else 0.0
    return Verifier(
        Beta(
            FALSE_ACCEPTANCE.yes + accepted.failed,
            FALSE_ACCEPTANCE.no + max(0.0, rejections - rejected.succeeded),
        ),
        Beta(
            FALSE_REJECTION.yes + rejected.succeeded,
            FALSE_REJECTION.no + labelled * accepted.succeeded,
        ),
    )


def _sum(ledgers: Sequence[Ledger], job_type: str) -> Tally:
    tallies = [tally for ledger in ledgers for _, tally in ledger.of(job_type)]
    return Tally(*(sum(getattr(one, field) for one in tallies) for field in Tally._fields))


def _attempts_after(ledgers: Sequence[Ledger], task: Task) -> float:
    return sum(
        tally.results
        for ledger in ledgers
        for cell, tally in ledger.of(task.job_type)
        if any(word == AFTER for word, _ in cell.context)
    )
