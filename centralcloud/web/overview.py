"""The first page: how the fleet stands, how fast it learns, and charts of both."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from math import floor
from typing import Final, Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.store import activity, feedback, instance_pages, samples
from centralcloud.store.samples import Sample, Step
from centralcloud.web.shapes.fleet import Adoption, Overview, OverviewAsked, Rates, Series, SeriesAsked
from centralcloud.web.standing import leader_now

MEASURED_SECONDS: Final = 25.0
"""Rates are measured over at least so long: samples are taken every half minute."""

_MINUTE: Final = 60.0
_GROWING: Final = frozenset({"learned", "insights", "applied"})
_FINEST_SECONDS: Final = 30.0


async def overview(connection: AsyncConnection, query: OverviewAsked) -> Overview:
    """Say how the fleet stands."""
    tenant = query.tenant
    now = await samples.measure(connection, tenant)
    counted = await samples.last_count(connection, tenant)
    instances = await instance_pages.counts(connection, tenant)
    quarantined, set_aside = await instance_pages.disbelieved(connection, tenant)
    accepted, rejected = await feedback.totals(connection, tenant)
    last_place = await activity.last_place(connection)
    return Overview(
        at=now.at,
        tenant=tenant,
        instances=instances,
        known_instances=sum(instances.values()),
        quarantined=quarantined,
        set_aside=set_aside,
        patterns=counted.patterns.total if counted else None,
        repositories=counted.repositories if counted else None,
        observations=counted.observations if counted else None,
        counted_at=counted.timestamp if counted else None,
        insights=now.known_insights,
        insight_version=now.insight_version,
        waiting=now.waiting,
        accepted=accepted,
        rejected=rejected,
        dead_letters=now.letters,
        rates=rates(await samples.before(connection, tenant, MEASURED_SECONDS), now),
        adoption=await _adoption(connection, tenant, now.insight_version),
        leader=await leader_now(connection),
        last_activity=str(last_place) if last_place else None,
    )


async def series(connection: AsyncConnection, query: SeriesAsked) -> Series:
    """Give one chart."""
    step = max(_FINEST_SECONDS, query.seconds / query.points)
    found = await samples.steps(connection, query.tenant, query.name, query.seconds, step)
    end = await samples.clock(connection)
    begins = [floor((end - query.seconds) / step) + 1 + number for number in range(floor(query.seconds / step) + 1)]
    times = [floor(begin * step) for begin in begins if begin * step <= end]
    grows = query.name in _GROWING
    values = _growth(found) if grows else {one.begin: one.mean for one in found}
    unit: Literal["per minute", "count"] = "per minute" if grows else "count"
    return Series(
        name=query.name, unit=unit, step_seconds=step, times=times, values=[values.get(time) for time in times]
    )


def rates(before: Sample | None, now: Sample) -> Rates:
    """Measure per minute what has grown between two samples; null where it has not grown but shrunk."""
    seconds = (now.at - before.at).total_seconds() if before else 0.0
    if before is None or seconds <= 0:
        return Rates()
    return Rates(
        seconds=round(seconds, 1),
        events=_per_minute(now.events - before.events, seconds),
        insights=_per_minute(now.insight_version - before.insight_version, seconds),
        applied=_per_minute(now.applied - before.applied, seconds),
    )


def _growth(steps: list[Step]) -> dict[int, float | None]:
    """Growth per minute from the last sample before a step to its own last one, by its beginning."""
    return {
        later.begin: _per_minute(later.highest - earlier.highest, _seconds(earlier.last, later.last))
        for earlier, later in pairwise(steps)
        if later.highest is not None and earlier.highest is not None
    }


def _per_minute(growth: int, seconds: float) -> float | None:
    """None when it shrank: an instance was forgotten, or a database restored."""
    return round(_MINUTE * growth / seconds, 2) if growth >= 0 and seconds > 0 else None


def _seconds(earlier: datetime, later: datetime) -> float:
    return (later - earlier).total_seconds()


async def _adoption(connection: AsyncConnection, tenant: str, head: int) -> Adoption:
    found = await instance_pages.adoption(connection, tenant, head)
    return Adoption(
        instances=found.instances,
        up_to_date=found.up_to_date,
        share=found.up_to_date / found.instances if found.instances else None,
        p50_seconds=found.p50_seconds,
        p95_seconds=found.p95_seconds,
    )
