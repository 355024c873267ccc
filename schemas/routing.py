"""What the fleet has seen models do, as a prior for one's own evidence: sums, never a verdict."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final

from msgspec import Meta, Struct

from schemas.names import Count
from schemas.results import CONTEXT_WORDS_MAX, ResultSums, Word

MASS_MAX: Final = 50.0
"""No prior counts as more labelled results than these, however many there are behind it."""

DISCOUNT: Final = 0.97
"""What a result counts a day later: half after three weeks. Providers change models under the same name."""

PRIORS_MAX: Final = 10_000

VERIFIER: Final = "verifier."
"""What the job types of verifiers begin with; there are no priors of those, as no two checks of one name are alike."""

Weight = Annotated[float, Meta(ge=0.0, le=1.0)]


class RoutingPrior(Struct, frozen=True, kw_only=True):
    """What jobs of one kind in one context with one model came to, all instances together, none of them too loud."""

    job_type: Word
    model: Word
    context: Annotated[dict[Word, Word], Meta(max_length=CONTEXT_WORDS_MAX)] = {}
    instances: Count
    """How many are behind it."""
    sums: ResultSums
    """Discounted by age and bounded per instance; the sketches are of a few numbers at even ranks."""
    weight: Weight
    """Each of the results counts as so much of one: the more instances differ, the less."""


class RoutingPriors(Struct, frozen=True, kw_only=True):
    """Everything the hub says for routing on one day; it replaces what it said before."""

    day: date
    """In UTC, to which the sums are discounted."""
    priors: Annotated[tuple[RoutingPrior, ...], Meta(max_length=PRIORS_MAX)] = ()
