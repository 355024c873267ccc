"""Who leads the hubs, who could, which locks are held, and which processes there are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from centralcloud import leadership
from centralcloud.leadership import LEADER, Leader, Standing
from centralcloud.web.paging import page, read_cursor
from centralcloud.web.shapes.common import Listed
from centralcloud.web.shapes.fleet import LeaderNow
from centralcloud.web.shapes.system import (
    CandidateItem,
    GrantItem,
    GrantsAsked,
    LeaderAsked,
    LeaderStanding,
    LockItem,
    LocksAsked,
    PromoteAsked,
    StopAsked,
    WorkerItem,
    WorkersAsked,
)
from shared import grants
from shared.grants import PastGrant
from shared.jobs import workers


async def leader_now(connection: AsyncConnection) -> LeaderNow | None:
    """Say who leads."""
    return _leader((await leadership.present(connection))[0])


async def leader(connection: AsyncConnection, _query: LeaderAsked) -> LeaderStanding:
    """Say who leads and who could."""
    return _standing(await leadership.standing(connection))


async def leader_history(connection: AsyncConnection, query: GrantsAsked) -> Listed[GrantItem]:
    """List who led when."""
    return await _history(connection, query, LEADER)


async def lock_history(connection: AsyncConnection, query: GrantsAsked) -> Listed[GrantItem]:
    """List who held which lock when."""
    return await _history(connection, query, query.name or None)


async def locks(connection: AsyncConnection, _query: LocksAsked) -> Listed[LockItem]:
    """List the locks that are held, the longest held first."""
    return Listed(
        items=[
            LockItem(
                lock_name=one.lock_name,
                holder=one.holder,
                hostname=one.hostname,
                pid=one.pid,
                epoch=one.epoch,
                acquired_at=one.acquired_at,
                expires_at=one.expires_at,
                remaining_seconds=round(one.remaining_seconds, 1),
            )
            for one in await grants.holdings(connection)
        ]
    )


async def processes(connection: AsyncConnection, _query: WorkersAsked) -> Listed[WorkerItem]:
    """List the processes on centralcloud's database, by name."""
    return Listed(
        items=[
            WorkerItem(
                name=one.name,
                status=one.status,
                hostname=one.hostname,
                pid=one.pid,
                load=one.load,
                role=one.role,
                region=one.region,
                version=one.version,
                queues=one.queues,
                started_at=one.started_at,
                last_heartbeat_at=one.last_heartbeat_at,
                seconds_since_heartbeat=round(max(0.0, one.seconds_since_heartbeat), 1),
            )
            for one in await workers.list_workers(connection)
        ]
    )


def stop(engine: AsyncEngine) -> Callable[[StopAsked], Awaitable[LeaderStanding]]:
    """Have the leader let others lead for half a minute; answers who leads then."""

    async def answer(_query: StopAsked) -> LeaderStanding:
        return _standing(await leadership.step_down(engine))

    return answer


def promote(engine: AsyncEngine) -> Callable[[PromoteAsked], Awaitable[LeaderStanding]]:
    """Have a candidate lead; answers who leads then."""

    async def answer(query: PromoteAsked) -> LeaderStanding:
        return _standing(await leadership.promote(engine, query.name or None, force=query.force))

    return answer


async def _history(connection: AsyncConnection, query: GrantsAsked, name: str | None) -> Listed[GrantItem]:
    before = read_cursor(query.after, tuple[datetime, int])
    found = await grants.history(connection, name, query.limit + 1, before=before)
    return page(found, query.limit, lambda one: (one.acquired_at, one.epoch), _grant)


def _grant(one: PastGrant) -> GrantItem:
    until = one.ended_at or datetime.now(UTC)
    return GrantItem(
        lock_name=one.lock_name,
        epoch=one.epoch,
        holder=one.holder,
        hostname=one.hostname,
        pid=one.pid,
        acquired_at=one.acquired_at,
        ended_at=one.ended_at,
        ended=one.ended,
        held_seconds=round(max(0.0, (until - one.acquired_at).total_seconds()), 1),
    )


def _standing(found: Standing) -> LeaderStanding:
    return LeaderStanding(
        leader=_leader(found.leader),
        candidates=[
            CandidateItem(
                name=one.name,
                candidacy=one.candidacy,
                hostname=one.hostname,
                pid=one.pid,
                since=one.since,
                leads=one.leads,
            )
            for one in found.candidates
        ],
        failovers=found.failovers,
        overlapping=found.overlapping,
    )


def _leader(found: Leader | None) -> LeaderNow | None:
    if found is None:
        return None
    return LeaderNow(
        candidate=found.candidate,
        hostname=found.hostname,
        pid=found.pid,
        epoch=found.epoch,
        since=found.since,
        remaining_seconds=found.remaining_seconds,
    )
