"""What the commands that sum up and compare results do in the database of an instance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct

from instance.cli.target import open_target, resolve_settings
from instance.learning.labels.offers import Offer, offers
from instance.learning.labels.repricing import repriced
from instance.learning.labels.summary import By, Line, Seen, summary
from instance.learning.prices import prices
from instance.learning.routing.offpolicy import Refusal
from instance.learning.routing.outlook import Interval
from instance.store import result_history
from shared.database import transaction

_MS: Final = 1000


class Measured(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An estimate with its 95 % interval, or the reason why there is none."""

    low: float | None = None
    expected: float | None = None
    high: float | None = None
    reason: str | None = None


class SummaryRow(Struct, frozen=True, kw_only=True):
    """What results of one kind have in common."""

    key: dict[By, str]
    results: int
    labelled: int
    succeeded: int
    priced: int
    """That have a cost."""
    cost_cents: float
    tokens: int
    success: Measured
    cents_per_result: Measured
    cents_per_success: Measured
    seconds_p50: Measured
    seconds_p95: Measured


class OfferRow(Struct, frozen=True, kw_only=True):
    """What would have changed, had all work of a kind been done by one plan."""

    job_type: str
    plan: Sequence[str]
    """Models in the order they are tried; empty: whatever was advised, against what was held out."""
    saved_cents: Measured
    """Per job."""
    success: Measured
    """Change of the share that succeeded."""
    jobs: int | None = None
    """That the estimate is about."""
    covered: float | None = None
    """Their share of those with a cost and a label."""
    days: int | None = None
    effective: float | None = None
    """Jobs of this plan behind it, by their weights."""
    method: str | None = None


class Asked(NamedTuple):
    """Which results: of which instance, of so many days, of one kind; and at whose prices, None: as recorded."""

    instance: str | None
    days: int | None
    job_type: str | None
    prices: Path | None = None


async def summarised(asked: Asked, by: Sequence[By]) -> list[SummaryRow]:
    """Sum up the results of an instance."""
    return [_summary_row(line) for line in summary(await _seen(asked), by)]


async def saved(asked: Asked) -> list[OfferRow]:
    """Compare the plans an instance has results of."""
    return [_offer_row(offer) for offer in offers(await _seen(asked))]


async def _seen(asked: Asked) -> list[Seen]:
    known = prices(asked.prices) if asked.prices is not None else None
    async with open_target(resolve_settings(asked.instance)) as target, transaction(target.engine) as connection:
        happened = await result_history.happened(
            connection, days=asked.days, job_type=asked.job_type, with_usage=known is not None
        )
    seen = [Seen(*one) for one in happened]
    return seen if known is None else repriced(seen, known)


def _summary_row(line: Line) -> SummaryRow:
    return SummaryRow(
        key=line.key,
        results=line.results,
        labelled=line.labelled,
        succeeded=line.succeeded,
        priced=line.priced,
        cost_cents=line.cost_cents,
        tokens=line.tokens,
        success=_measured(line.success),
        cents_per_result=_measured(line.cents_per_result),
        cents_per_success=_measured(line.cents_per_success),
        seconds_p50=_measured(line.ms_p50, _MS),
        seconds_p95=_measured(line.ms_p95, _MS),
    )


def _offer_row(offer: Offer) -> OfferRow:
    told = offer.saving
    if isinstance(told, Refusal):
        why = _measured(told)
        return OfferRow(job_type=offer.job_type, plan=offer.plan, saved_cents=why, success=why)
    return OfferRow(
        job_type=offer.job_type,
        plan=offer.plan,
        saved_cents=_measured(told.saved_cents),
        success=_measured(told.success),
        jobs=told.jobs,
        covered=told.covered,
        days=told.days,
        effective=told.effective,
        method=told.method,
    )


def _measured(told: Interval | Refusal, unit: float = 1) -> Measured:
    if isinstance(told, Refusal):
        return Measured(reason=told.reason)
    low, expected, high = (bound / unit for bound in told)
    return Measured(low=low, expected=expected, high=high)
