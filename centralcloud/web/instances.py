"""Instances: who is learning what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.store import activity, instance_pages, result_totals
from centralcloud.store.activity import Happened
from centralcloud.store.instance_pages import Member
from centralcloud.web.paging import page, read_cursor, words
from centralcloud.web.results import cents
from centralcloud.web.shapes.common import Listed
from centralcloud.web.shapes.fleet import (
    ActivityAsked,
    ActivityItem,
    InstanceAsked,
    InstanceDetail,
    InstanceItem,
    InstancesAsked,
    KnownOfKind,
    LearnedPattern,
    Lineage,
    Opinions,
    TimelineAsked,
    WorkDone,
)
from shared.errors import NotFoundError, UsageError

NEWEST_MAX: Final = 20
LINEAGES_MAX: Final = 20
WORK_DAYS: Final = 30


async def instances(connection: AsyncConnection, query: InstancesAsked) -> Listed[InstanceItem]:
    """List instances by name."""
    after = read_cursor(query.after, tuple[str])
    found = await instance_pages.page(
        connection,
        query.tenant,
        statuses=words(query.status),
        q=query.q,
        limit=query.limit + 1,
        after=after[0] if after else "",
    )
    return page(found, query.limit, lambda one: (one.instance_id,), item)


async def instance(connection: AsyncConnection, query: InstanceAsked) -> InstanceDetail:
    """Give one instance in full."""
    tenant, name = query.tenant, query.instance
    found = await instance_pages.find(connection, tenant, name)
    if found is None:
        raise NotFoundError(f"no instance {name} in tenant {tenant}; /api/v1/instances lists those there are")
    accepted, rejected, withdrawn = await instance_pages.opinions(connection, tenant, name)
    return InstanceDetail(
        instance=item(found),
        known=[
            KnownOfKind(kind=one.kind, language=one.language, patterns=one.patterns, files=one.files, shared=one.shared)
            for one in await instance_pages.known(connection, tenant, name)
        ],
        newest=[
            LearnedPattern(
                fingerprint=one.fingerprint,
                kind=one.kind,
                language=one.language,
                name=one.name,
                view=one.view,
                template=one.template,
                files=one.files,
                first_received_at=one.first_received_at,
            )
            for one in await instance_pages.newest(connection, tenant, name, NEWEST_MAX)
        ],
        lineages=[
            Lineage(
                epoch=one.epoch,
                received=one.wm,
                durable=one.durable_wm,
                forked=one.forked,
                updated_at=one.updated_at,
            )
            for one in await instance_pages.lineages(connection, tenant, name, LINEAGES_MAX)
        ],
        opinions=Opinions(accepted=accepted, rejected=rejected, withdrawn=withdrawn),
        work=await _work(connection, tenant, name),
    )


async def timeline(connection: AsyncConnection, query: TimelineAsked) -> Listed[ActivityItem]:
    """List what happened with one instance, newest first."""
    before = read_cursor(query.after, tuple[int])
    found = await activity.of_instance(
        connection, query.tenant, query.instance, query.limit + 1, before[0] if before else None
    )
    return page(found, query.limit, lambda one: (one.place,), happening)


async def happenings(connection: AsyncConnection, query: ActivityAsked) -> Listed[ActivityItem]:
    """List what happened, newest first."""
    kinds = words(query.kinds)
    if strange := set(kinds or ()) - set(activity.KINDS):
        raise UsageError(f"no kind is called {min(strange)}; there are {', '.join(activity.KINDS)}")
    before = read_cursor(query.after, tuple[int])
    found = await activity.latest(connection, query.tenant, kinds, query.limit + 1, before[0] if before else None)
    return page(found, query.limit, lambda one: (one.place,), happening)


def happening(one: Happened) -> ActivityItem:
    """Show one line of the feed."""
    return ActivityItem(id=str(one.place), at=one.at, kind=one.kind, instance=one.instance, data=one.data)


def item(found: Member) -> InstanceItem:
    """Show one line of the registry; what the instance never said is null."""
    said: dict[str, Any] = found.said or {}
    return InstanceItem(
        instance_id=found.instance_id,
        status=found.status,
        load=found.load,
        last_heartbeat=found.last_heartbeat,
        seconds_since_heartbeat=round(found.seconds_since_heartbeat, 1),
        started_at=found.started_at,
        hostname=found.hostname,
        pid=found.pid,
        role=found.role,
        region=found.region,
        version=found.version,
        capabilities=found.capabilities,
        codebases=said.get("repositories"),
        languages=said.get("languages"),
        files=said.get("files"),
        patterns=said.get("patterns"),
        insights_applied=said.get("insights_applied"),
        reported_at=found.reported_at,
        learned=found.head,
        confirmed=found.confirmed,
        lag=max(0, found.head - found.confirmed),
        insight_version=found.insight_version,
        insight_lag=max(0, found.insight_head - found.insight_version),
        applied_at=found.applied_at,
        trust=found.trust,
        quarantined=found.quarantined,
        reason=found.reason,
    )


async def _work(connection: AsyncConnection, tenant: str, name: str) -> WorkDone:
    today = datetime.now(UTC).date()
    wanted = result_totals.Wanted(
        tenant=tenant, first=today - timedelta(days=WORK_DAYS - 1), last=today + timedelta(days=1), instance=name
    )
    found = await result_totals.of_all(connection, wanted)
    if found is None:
        return WorkDone(results=0, succeeded=0, failed=0, cost_cents=None)
    return WorkDone(
        results=found.results,
        succeeded=found.succeeded,
        failed=found.failed,
        cost_cents=cents(found.cost_microcents) if found.priced else None,
    )
