"""Insights: what the fleet knows, how it came to be, how far it has come, and taking it back."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud import withdrawal
from centralcloud.queries import answers
from centralcloud.store import insight_pages, withdrawals
from centralcloud.store import insights as stored
from centralcloud.store.insight_pages import Found, Moments, Present, Wanted
from centralcloud.web.paging import page, read_cursor
from centralcloud.web.patterns import confidence
from centralcloud.web.shapes.common import Listed
from centralcloud.web.shapes.knowledge import (
    InsightAsked,
    InsightDetail,
    InsightItem,
    InsightsAsked,
    Lifecycle,
    Opinion,
    RevokeAsked,
    Revoked,
    Step,
    WhyAsked,
    Withdrawal,
)
from schemas.insights import Insight, Provenance, WhyQuery
from schemas.replies import ErrorCode
from shared.errors import NotFoundError
from shared.web.refusal import RefusedError

HISTORY_MAX: Final = 100
OPINIONS_MAX: Final = 100
NAMED_MAX: Final = 20
"""Near-duplicates, and instances that have not applied it."""

_STATES: Final = {"active": ("active",), "revoked": ("revoked",), "any": ("active", "revoked")}


async def insights(connection: AsyncConnection, query: InsightsAsked) -> Listed[InsightItem]:
    """List insights, by support or by change."""
    wanted = Wanted(states=_STATES[query.state], kind=query.kind, language=query.language, q=query.q)
    versions = await insight_pages.applied_versions(connection, query.tenant)
    if query.sort == "newest":
        before = read_cursor(query.after, tuple[int])
        found = await insight_pages.newest(
            connection, query.tenant, wanted, query.limit + 1, before[0] if before else None
        )
        return page(found, query.limit, lambda one: (one.insight.version,), lambda one: item(one, versions))
    after = read_cursor(query.after, tuple[int, str])
    found = await insight_pages.by_support(connection, query.tenant, wanted, query.limit + 1, after)
    return page(
        found, query.limit, lambda one: (one.insight.instances, one.insight.id), lambda one: item(one, versions)
    )


async def insight(connection: AsyncConnection, query: InsightAsked) -> InsightDetail:
    """Give one insight in full."""
    tenant = query.tenant
    found = await insight_pages.find(connection, tenant, query.id)
    if found is None:
        raise NotFoundError(f"there is no insight {query.id}; /api/v1/insights lists those there are")
    present = await insight_pages.present(connection, tenant, found.insight.version)
    moments = await insight_pages.moments(connection, tenant, query.id)
    history = await stored.history(connection, tenant, query.id, HISTORY_MAX)
    return InsightDetail(
        insight=item(found, await insight_pages.applied_versions(connection, tenant)),
        versions=found.insight.versions,
        lifecycle=_lifecycle(found, moments, present),
        history=[
            Step(
                version=one.version,
                state=one.state,
                instances=one.instances,
                repositories=one.repositories,
                confidence=one.confidence,
                changed_at=one.changed_at,
            )
            for one in history
        ],
        opinions=[
            Opinion(instance=one.instance, verdict=one.verdict, reason=one.reason, received_at=one.received_at)
            for one in await insight_pages.opinions(connection, tenant, query.id, OPINIONS_MAX)
        ],
        duplicates=await insight_pages.alike(connection, tenant, found.insight, NAMED_MAX),
        not_applied=[one.instance for one in present if not one.has][:NAMED_MAX],
    )


async def why(connection: AsyncConnection, query: WhyAsked) -> Provenance:
    """Say where an insight came from."""
    return await answers.provenance(connection, WhyQuery(tenant=query.tenant, insight_id=query.id, limit=query.limit))


async def revoke(connection: AsyncConnection, query: RevokeAsked) -> Revoked:
    """Take an insight back."""
    try:
        found, changed = await withdrawal.revoke(
            connection, query.tenant, query.id, seen=query.version, by=query.by, reason=query.reason
        )
    except withdrawal.ChangedSinceError as error:
        raise _conflict(error) from error
    return await _revoked(connection, query, found, changed=changed)


async def restore(connection: AsyncConnection, query: RevokeAsked) -> Revoked:
    """Let an insight be what instances say again."""
    try:
        found, changed = await withdrawal.restore(connection, query.tenant, query.id, seen=query.version)
    except withdrawal.ChangedSinceError as error:
        raise _conflict(error) from error
    return await _revoked(connection, query, found, changed=changed)


def item(found: Found, versions: Sequence[int]) -> InsightItem:
    """Show one insight; `versions` are those the instances have applied, lowest first."""
    one = found.insight
    return InsightItem(
        id=one.id,
        state=one.state,
        version=one.version,
        kind=one.kind,
        language=one.language,
        view=one.view,
        name=one.name,
        template=one.template,
        instances=one.instances,
        repositories=one.repositories,
        files=one.files,
        occurrences=one.occurrences,
        confidence=confidence(one),
        file_rate=one.file_rate if one.file_repositories else None,
        contributors=list(one.contributors),
        cluster=one.cluster,
        accepted=one.accepted,
        rejected=one.rejected,
        above=one.above,
        applied_by=len(versions) - bisect_left(versions, one.version),
        told=len(versions),
        changed_at=found.changed_at,
        withdrawn=_withdrawn(found.withdrawn),
    )


def _lifecycle(found: Found, moments: Moments, present: Sequence[Present]) -> Lifecycle:
    return Lifecycle(
        first_seen=moments.first_seen,
        shared=moments.shared,
        last_changed=found.changed_at,
        adopted=_adopted(present),
        accepted=moments.accepted,
        revoked=moments.revoked if found.insight.state == "revoked" else None,
    )


def _adopted(present: Sequence[Present]) -> datetime | None:
    """When the last of them had it; None while one has not, and when nobody is there."""
    heard = [one.applied_at for one in present if one.applied_at is not None]
    return max(heard, default=None) if all(one.has for one in present) else None


def _withdrawn(found: withdrawals.Withdrawal | None) -> Withdrawal | None:
    return None if found is None else Withdrawal(by=found.by, reason=found.reason, at=found.at)


async def _revoked(connection: AsyncConnection, query: RevokeAsked, found: Insight, *, changed: bool) -> Revoked:
    return Revoked(
        id=found.id,
        state=found.state,
        version=found.version,
        withdrawn=_withdrawn(await withdrawals.find(connection, query.tenant, query.id)),
        changed=changed,
    )


def _conflict(error: withdrawal.ChangedSinceError) -> RefusedError:
    """Say both versions."""
    details = {"version": str(error.now), "seen": str(error.seen)}
    return RefusedError(409, ErrorCode.CONFLICT, str(error), details=details)
