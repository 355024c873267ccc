"""What can be asked of an instance."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from instance import routing
from instance.config import SCHEDULES, InstanceSettings
from instance.learning.labels.summary import Line, Seen, summary
from instance.learning.routing.offpolicy import Refusal
from instance.learning.routing.outlook import Interval
from instance.store import insights, result_history
from instance.web.shapes import (
    Estimate,
    HeldInsight,
    InsightsAsked,
    Job,
    JobsAsked,
    Listed,
    Queue,
    ResultLine,
    ResultsSummed,
    Schedule,
    SummaryAsked,
)
from schemas.routing_advice import Advice, RouteQuery
from shared import fires
from shared.fires import Shown
from shared.jobs import listing, queues
from shared.jobs.listing import JobRow
from shared.web.endpoint import Access, Endpoint, Nothing, reading, writing

CHOSEN_BY: Final = "http"
RESULTS_MAX: Final = 20_000
"""So many of the latest results are summed up."""


def endpoints(engine: AsyncEngine, settings: InstanceSettings) -> list[Endpoint]:
    """The table of what an instance answers."""

    async def schedules(connection: AsyncConnection, _query: Nothing) -> Listed[Schedule]:
        return Listed(items=_schedules(settings, await fires.shown(connection)))

    async def route(connection: AsyncConnection, query: RouteQuery) -> Advice:
        return await routing.answer(connection, settings, query, by=CHOSEN_BY)

    return [
        Endpoint("GET", "/api/v1/jobs", JobsAsked, reading(engine, _jobs), Listed[Job], "Jobs, newest first."),
        Endpoint("GET", "/api/v1/queues", Nothing, reading(engine, _queues), Listed[Queue], "Queues and their jobs."),
        Endpoint("GET", "/api/v1/schedules", Nothing, reading(engine, schedules), Listed[Schedule], "What runs when."),
        Endpoint(
            "GET", "/api/v1/insights", InsightsAsked, reading(engine, _insights), Listed[HeldInsight],
            "What the fleet knows, the most widely held first.",
        ),
        Endpoint(
            "GET", "/api/v1/results/summary", SummaryAsked, reading(engine, _summed), ResultsSummed,
            "What results say of each kind of work and model.",
        ),
        Endpoint(
            "POST", "/api/v1/route", RouteQuery, writing(engine, route), Advice,
            "Which models to try on a task; what was advised is written down.", access=Access.WRITE,
        ),
    ]  # fmt: skip


async def _jobs(connection: AsyncConnection, query: JobsAsked) -> Listed[Job]:
    rows = await listing.list_jobs(
        connection,
        states=query.state or None,
        queue=query.queue,
        kind=query.kind,
        limit=query.limit,
        before=query.after,
    )
    following = str(rows[-1].id) if len(rows) == query.limit else None
    return Listed(items=[_job(row) for row in rows], next=following)


def _job(row: JobRow) -> Job:
    return Job(
        id=row.id,
        state=row.state,
        queue=row.queue,
        kind=row.kind,
        attempt=row.attempt,
        attempts_max=row.attempts_max,
        priority=row.priority,
        args=row.args,
        result=row.result,
        last_error=str(row.errors[-1].get("error", "")) if row.errors else None,
        worker=row.worker,
        inserted_at=row.inserted_at,
        scheduled_at=row.scheduled_at,
        attempted_at=row.attempted_at,
        finished_at=row.finished_at,
    )


async def _queues(connection: AsyncConnection, _query: Nothing) -> Listed[Queue]:
    counted = await listing.counts(connection)
    return Listed(
        items=[
            Queue(
                name=row.name,
                limit_per_worker=row.limit_per_worker,
                paused=row.paused,
                jobs=counted.get(row.name, {}),
            )
            for row in await queues.queues(connection)
        ]
    )


def _schedules(settings: InstanceSettings, known: Sequence[Shown]) -> list[Schedule]:
    times = {name: "off" if seconds is None else f"{seconds:g}" for name, seconds in SCHEDULES.items()}
    times |= settings.schedules
    happened = {one.name: one for one in known}
    return [_schedule(name, times.get(name), happened.get(name)) for name in sorted(times.keys() | happened.keys())]


def _schedule(name: str, when: str | None, happened: Shown | None) -> Schedule:
    took = happened.took_seconds if happened is not None else None
    return Schedule(
        name=name,
        when="on demand" if when == "off" else when,
        enabled=happened is None or happened.enabled,
        last_run=happened.last_run if happened else None,
        took_seconds=took if took is not None and took >= 0 else None,
        next_run=happened.next_run if happened and happened.enabled else None,
        last_error=happened.last_error if happened else None,
        runs=happened.runs if happened else 0,
    )


async def _insights(connection: AsyncConnection, query: InsightsAsked) -> Listed[HeldInsight]:
    held = await insights.active(
        connection,
        limit=query.limit,
        language=query.language,
        words=query.search,
        include_undone=query.undone,
    )
    return Listed(
        items=[HeldInsight(insight=one.insight, undone=one.undone, applied_at=one.applied_at) for one in held]
    )


async def _summed(connection: AsyncConnection, query: SummaryAsked) -> ResultsSummed:
    happened = await result_history.happened(
        connection, days=query.days, job_type=query.job_type, limit=RESULTS_MAX + 1
    )
    seen = [Seen(*one) for one in happened[:RESULTS_MAX]]
    lines = await asyncio.to_thread(summary, seen, query.by)
    return ResultsSummed(
        lines=[_line(line) for line in lines], results=len(seen), complete=len(happened) <= RESULTS_MAX
    )


def _line(line: Line) -> ResultLine:
    return ResultLine(
        key=line.key,
        results=line.results,
        labelled=line.labelled,
        succeeded=line.succeeded,
        priced=line.priced,
        cost_cents=line.cost_cents,
        tokens=line.tokens,
        success=_estimate(line.success),
        cents_per_result=_estimate(line.cents_per_result),
        cents_per_success=_estimate(line.cents_per_success),
        ms_p50=_estimate(line.ms_p50),
        ms_p95=_estimate(line.ms_p95),
    )


def _estimate(told: Interval | Refusal) -> Estimate:
    if isinstance(told, Refusal):
        return Estimate(reason=told.reason)
    low, expected, high = told
    return Estimate(low=low, expected=expected, high=high)
