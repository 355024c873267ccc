"""Hints on the bus that something changed. Losing one loses nothing: the truth is asked for with a query."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any, Final

from centralcloud.aggregate import AggregationResult
from schemas import subjects
from schemas.codec import encode
from schemas.headers import TRACEPARENT, cloudevent, traceparent
from schemas.insights import (
    AggregatedPattern,
    AggregationSummary,
    GlobalStatistics,
    Insight,
    InsightUpdated,
    PatternAggregation,
)
from schemas.routing_pages import RoutingUpdated
from shared import tracing
from shared.bus import Bus

PATTERNS_MAX: Final = 20
SOURCE: Final = "/centralcloud"
NOTHING_SAID: Final = AggregationSummary(total_patterns=0, code_patterns=0, architecture_patterns=0)


async def announce_insights(bus: Bus, result: AggregationResult, summary: AggregationSummary | None) -> None:
    """Tell the fleet that insights changed, and what the leading ones are now.

    Without a summary other tenants hear it, too: what changed is left out.
    """
    active = [insight for insight in result.leading if insight.state == "active"] if summary else []
    aggregation = PatternAggregation(
        timestamp=datetime.now(UTC),
        tenant=result.tenant,
        head=result.head,
        previous_head=result.previous_head,
        patterns=tuple(_line(insight) for insight in active[:PATTERNS_MAX]),
        summary=summary or NOTHING_SAID,
    )
    trace = traceparent()
    await _hint(bus, subjects.INSIGHTS_AGGREGATED, "pattern_aggregation", aggregation, trace)
    for insight in result.leading:
        updated = InsightUpdated(tenant=result.tenant, insight=insight)
        await _hint(bus, subjects.cache_update(insight.id), "knowledge.cache.update.v1", updated, trace, insight.id)


async def announce_statistics(bus: Bus, statistics: GlobalStatistics) -> None:
    """Broadcast the fleet in numbers."""
    await _hint(bus, subjects.STATISTICS_GLOBAL, "global_statistics", statistics, traceparent())


async def announce_routing(bus: Bus, tenant: str, digest: str, priors: int) -> None:
    """Tell the fleet that the priors for routing changed."""
    updated = RoutingUpdated(timestamp=datetime.now(UTC), tenant=tenant, digest=digest, priors=priors)
    await _hint(bus, subjects.INSIGHTS_ROUTING, "routing_priors", updated, traceparent())


def _line(insight: Insight) -> AggregatedPattern:
    return AggregatedPattern(
        id=insight.id,
        pattern_type=insight.kind,
        pattern_name=insight.name or insight.view or insight.kind,
        frequency=insight.files,
        instances=insight.instances,
        confidence=insight.confidence,
        ecosystems=(insight.language,) if insight.language else (),
    )


async def _hint(bus: Bus, subject: str, kind: str, message: Any, trace: str, about: str = "") -> None:
    headers = cloudevent(event_id=secrets.token_hex(16), event_type=kind, source=SOURCE, subject=about)
    await bus.hint(subject, encode(message), headers | {TRACEPARENT: tracing.current() or traceparent(trace)})
