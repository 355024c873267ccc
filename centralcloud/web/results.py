"""What the jobs of the fleet cost, how long they took and whether they worked; and what instances are told of it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.learning.confidence import wilson_interval
from centralcloud.store import prior_pages, result_totals
from centralcloud.store.result_totals import Sketched, Total, Wanted
from centralcloud.web.paging import cursor, read_cursor
from centralcloud.web.shapes.common import Interval, Listed, Spread
from centralcloud.web.shapes.work import (
    PriorItem,
    Priors,
    ResultsAsked,
    ResultsDay,
    ResultsOf,
    ResultsSummary,
    RoutingAsked,
)
from schemas.results import ResultSums, Sketch
from schemas.routing import RoutingPrior
from shared import sketch
from shared.results import merge

ITEMS_MAX: Final = 500
SKETCHES_MAX: Final = 20_000
"""Of so many sums quantiles can be made while somebody waits."""

_MICROCENTS: Final = 1_000_000
_MEDIAN: Final = 0.5
_HIGH: Final = 0.95

Key = tuple[str, str]
ALL: Final[Key] = ("", "")


async def summary(connection: AsyncConnection, query: ResultsAsked) -> ResultsSummary:
    """Add up every kind of job with every model, everything, and every day."""
    wanted = _wanted(query)
    found = await result_totals.summary(connection, wanted, ITEMS_MAX)
    sketches = await result_totals.sketches(connection, wanted, SKETCHES_MAX)
    merged = await asyncio.to_thread(_merged, sketches or (), lambda one: [(one.job_type, one.model), ALL])
    return ResultsSummary(
        first=wanted.first,
        last=wanted.last,
        total=_shown(found.total, merged.get(ALL)) if found.total else _nothing(),
        items=[_shown(one, merged.get((one.job_type, one.model))) for one in found.items],
        days=[
            ResultsDay(
                day=one.day,
                results=one.results,
                succeeded=one.succeeded,
                failed=one.failed,
                cost_cents=cents(one.cost_microcents) if one.priced else None,
            )
            for one in found.days
        ],
        quantiles=sketches is not None,
    )


async def models(connection: AsyncConnection, query: ResultsAsked) -> Listed[ResultsOf]:
    """Add up by model, all kinds of jobs together."""
    wanted = _wanted(query)
    found = await result_totals.by_model(connection, wanted, ITEMS_MAX)
    sketches = await result_totals.sketches(connection, wanted, SKETCHES_MAX)
    merged = await asyncio.to_thread(_merged, sketches or (), lambda one: [("", one.model)])
    return Listed(items=[_shown(one, merged.get(("", one.model))) for one in found])


async def priors(connection: AsyncConnection, query: RoutingAsked) -> Priors:
    """List what instances are told."""
    after = read_cursor(query.after, tuple[int, int]) or prior_pages.BEGINNING
    told = await prior_pages.listed(
        connection,
        query.tenant,
        query.job_type,
        query.model,
        limit=query.limit + 1,
        after=after,
    )
    shown = told.priors[: query.limit]
    more = len(told.priors) > query.limit
    return Priors(
        items=[_prior(one) for _, one in shown],
        next=cursor(*shown[-1][0]) if more else None,
        day=told.day,
        digest=told.digest,
    )


def cents(microcents: int) -> float:
    """Of millionths of a cent."""
    return microcents / _MICROCENTS


def interval(positive: float, total: float) -> Interval | None:
    """A share with its bounds; None of nothing."""
    if total <= 0:
        return None
    lower, upper = wilson_interval(positive, total)
    return Interval(value=min(1.0, positive / total), lower=lower, upper=upper)


def _wanted(query: ResultsAsked) -> Wanted:
    """Take days in UTC; somebody's clock is always ahead."""
    today = datetime.now(UTC).date()
    return Wanted(
        tenant=query.tenant,
        first=today - timedelta(days=query.days - 1),
        last=today + timedelta(days=1),
        job_type=query.job_type,
        model=query.model,
        instance=query.instance,
    )


def _merged(sketches: Sequence[Sketched], keys: Callable[[Sketched], list[Key]]) -> dict[Key, ResultSums]:
    groups: defaultdict[Key, list[ResultSums]] = defaultdict(list)
    for one in sketches:
        for key in keys(one):
            groups[key].append(one.sums)
    return {key: merge(group) for key, group in groups.items()}


def _shown(total: Total, sketched: ResultSums | None) -> ResultsOf:
    sums = sketched or ResultSums(results=0)
    all_priced = total.priced == total.results and total.succeeded
    return ResultsOf(
        job_type=total.job_type,
        model=total.model,
        instances=total.instances,
        results=total.results,
        succeeded=total.succeeded,
        failed=total.failed,
        unlabelled=max(0, total.results - total.succeeded - total.failed),
        success=interval(total.succeeded, total.succeeded + total.failed),
        cost_cents=cents(total.cost_microcents) if total.priced else None,
        cost=_spread(total.priced, total.cost_microcents, sums.cost, _MICROCENTS),
        cost_per_success_cents=cents(total.cost_microcents) / total.succeeded if all_priced else None,
        latency=_spread(total.timed, total.latency_ms, sums.latency, 1),
        tokens={
            "input": total.input_tokens,
            "output": total.output_tokens,
            "cache_read": total.cache_read_tokens,
            "cache_write": total.cache_write_tokens,
            "reasoning": total.reasoning_tokens,
        },
        metered=total.metered,
    )


def _nothing() -> ResultsOf:
    counts: dict[str, int] = dict.fromkeys(result_totals.COUNTS, 0)
    return _shown(Total(job_type="", model="", instances=0, **counts), None)


def _spread(known: int, total: int, found: Sketch, units: int) -> Spread:
    """Say how numbers are spread; a sketch that does not hold all of them says nothing."""
    if not known:
        return Spread(known=0)
    whole = sketch.size(found) == known
    p50, p95 = (sketch.quantile(found, q) if whole else None for q in (_MEDIAN, _HIGH))
    return Spread(
        known=known,
        mean=total / known / units,
        p50=None if p50 is None else p50 / units,
        p95=None if p95 is None else p95 / units,
    )


def _prior(told: RoutingPrior) -> PriorItem:
    sums = told.sums
    return PriorItem(
        job_type=told.job_type,
        model=told.model,
        context=told.context,
        instances=told.instances,
        results=sums.results,
        succeeded=sums.succeeded,
        failed=sums.failed,
        success=interval(told.weight * sums.succeeded, told.weight * (sums.succeeded + sums.failed)),
        cost_cents=cents(sums.cost_microcents) / sums.priced if sums.priced else None,
        latency_ms=sums.latency_ms / sums.timed if sums.timed else None,
        weight=told.weight,
    )
