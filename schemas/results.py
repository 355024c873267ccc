"""Results of jobs as they leave an instance: sums, counts and sketches of one day, never the jobs themselves."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Struct

from schemas.names import Count

RELATIVE_ERROR: Final = 0.01
"""How far a quantile of a sketch may be off."""

INDEX_MAX: Final = 1837
"""The bucket of 2^53, the largest number of the wire: no sketch has more buckets, so none ever has to drop any."""

CONTEXT_WORDS_MAX: Final = 8

Word = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,95}$(?!\n)",
        description="a kind of job, a model, a part of a context; `unknown`, or `other` for what stays at home",
    ),
]
Index = Annotated[int, Meta(ge=0, le=INDEX_MAX)]
Buckets = Annotated[tuple[tuple[Index, Count], ...], Meta(max_length=INDEX_MAX + 1)]


class Sketch(Struct, frozen=True, kw_only=True):
    """How numbers are spread, each quantile true to 1 %: a DDSketch (Masson, Rim, Lee, VLDB 2019).

    With g = 1.01 / 0.99, bucket `i` counts the numbers in (g^(i-1), g^i]; its numbers are taken for 2 g^i / (g + 1).
    Sketches of the same kind are added bucket by bucket.
    """

    zeros: Count = 0
    """Numbers below 1."""
    buckets: Buckets = ()
    """(index, count), by index, none empty."""


class ResultSums(Struct, frozen=True, kw_only=True):
    """Sums over results; what several instances say is added field by field."""

    results: Count
    succeeded: Count = 0
    failed: Count = 0
    """The rest is unlabelled: nobody has said yet whether it was right."""
    priced: Count = 0
    """Results whose cost is known."""
    cost_microcents: Count = 0
    cost: Sketch = Sketch()
    """Of the costs, in millionths of a cent."""
    metered: Count = 0
    """Results whose tokens are known; the five kinds do not overlap."""
    input_tokens: Count = 0
    output_tokens: Count = 0
    cache_read_tokens: Count = 0
    cache_write_tokens: Count = 0
    reasoning_tokens: Count = 0
    timed: Count = 0
    """Results whose duration is known."""
    latency_ms: Count = 0
    latency_ms_squared: Annotated[float, Meta(ge=0.0)] = 0.0
    """The sum of the squares, for the variance."""
    latency: Sketch = Sketch()
    """Of the durations, in milliseconds."""

    @property
    def unlabelled(self) -> int:
        """Results that neither succeeded nor failed as far as anybody knows."""
        return self.results - self.succeeded - self.failed
