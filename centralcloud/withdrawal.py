"""Taking an insight back, and giving it free again: a person's word stands above what instances say.

A revoked insight is a new version, which instances apply as a withdrawal. Merging leaves it revoked for as long as the
row in `insight_withdrawals` is there. Both are said to the leading hub, which tells the fleet.
"""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.learning.merge import revoked, tallies
from centralcloud.learning.observation import Observation
from centralcloud.store import changes, insights, observations, withdrawals
from schemas.insights import Insight
from shared.errors import NotFoundError, PermanentError


class ChangedSinceError(PermanentError):
    """Somebody decides on a version of an insight that is not the newest any more."""

    def __init__(self, seen: int, now: int) -> None:
        super().__init__(f"the insight is at version {now}, and you saw {seen}; look at it again")
        self.seen = seen
        self.now = now


async def revoke(
    connection: AsyncConnection, tenant: str, insight_id: str, *, seen: int | None, by: str, reason: str
) -> tuple[Insight, bool]:
    """Take an insight back; returns it as it is then, and whether that was new.

    Raises `NotFoundError` when there never was one, `ChangedSinceError` when it is not at the version that was `seen`.
    """
    head = await insights.lock_head(connection, tenant)
    found = await _found(connection, tenant, insight_id, seen)
    is_new = await withdrawals.put(connection, tenant, insight_id, by, reason)
    if found.state == "active":
        (found,) = await insights.write(connection, tenant, head, [await _revoked(connection, tenant, found)])
        await changes.tell(connection)
    return found, is_new


async def restore(
    connection: AsyncConnection, tenant: str, insight_id: str, *, seen: int | None
) -> tuple[Insight, bool]:
    """Let it be what instances say, at the next aggregation; returns and raises as `revoke` does."""
    await insights.lock_head(connection, tenant)
    found = await _found(connection, tenant, insight_id, seen)
    was_withdrawn = await withdrawals.drop(connection, tenant, insight_id)
    if was_withdrawn:
        await changes.mark(connection, tenant, [insight_id])
        await changes.tell(connection)
    return found, was_withdrawn


async def _found(connection: AsyncConnection, tenant: str, insight_id: str, seen: int | None) -> Insight:
    found = (await insights.of_patterns(connection, tenant, [insight_id])).get(insight_id)
    if found is None:
        raise NotFoundError(f"there is no insight {insight_id}; `flocklore insights list` shows those there are")
    if seen is not None and seen != found.version:
        raise ChangedSinceError(seen, found.version)
    return found


async def _revoked(connection: AsyncConnection, tenant: str, insight: Insight) -> Insight:
    """Say how many are left, as merging would: then merging finds nothing to change."""
    rows = await observations.of_patterns(connection, tenant, [insight.id])
    left = tallies(Observation(**row) for row in rows)
    return revoked(insight, left[0] if left else None)
