"""Patterns: what instances see, and who sees it."""

from __future__ import annotations

from datetime import datetime
from typing import Final, TypeVar

from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.learning.confidence import upper_bound
from centralcloud.store import insight_pages, observations, pattern_pages
from centralcloud.store.pattern_pages import Pattern, Wanted
from centralcloud.web.paging import cursor, read_cursor
from centralcloud.web.shapes.common import Interval, Listed
from centralcloud.web.shapes.knowledge import PatternAsked, PatternDetail, PatternItem, PatternsAsked
from schemas.insights import Insight
from shared.errors import NotFoundError

EVIDENCE_MAX: Final = 200

K = TypeVar("K", int, datetime)


async def patterns(connection: AsyncConnection, query: PatternsAsked) -> Listed[PatternItem]:
    """List patterns: of one instance, or as they came up, or by support."""
    wanted = Wanted(kind=query.kind, language=query.language, q=query.q)
    if query.instance is not None:
        after = read_cursor(query.after, tuple[int, str])
        held = await pattern_pages.of_instance(connection, query.tenant, query.instance, wanted, query.limit + 1, after)
        return await _page(connection, query, held)
    if query.sort == "newest":
        return await _newest(connection, query, wanted)
    return await _by_support(connection, query)


async def pattern(connection: AsyncConnection, query: PatternAsked) -> PatternDetail:
    """Give one pattern and who has it."""
    found = await pattern_pages.of(connection, query.tenant, [query.fingerprint], holders_max=pattern_pages.EVERYBODY)
    if not found:
        raise NotFoundError(
            f"nobody has reported a pattern {query.fingerprint}; /api/v1/patterns lists those there are"
        )
    evidence = await observations.evidence(connection, query.tenant, query.fingerprint, EVIDENCE_MAX)
    releases = await pattern_pages.releases(connection, query.tenant, query.fingerprint)
    return PatternDetail(pattern=item(found[0]), evidence=list(evidence), releases=releases)


def item(found: Pattern) -> PatternItem:
    """Show one pattern."""
    return PatternItem(
        fingerprint=found.fingerprint,
        kind=found.kind,
        language=found.language,
        view=found.view,
        name=found.name,
        template=found.template,
        instances=found.instances,
        repositories=found.repositories,
        files=found.files,
        occurrences=found.occurrences,
        first_seen=found.first_seen,
        last_seen=found.last_seen,
        insight=found.insight.state if found.insight else None,
        confidence=confidence(found.insight),
    )


def confidence(insight: Insight | None) -> Interval | None:
    """The share of repositories that have it, with its bounds; None unless it is an active insight."""
    if insight is None or insight.state != "active":
        return None
    lower = min(insight.confidence, insight.rate)
    return Interval(value=insight.rate, lower=lower, upper=round(upper_bound(insight.rate, lower), 4))


async def _newest(connection: AsyncConnection, query: PatternsAsked, wanted: Wanted) -> Listed[PatternItem]:
    """As they came up; a page may be short, or empty, and there is more behind it all the same."""
    after = read_cursor(query.after, tuple[datetime, str])
    found, looked = await pattern_pages.newest(connection, query.tenant, wanted, query.limit + 1, after)
    shown = await _page(connection, query, [(fingerprint, at) for at, fingerprint in found])
    return structs.replace(shown, next=cursor(*looked)) if looked and not shown.next else shown


async def _by_support(connection: AsyncConnection, query: PatternsAsked) -> Listed[PatternItem]:
    """What several instances have is an insight, or was: these are there in order."""
    wanted = insight_pages.Wanted(states=("active", "revoked"), kind=query.kind, language=query.language, q=query.q)
    after = read_cursor(query.after, tuple[int, str])
    found = await insight_pages.by_support(connection, query.tenant, wanted, query.limit + 1, after)
    return await _page(connection, query, [(one.insight.id, one.insight.instances) for one in found])


async def _page(connection: AsyncConnection, query: PatternsAsked, found: list[tuple[str, K]]) -> Listed[PatternItem]:
    """Describe what was found when one more was asked for; `found` are fingerprints and what they are sorted by."""
    shown = found[: query.limit]
    described = await pattern_pages.of(connection, query.tenant, [fingerprint for fingerprint, _ in shown])
    more = len(found) > query.limit
    return Listed(items=[item(one) for one in described], next=cursor(*reversed(shown[-1])) if more else None)
