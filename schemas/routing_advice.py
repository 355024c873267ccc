"""Asking an instance which models to try on a task, and what it advises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from msgspec import Meta, Struct

from schemas.names import Count, Share, Timestamp
from schemas.results import CONTEXT_WORDS_MAX

MODELS_MAX: Final = 100

Said = Annotated[str, Meta(pattern=r"^[^\x00-\x1f]{1,200}$(?!\n)")]
"""What does not look like a name counts as `other`, as it does in results."""

Plan = Annotated[tuple[str, ...], Meta(max_length=MODELS_MAX)]
"""Models in the order they are tried, each after a verifier rejected the one before."""

Models = Annotated[tuple[Said, ...], Meta(max_length=MODELS_MAX)]


class RouteQuery(Struct, frozen=True, kw_only=True):
    """Ask which models to try on a task; what is left out is as the settings of the instance say."""

    job_type: Said
    """The kind of job, as results have it."""
    context: Annotated[dict[Said, Said], Meta(max_length=CONTEXT_WORDS_MAX)] = {}
    """Any of `task`, `language`, `size` and `complexity`."""
    verifier: Said | None = None
    """What judges an attempt at once; without one a plan is a single model."""
    incumbent: Models = ()
    """What would be used without advice."""
    pinned: Models | None = None
    """Always these, whatever is known; empty: nothing is, whatever the settings say."""
    forbidden: Models = ()
    """Never these, beside those of the settings."""
    success_min: Share | None = None
    latency_seconds_max: Annotated[float, Meta(ge=0.001)] | None = None
    """In 95 of 100 cases it shall not take longer."""
    exploration: Share | None = None
    """Share of choices that may try something else than what is expected to be best."""


class Range(Struct, frozen=True):
    """What is expected, and where it is with 95 % probability."""

    low: float
    expected: float
    high: float


class Expectation(Struct, frozen=True, kw_only=True):
    """What is expected of a plan; null is unknown, never 0."""

    plan: Plan
    success: Range
    cost_cents: Range | None
    latency_ms: Range | None
    latency_ms_p95: float | None
    propensity: Share
    """How likely it was to be chosen."""


class Gain(Struct, frozen=True, kw_only=True):
    """What the plan is expected to gain on each job over the incumbent."""

    saved_cents: Range | None
    success: Range


class Advice(Struct, frozen=True, kw_only=True):
    """Which models to try, in this order, each after the verifier rejected the one before."""

    id: Count
    """Of the record; recorded with a result as context `route`, it says what became of the advice."""
    at: Timestamp
    job_type: str
    context: Mapping[str, str]
    verifier: str | None
    plan: Plan
    reason: str
    propensity: Share
    """How likely this plan was to be chosen."""
    seed: Count | None
    held_out: bool | None
    """Whether the lot fell on the incumbent, so that advice can be measured against it; null: no lot was drawn."""
    expected: Expectation | None
    """Null where nothing is known or nothing was to be chosen."""
    against_incumbent: Gain | None
    alternatives: tuple[Expectation, ...]
