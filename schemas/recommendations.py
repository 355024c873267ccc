"""What centralcloud would have an instance try: habits of the fleet that it does not have yet."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.insights import Insight
from schemas.names import DEFAULT_TENANT, Fingerprint, Name

Reason = Literal["already_there", "other_language", "rejected", "library_not_used"]


class RecommendationsQuery(Struct, frozen=True, kw_only=True):
    """Ask what the fleet does that one instance does not."""

    instance: Name
    tenant: Name = DEFAULT_TENANT
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    explain: bool = False
    """Also say of the leading insights that are not recommended why not."""


class Recommendation(Struct, frozen=True, kw_only=True):
    """One habit; the evidence is in the insight: instances, repositories, rate, what people said of it."""

    insight: Insight
    expected_files: Annotated[float, Meta(ge=0.0)]
    """Files of this instance that would show it, did it as the fleet does; of what is not counted in files, `rate`."""
    score: Annotated[float, Meta(ge=0.0)]
    """What the ranking goes by: `expected_files` x `confidence` x what people said."""


class NotApplicable(Struct, frozen=True, kw_only=True):
    """One insight that is not recommended to this instance, and why."""

    insight_id: Fingerprint
    reason: Reason
    detail: str = ""
    """Which language or library."""


class RecommendationsPage(Struct, frozen=True, kw_only=True):
    """Recommendations, the best first."""

    recommendations: tuple[Recommendation, ...]
    not_applicable: tuple[NotApplicable, ...] = ()
    """Insights most instances have first; empty unless asked for."""
