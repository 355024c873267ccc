"""Every endpoint of the HTTP API of centralcloud: one row each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Final, NamedTuple

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from centralcloud.config import CentralcloudSettings
from centralcloud.store.tenancy import of_tenant
from centralcloud.web import bus as streams
from centralcloud.web import (
    insights,
    instances,
    jobs,
    overview,
    patterns,
    regions,
    results,
    sharing,
    standing,
    statistics,
)
from centralcloud.web.feed import Feed
from centralcloud.web.schedules import Timetable
from centralcloud.web.shapes import fleet, knowledge, system, work
from centralcloud.web.shapes.common import Done, Listed
from centralcloud.web.shapes.sharing import GivenAsked, SharedAsked, SharingAsked, SharingItem, TakenAsked
from schemas.insights import GlobalStatistics, Insight, Provenance
from schemas.region import RegionPage
from shared.bus import Bus
from shared.replica import Replica
from shared.web.endpoint import Access, Endpoint, Raw, reading, writing
from shared.web.nearby import changes_told, reading_nearby

V1: Final = "/api/v1"
LEAD_SECONDS_MAX: Final = 35.0
"""A change of the lead is waited for: 15 s until it is heeded, twice."""

Answer = Callable[[AsyncConnection, Any], Awaitable[Any]]
Reads = Callable[..., Callable[[Any], Awaitable[Any]]]
"""Makes of an `Answer`, and of what begins its transaction, an answer that reads."""


class Row(NamedTuple):
    """What is read, or changed, in one transaction."""

    path: str
    query: type[Struct]
    answer: Answer
    result: Any
    summary: str


READS: Final = (
    Row("/overview", fleet.OverviewAsked, overview.overview, fleet.Overview, "How the fleet stands."),
    Row(
        "/activity",
        fleet.ActivityAsked,
        instances.happenings,
        Listed[fleet.ActivityItem],
        "What happened, newest first.",
    ),
    Row("/instances", fleet.InstancesAsked, instances.instances, Listed[fleet.InstanceItem], "Who is learning what."),
    Row("/instances/{instance}", fleet.InstanceAsked, instances.instance, fleet.InstanceDetail, "One instance."),
    Row(
        "/instances/{instance}/timeline",
        fleet.TimelineAsked,
        instances.timeline,
        Listed[fleet.ActivityItem],
        "What happened with one instance, newest first.",
    ),
    Row("/patterns", knowledge.PatternsAsked, patterns.patterns, Listed[knowledge.PatternItem], "Patterns."),
    Row(
        "/patterns/{fingerprint}",
        knowledge.PatternAsked,
        patterns.pattern,
        knowledge.PatternDetail,
        "One pattern, and who has it.",
    ),
    Row("/insights", knowledge.InsightsAsked, insights.insights, Listed[knowledge.InsightItem], "Insights."),
    Row("/insights/{id}", knowledge.InsightAsked, insights.insight, knowledge.InsightDetail, "One insight."),
    Row("/insights/{id}/why", knowledge.WhyAsked, insights.why, Provenance, "Where an insight came from."),
    Row("/results/summary", work.ResultsAsked, results.summary, work.ResultsSummary, "What jobs came to."),
    Row("/results/models", work.ResultsAsked, results.models, Listed[work.ResultsOf], "The same by model."),
    Row("/results/routing", work.RoutingAsked, results.priors, work.Priors, "What instances are told of models."),
    Row("/statistics", system.StatisticsAsked, statistics.statistics, GlobalStatistics, "The fleet in numbers."),
)
"""Of what a tenant has: who has its token may ask, too, and the database gives no other's rows."""

SHARED: Final = (
    Row("/sharing", SharingAsked, sharing.offers, Listed[SharingItem], "What is offered by a tenant and to it."),
    Row(
        "/sharing/from/{owner}/insights",
        SharedAsked,
        sharing.insights,
        Listed[Insight],
        "Insights another tenant shares, last changed first.",
    ),
)
"""Between two tenants: answered as the one that asks, also to the operator."""

STANDING: Final = (
    Row("/series", fleet.SeriesAsked, overview.series, fleet.Series, "One chart."),
    Row("/jobs", work.JobsAsked, jobs.jobs, Listed[work.JobItem], "Jobs of centralcloud, newest first."),
    Row("/jobs/{id}", work.JobAsked, jobs.job, work.JobDetail, "One job."),
    Row("/queues", work.QueuesAsked, jobs.all_queues, Listed[work.QueueItem], "Queues of centralcloud."),
    Row("/dead-letters", system.LettersAsked, streams.letters, Listed[system.LetterItem], "What could not be read."),
    Row("/leader", system.LeaderAsked, standing.leader, system.LeaderStanding, "Who leads, and who could."),
    Row(
        "/leader/history",
        system.GrantsAsked,
        standing.leader_history,
        Listed[system.GrantItem],
        "Who led when, newest first.",
    ),
    Row("/locks", system.LocksAsked, standing.locks, Listed[system.LockItem], "Locks that are held."),
    Row(
        "/locks/history",
        system.GrantsAsked,
        standing.lock_history,
        Listed[system.GrantItem],
        "Who held which lock when, newest first.",
    ),
    Row("/workers", system.WorkersAsked, standing.processes, Listed[system.WorkerItem], "Processes of centralcloud."),
)
"""Of centralcloud itself, and of all that is on it."""

CHANGES: Final = (
    Row("/insights/{id}/revoke", knowledge.RevokeAsked, insights.revoke, knowledge.Revoked, "Take an insight back."),
    Row("/insights/{id}/restore", knowledge.RevokeAsked, insights.restore, knowledge.Revoked, "Give it free again."),
    Row("/sharing/to/{reader}/offer", GivenAsked, sharing.offer, Done, "Offer a tenant's insights to another."),
    Row("/sharing/to/{reader}/end", GivenAsked, sharing.end_giving, Done, "Share them no more."),
    Row("/sharing/from/{owner}/accept", TakenAsked, sharing.accept, Done, "Accept what another tenant offers."),
    Row("/sharing/from/{owner}/end", TakenAsked, sharing.end_taking, Done, "See it no more."),
)
"""Of what a tenant has."""

ORDERS: Final = (
    Row("/jobs/retry", work.JobsChosen, jobs.retry, Done, "Make jobs available at once."),
    Row("/jobs/cancel", work.JobsChosen, jobs.cancel, Done, "Cancel jobs that are not finished."),
    Row("/queues/{queue}/pause", work.QueueAsked, jobs.pause, Done, "Have no more jobs of a queue begun."),
    Row("/queues/{queue}/resume", work.QueueAsked, jobs.resume, Done, "Go on with a queue."),
    Row("/queues/{queue}/scale", work.QueueScaled, jobs.scale, Done, "Let workers run so many of its jobs at once."),
    Row("/dead-letters/replay", system.ReplayAsked, jobs.replay, system.Enqueued, "Try all dead letters again."),
)
"""To centralcloud itself."""


def endpoints(
    engine: AsyncEngine, bus: Bus, settings: CentralcloudSettings, feed: Feed, replica: Replica | None = None
) -> list[Endpoint | Raw]:
    """Give the whole table, on a database and a bus; what is only read is read from a replica where there is one."""
    reads: Reads = partial(reading, engine) if replica is None else partial(reading_nearby, replica)
    table = Timetable(settings)
    orders = (
        *ORDERS,
        Row("/schedules/{name}/run", work.ScheduleAsked, table.run, Done, "Have a schedule run now."),
        Row("/schedules/{name}/enable", work.ScheduleAsked, table.enable, Done, "Let a schedule run by itself."),
        Row("/schedules/{name}/disable", work.ScheduleAsked, table.disable, Done, "Have it run only when asked."),
    )
    schedules = Row("/schedules", work.SchedulesAsked, table.listed, Listed[work.ScheduleItem], "What runs when.")
    region = regions.region(settings.region)
    belonging = Row("/region", system.RegionAsked, region, RegionPage, "Where a tenant belongs.")
    made: list[Endpoint | Raw] = [
        *(_read(reads, row, of_tenants=True) for row in (*READS, belonging)),
        *(_read_as_tenant(engine, row) for row in SHARED),
        *(_read(reads, row, of_tenants=False) for row in (*STANDING, schedules)),
        *(_change(engine, row, of_tenants=True) for row in CHANGES),
        *(_change(engine, row, of_tenants=False) for row in orders),
        Endpoint(
            "GET", f"{V1}/streams", system.StreamsAsked, streams.streams(bus), system.Streams, "Streams of the bus."
        ),
        feed.endpoint(),
        _lead("stop", system.StopAsked, standing.stop(engine), "Have the leader let others lead."),
        _lead("promote", system.PromoteAsked, standing.promote(engine), "Have a candidate lead."),
    ]
    return made if replica is None else [changes_told(replica, one) for one in made]


def _read(reads: Reads, row: Row, *, of_tenants: bool) -> Endpoint:
    answer, bound = reads(row.answer), reads(row.answer, _of_tenant)
    tenant_answer = bound if of_tenants else None
    return Endpoint("GET", V1 + row.path, row.query, answer, row.result, row.summary, tenant_answer=tenant_answer)


def _read_as_tenant(engine: AsyncEngine, row: Row) -> Endpoint:
    """Never from a replica: what is shared no more must not be seen for a while yet."""
    answer = reading(engine, row.answer, _of_tenant)
    return Endpoint("GET", V1 + row.path, row.query, answer, row.result, row.summary, tenant_answer=answer)


def _change(engine: AsyncEngine, row: Row, *, of_tenants: bool) -> Endpoint:
    answer, bound = writing(engine, row.answer), writing(engine, row.answer, _of_tenant)
    return Endpoint(
        "POST",
        V1 + row.path,
        row.query,
        answer,
        row.result,
        row.summary,
        access=Access.WRITE,
        tenant_answer=bound if of_tenants else None,
    )


def _of_tenant(engine: AsyncEngine, query: Any) -> AbstractAsyncContextManager[AsyncConnection]:
    return of_tenant(engine, query.tenant)


def _lead(name: str, query: type[Struct], answer: Callable[[Any], Awaitable[Any]], summary: str) -> Endpoint:
    return Endpoint(
        "POST",
        f"/admin/orchestrator/{name}",
        query,
        answer,
        system.LeaderStanding,
        summary,
        access=Access.WRITE,
        seconds_max=LEAD_SECONDS_MAX,
    )
