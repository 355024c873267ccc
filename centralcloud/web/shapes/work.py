"""Jobs, queues and schedules of centralcloud, and what the jobs of the fleet came to."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from centralcloud.web.shapes.common import Asked, Interval, PageAsked, RowId, SearchText, Spread
from schemas.names import Count, Share
from shared.jobs.outcome import State

Ids = Annotated[list[RowId], Meta(min_length=1, max_length=1_000)]
Days = Annotated[int, Meta(ge=1, le=90)]


class JobsAsked(PageAsked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/jobs, newest first; of centralcloud's own queue, whatever the tenant."""

    state: SearchText = ""
    """available, scheduled, executing, retryable, completed, discarded, cancelled; several comma-separated."""
    queue: SearchText = ""
    kind: SearchText = ""


class JobItem(Struct, frozen=True, kw_only=True):
    """One job."""

    id: int
    state: State
    queue: str
    kind: str
    attempt: Count
    attempts_max: Count
    priority: Count
    tags: list[str]
    progress: Any
    """As the job tells it; null: it does not."""
    last_error: str | None
    worker: str | None
    """Who has or had its last attempt."""
    inserted_at: datetime
    scheduled_at: datetime
    attempted_at: datetime | None
    finished_at: datetime | None
    took_seconds: float | None
    """Its last attempt; null while it has not ended."""


class JobAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/jobs/{id}."""

    id: RowId


class JobDetail(Struct, frozen=True, kw_only=True):
    """One job in full."""

    job: JobItem
    args: Any
    result: Any
    meta: dict[str, Any]
    errors: list[dict[str, Any]]
    """Failed attempts: {attempt, type, error, traceback?, at}."""
    unique_key: str | None
    idempotency_key: str | None


class JobsChosen(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /api/v1/jobs/retry and /cancel."""

    ids: Ids


class QueuesAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/queues."""


class QueueItem(Struct, frozen=True, kw_only=True):
    """One queue."""

    name: str
    limit_per_worker: Count
    paused: bool
    jobs: dict[str, Count]
    """How many by state; those with none are left out."""
    oldest_waiting_seconds: float | None
    """So long the job that is due longest has waited; null: none is due."""


class QueueAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /api/v1/queues/{queue}/pause and /resume."""

    queue: SearchText


class QueueScaled(QueueAsked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /api/v1/queues/{queue}/scale."""

    limit: Annotated[int, Meta(ge=0, le=1_000)]
    """Jobs each worker runs at once."""


class SchedulesAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/schedules."""


class ScheduleItem(Struct, frozen=True, kw_only=True):
    """One schedule of centralcloud."""

    name: str
    when: str | None
    """Seconds, a cron line in UTC, or "on demand"; null: only the hub that leads knows."""
    enabled: bool
    last_run: datetime | None
    took_seconds: float | None
    """null while it runs."""
    next_run: datetime | None
    last_error: str | None
    runs: Count
    fired_by: str | None
    is_wanted: bool
    """A run was asked for that nobody has taken yet."""


class ScheduleAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /api/v1/schedules/{name}/run, /enable and /disable."""

    name: SearchText


class ResultsAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/results/summary and /models."""

    days: Days = 30
    """Today and the days before, in UTC."""
    job_type: SearchText = ""
    model: SearchText = ""
    instance: SearchText = ""


class ResultsOf(Struct, frozen=True, kw_only=True):
    """What jobs of one kind with one model came to; of /models: of all kinds, `job_type` is empty.

    Instances that are set aside or in quarantine are left out.
    """

    job_type: str
    model: str
    instances: Count
    results: Count
    succeeded: Count
    failed: Count
    unlabelled: Count
    """Nobody has said yet whether they were right."""
    success: Interval | None
    """Of the labelled; null: of none."""
    cost_cents: float | None
    """The sum, of those whose cost is known; null: of none."""
    cost: Spread
    """Cents per result."""
    cost_per_success_cents: float | None
    """Null unless every result is priced and one succeeded: what is not known may be the dearest."""
    latency: Spread
    """Milliseconds per result."""
    tokens: dict[str, Count]
    """input, output, cache_read, cache_write, reasoning: they do not overlap."""
    metered: Count
    """Results whose tokens are known."""


class ResultsDay(Struct, frozen=True, kw_only=True):
    """All results of one day."""

    day: date
    results: Count
    succeeded: Count
    failed: Count
    cost_cents: float | None


class ResultsSummary(Struct, frozen=True, kw_only=True):
    """Every kind of job with every model."""

    first: date
    last: date
    total: ResultsOf
    """Of everything; job_type and model are empty."""
    items: list[ResultsOf]
    """At most 500, most results first."""
    days: list[ResultsDay]
    """Oldest first; a day without results is left out."""
    quantiles: bool
    """False: there are too many sums to make p50 and p95 of, all of them are null."""


class RoutingAsked(PageAsked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/results/routing."""

    job_type: SearchText = ""
    model: SearchText = ""


class PriorItem(Struct, frozen=True, kw_only=True):
    """What instances are told of one kind of job with one model: a prior for their own evidence, never a verdict."""

    job_type: str
    model: str
    context: dict[str, str]
    instances: Count
    results: Count
    """Discounted by age, bounded per instance."""
    succeeded: Count
    failed: Count
    success: Interval | None
    cost_cents: float | None
    """Mean; null: unknown."""
    latency_ms: float | None
    """Mean; null: unknown."""
    weight: Share
    """Each of the results counts as so much of one: the more instances differ, the less."""


class Priors(Struct, frozen=True, kw_only=True):
    """The priors the fleet has now, by kind of job and model."""

    items: list[PriorItem]
    next: str | None
    day: date | None
    """To which they are discounted; null: there are none yet."""
    digest: str | None
