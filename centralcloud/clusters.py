"""Telling readers which insights are near-duplicates: of languages whose insights changed since it was last done."""

from __future__ import annotations

from collections import Counter
from typing import Final

from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.learning.likeness import clusters
from centralcloud.store import insights, likeness
from schemas.insights import Insight

CLUSTERED_MAX: Final = 20_000
"""Of one language: the insights most instances have; the others stay alone."""


async def recluster(connection: AsyncConnection, tenant: str, head: int) -> list[Insight]:
    """Write the insights whose cluster changed, as versions after `head`, which the caller has locked."""
    written: list[Insight] = []
    for language in await likeness.unclustered(connection, tenant):
        found = await likeness.templates(connection, tenant, language, CLUSTERED_MAX)
        wanted = _named([one.id for one in found], clusters([one.template for one in found]))
        moved = {one.id for one in found if one.cluster != wanted[one.id]}
        stored = await insights.of_patterns(connection, tenant, moved)
        changed = [structs.replace(stored[name], cluster=wanted[name]) for name in sorted(moved)]
        written += await insights.write(connection, tenant, head + len(written), changed)
    await likeness.note_clustered(connection, tenant)
    return written


def _named(ids: list[str], leaders: list[int]) -> dict[str, str]:
    """Give the id of the leader to all of a cluster, and nothing to who is alone."""
    sizes = Counter(leaders)
    return {name: ids[leader] if sizes[leader] > 1 else "" for name, leader in zip(ids, leaders, strict=True)}
