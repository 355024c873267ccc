"""The fleet: overview, charts, and instances, "who is learning what"."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from centralcloud.web.shapes.common import Asked, PageAsked, SearchText
from schemas.names import Count, Name, Share

SeriesName = Literal["learned", "insights", "applied", "instances", "patterns", "known_insights", "waiting", "letters"]
SeriesSeconds = Annotated[int, Meta(ge=60, le=7 * 86_400)]
Points = Annotated[int, Meta(ge=2, le=1_000)]


class OverviewAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/overview."""


class Rates(Struct, frozen=True, kw_only=True):
    """Per minute, over the last minute or a little more; null until there are two measurements (30 s apart)."""

    seconds: float | None = None
    """What they are measured over."""
    events: float | None = None
    """Events of instances that were taken in."""
    insights: float | None = None
    """New versions of insights, withdrawals included."""
    applied: float | None = None
    """Changes of insights that instances applied, summed over the instances."""


class Adoption(Struct, frozen=True, kw_only=True):
    """Whether what is known arrives everywhere. Instances tell how far they are with each heartbeat (5 s)."""

    instances: Count
    """Instances that are not offline."""
    up_to_date: Count
    """Those of them that have applied the newest insight."""
    share: Share | None = None
    """null without instances."""
    p50_seconds: float | None = None
    """From learning to use: from the commit of the last observation behind an insight until an instance is heard to
    have applied it; over the newest such insight of each instance of the last day. null: nobody applied any."""
    p95_seconds: float | None = None


class LeaderNow(Struct, frozen=True, kw_only=True):
    """The hub that leads."""

    candidate: str
    hostname: str
    pid: int
    epoch: int
    since: datetime
    remaining_seconds: float
    """So long its lease lasts without being renewed."""


class Overview(Struct, frozen=True, kw_only=True):
    """Everything of the first page but its charts and its feed."""

    at: datetime
    tenant: str
    instances: dict[str, Count]
    """How many by status: online, suspect, inactive, offline, paused, draining; those with none are left out."""
    known_instances: Count
    quarantined: Count
    """By an operator."""
    set_aside: Count
    """By their own contradiction to the others: their word does not count."""
    patterns: Count | None
    """Distinct patterns somebody has now, as last counted; null: not counted yet."""
    repositories: Count | None
    observations: Count | None
    counted_at: datetime | None
    """When those three were counted: every 30 s, less often where counting takes long."""
    insights: Count
    """Active ones."""
    insight_version: Count
    """The newest; it grows by one with each change of any."""
    waiting: Count
    """Patterns to be merged at the next aggregation."""
    accepted: Count
    """Words of people for insights."""
    rejected: Count
    dead_letters: Count
    """Not applied yet. With the token of a tenant: its own."""
    rates: Rates
    adoption: Adoption
    leader: LeaderNow | None
    last_activity: str | None
    """The newest id of the feed: /api/v1/events?after=... goes on from here."""


class SeriesAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/series."""

    name: SeriesName
    seconds: SeriesSeconds = 3_600
    """How far back."""
    points: Points = 120
    """At most so many; each is the mean of its step."""


class Series(Struct, frozen=True, kw_only=True):
    """A time series for a chart, oldest first. A step nobody measured has null: the line has a gap there.

    `learned` (events), `insights` (changes) and `applied` are rates per minute; `instances` (not offline),
    `patterns`, `known_insights` (active ones), `waiting` (patterns to merge) and `letters` (dead ones) are counts.
    """

    name: str
    unit: Literal["per minute", "count"]
    step_seconds: float
    times: list[int]
    """Unix seconds at the beginning of each step."""
    values: list[float | None]


class InstancesAsked(PageAsked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/instances, by name."""

    status: SearchText = ""
    """Only those with one of these, comma-separated."""
    q: SearchText = ""
    """Only those whose name, host, role or region contains it."""


class InstanceItem(Struct, frozen=True, kw_only=True):
    """One instance, in the words of the registry."""

    instance_id: str
    status: str
    """online, paused or draining as it says; suspect after 30 s of silence, inactive after 60 s, offline after 300 s or
    when it said goodbye."""
    load: Count
    """Jobs it runs now."""
    last_heartbeat: datetime
    seconds_since_heartbeat: float
    started_at: datetime | None
    hostname: str
    pid: Count
    role: str
    region: str
    version: str
    capabilities: list[str]
    codebases: Count | None
    """Repositories it has studied; this and what follows as it last reported, null: it never did."""
    languages: dict[str, Count] | None
    """Files by language."""
    files: Count | None
    patterns: Count | None
    insights_applied: Count | None
    reported_at: datetime | None
    learned: Count
    """Events it has numbered in this epoch."""
    confirmed: Count
    """Of those, it knows to be here."""
    lag: Count
    """Events that are on their way or wait on its disk."""
    insight_version: Count
    insight_lag: Count
    """Changes of insights it has not applied yet."""
    applied_at: datetime | None
    """When it was last heard to have applied some."""
    trust: Share
    """How much of its word counts; 0: set aside."""
    quarantined: bool
    reason: str
    """Why it is in quarantine or not wholly believed; else empty."""


class InstanceAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/instances/{instance}."""

    instance: Name


class KnownOfKind(Struct, frozen=True, kw_only=True):
    """How many patterns of one kind and language an instance has now."""

    kind: str
    language: str
    patterns: Count
    files: Count
    """Summed over the patterns: a file may be in several."""
    shared: Count
    """Those that are insights."""


class LearnedPattern(Struct, frozen=True, kw_only=True):
    """A pattern an instance has, in short."""

    fingerprint: str
    kind: str
    language: str
    name: str
    view: str
    template: str | None
    files: Count
    first_received_at: datetime


class Lineage(Struct, frozen=True, kw_only=True):
    """One epoch of an instance: a count of its events from 1, begun with its database or after it was cloned."""

    epoch: str
    received: Count
    """Every event up to here is in the database."""
    durable: Count
    """Up to here also in a backup that was verified."""
    forked: bool
    """Others spoke under the same numbers: it was cloned or restored."""
    updated_at: datetime


class Opinions(Struct, frozen=True, kw_only=True):
    """What the people of an instance said of insights."""

    accepted: Count
    rejected: Count
    withdrawn: Count


class WorkDone(Struct, frozen=True, kw_only=True):
    """What its jobs came to in the last 30 days."""

    results: Count
    succeeded: Count
    failed: Count
    cost_cents: float | None
    """Of those whose cost is known; null: of none."""


class InstanceDetail(Struct, frozen=True, kw_only=True):
    """One instance in full."""

    instance: InstanceItem
    known: list[KnownOfKind]
    """Most patterns first."""
    newest: list[LearnedPattern]
    """What it learned last, at most 20."""
    lineages: list[Lineage]
    """Newest first."""
    opinions: Opinions
    work: WorkDone


class TimelineAsked(PageAsked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/instances/{instance}/timeline."""

    instance: Name


class ActivityAsked(PageAsked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/activity, newest first."""

    kinds: SearchText = ""
    """Only these, comma-separated."""


class ActivityItem(Struct, frozen=True, kw_only=True):
    """Something that happened; kept for seven days, at most 50,000 of them. A field of `data` that is missing is null.

    `data` by `kind`: learned {events, patterns, forgotten, results, opinions}, counts of one batch; insight {changed,
    revoked, version, id and state when it is one}; instance {status, was, quarantined}; leader {hostname, pid, epoch,
    ended when its time is over}; dead_letter {letters}; job {id, kind, queue, state}; schedule {name, failed, seconds}
    (those that run all the time only when they fail).
    """

    id: str
    at: datetime
    kind: str
    instance: str | None
    data: dict[str, Any]
