"""The answer to an instance that asks what it could do as the others do."""

from __future__ import annotations

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.learning.recommend import Profile, importable, not_applicable, recommend
from centralcloud.store import feedback, recommendations
from schemas.recommendations import RecommendationsPage, RecommendationsQuery
from shared.errors import NotFoundError

CANDIDATES_MAX: Final = 2_000
"""Ranked by what the database can tell; the rest is behind them anyway."""

EXPLAINED_MAX: Final = 500
"""Insights looked through for those that do not apply."""


async def recommendations_page(connection: AsyncConnection, query: RecommendationsQuery) -> RecommendationsPage:
    """Rank what the fleet does and this instance does not; raises `NotFoundError` for one never heard of."""
    profile = await _profile(connection, query.tenant, query.instance)
    found = await recommendations.candidates(connection, query.tenant, query.instance, profile.files, CANDIDATES_MAX)
    left_out = await recommendations.leading(connection, query.tenant, EXPLAINED_MAX) if query.explain else []
    return RecommendationsPage(
        recommendations=tuple(recommend(found, profile, query.limit)),
        not_applicable=tuple(not_applicable(left_out, profile, query.limit)),
    )


async def _profile(connection: AsyncConnection, tenant: str, instance: str) -> Profile:
    patterns = await recommendations.patterns(connection, tenant, instance)
    if not patterns:
        raise NotFoundError(f"nothing was learned by {instance}; `flocklore centralcloud instances` lists who is there")
    unused = await recommendations.unused_packages(connection, tenant, instance)
    return Profile(
        files=await recommendations.files_by_language(connection, tenant, instance),
        patterns=frozenset(patterns),
        rejected=frozenset(await feedback.rejected_by(connection, tenant, instance)),
        unused={ecosystem: frozenset(map(importable, names)) for ecosystem, names in unused.items()},
    )
