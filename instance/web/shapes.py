"""What is asked of an instance over HTTP, and what it answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from msgspec import Meta, Struct

from instance.learning.labels.summary import By
from schemas.insights import Insight
from schemas.names import Count
from shared.jobs.outcome import State

T = TypeVar("T")

Limit = Annotated[int, Meta(ge=1, le=1_000)]
Words = Annotated[str, Meta(max_length=200)]


class Listed(Struct, Generic[T], frozen=True, kw_only=True):
    """A page of a list."""

    items: list[T]
    next: str | None = None
    """Give it as `after` for what follows; null: that was all."""


class JobsAsked(Struct, frozen=True, kw_only=True):
    """Which jobs, newest first."""

    limit: Limit = 50
    after: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None
    state: list[State] = []
    queue: Words | None = None
    kind: Words | None = None


class Job(Struct, frozen=True, kw_only=True):
    """A job on the queue of this instance."""

    id: int
    state: State
    queue: str
    kind: str
    attempt: Count
    attempts_max: Count
    priority: Count
    args: Any
    result: Any
    last_error: str | None
    worker: str | None
    """Who has or had its last attempt."""
    inserted_at: datetime
    scheduled_at: datetime
    attempted_at: datetime | None
    finished_at: datetime | None


class Queue(Struct, frozen=True, kw_only=True):
    """A queue; `jobs` says how many there are in each state, what there is none of is left out."""

    name: str
    limit_per_worker: Count
    paused: bool
    jobs: dict[State, Count]


class Schedule(Struct, frozen=True, kw_only=True):
    """What runs when: `when` is seconds, a line of cron in UTC, or "on demand"; null: not of this release."""

    name: str
    when: str | None
    enabled: bool
    last_run: datetime | None
    took_seconds: float | None
    """Null while it runs, or when it never has."""
    next_run: datetime | None
    last_error: str | None
    runs: Count


class InsightsAsked(Struct, frozen=True, kw_only=True):
    """Which insights, the most widely held first."""

    limit: Limit = 50
    language: Words | None = None
    search: Words | None = None
    """Words that stand in its template, name or kind."""
    undone: bool = False
    """Whether those that are not used here count, too."""


class HeldInsight(Struct, frozen=True, kw_only=True):
    """What the fleet knows, and whether it is used here."""

    insight: Insight
    undone: bool
    applied_at: datetime


class SummaryAsked(Struct, frozen=True, kw_only=True):
    """Which results: of so many days, of one kind; and what those of one line have in common."""

    days: Annotated[int, Meta(ge=1, le=36_500)] | None = None
    job_type: Words | None = None
    by: Annotated[tuple[By, ...], Meta(max_length=3)] = ("type", "model")


class Estimate(Struct, frozen=True, kw_only=True):
    """A number with its 95 % interval, or the reason why there is none."""

    low: float | None = None
    expected: float | None = None
    high: float | None = None
    reason: str | None = None


class ResultLine(Struct, frozen=True, kw_only=True):
    """What results of one kind have in common."""

    key: dict[By, str]
    results: Count
    labelled: Count
    """Of which is known whether they succeeded."""
    succeeded: Count
    priced: Count
    """That have a cost."""
    cost_cents: float
    tokens: Count
    success: Estimate
    cents_per_result: Estimate
    cents_per_success: Estimate
    ms_p50: Estimate
    ms_p95: Estimate


class ResultsSummed(Struct, frozen=True, kw_only=True):
    """Results summed up, the most first."""

    lines: list[ResultLine]
    results: Count
    """That were looked at, the latest."""
    complete: bool
    """Whether these were all there are."""
