"""Patterns as instances see them, and insights as the fleet knows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from centralcloud.web.shapes.common import Asked, Interval, PageAsked, SearchText
from schemas.insights import Evidence
from schemas.names import Count, Fingerprint, Name, Share


class PatternsAsked(PageAsked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/patterns."""

    sort: Literal["support", "newest"] = "support"
    """Those most instances share first (only what is or was an insight), or those seen last first (all)."""
    kind: SearchText = ""
    language: SearchText = ""
    instance: Name | None = None
    """Only those it has; then by files, most first, whatever `sort` says."""
    q: SearchText = ""
    """Only those whose name or template contains it."""


class PatternItem(Struct, frozen=True, kw_only=True):
    """One pattern, counted over the instances that have it now."""

    fingerprint: str
    kind: str
    language: str
    view: str
    name: str
    template: str | None
    instances: Count
    """Its support."""
    repositories: Count
    files: Count
    """Over repositories; one held by several instances counts once, by the largest."""
    occurrences: Count
    first_seen: datetime | None
    """Null in lists for what more than 100 instances have: ask for that one."""
    last_seen: datetime | None
    """When somebody last said anything about it; null as `first_seen` is."""
    insight: Literal["active", "revoked"] | None
    """null: too few have it."""
    confidence: Interval | None
    """Share of the fleet's repositories of the language that have it; null when it is no active insight."""


class PatternAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/patterns/{fingerprint}."""

    fingerprint: Fingerprint


class PatternDetail(Struct, frozen=True, kw_only=True):
    """One pattern, and who has it."""

    pattern: PatternItem
    evidence: list[Evidence]
    """At most 200, trusted ones first: {instance, repository, files, occurrences, version, epoch, seq, event_id,
    received_at, trusted}."""
    releases: dict[str, Count]
    """Of a framework or a package: repositories by the version they use."""


class InsightsAsked(PageAsked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/insights."""

    sort: Literal["support", "newest"] = "support"
    """Most instances first, or last changed first."""
    state: Literal["active", "revoked", "any"] = "active"
    kind: SearchText = ""
    language: SearchText = ""
    q: SearchText = ""
    """Only those whose name, template or id contains it."""


class Withdrawal(Struct, frozen=True, kw_only=True):
    """A person took the insight back; it stays so until it is restored, whatever instances say."""

    by: str
    reason: str
    at: datetime


class InsightItem(Struct, frozen=True, kw_only=True):
    """What many instances know together of one pattern."""

    id: str
    """The fingerprint of its pattern."""
    state: Literal["active", "revoked"]
    version: Count
    """Give it to revoke and restore, so that nobody changes what you have not seen."""
    kind: str
    language: str
    view: str
    name: str
    template: str | None
    instances: Count
    repositories: Count
    files: Count
    occurrences: Count
    confidence: Interval | None
    """Share of the fleet's repositories of the language that have it; null when it is revoked."""
    file_rate: Share | None
    """Mean share of files that show it, in repositories of the language; null when less than two are counted."""
    contributors: list[str]
    """At most 20."""
    cluster: str
    """Of near-duplicates: the id of the one most instances have; else empty."""
    accepted: Count
    rejected: Count
    above: bool
    """Known beyond this region, told by the hub above it; too few of this region's own instances have it."""
    applied_by: Count
    """Instances, not offline, that have applied this version."""
    told: Count
    """Instances that are not offline."""
    changed_at: datetime
    withdrawn: Withdrawal | None


class InsightAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/insights/{id}."""

    id: Fingerprint


class Step(Struct, frozen=True, kw_only=True):
    """One change of an insight, oldest first; counts are those of that version."""

    version: Count
    state: str
    instances: Count
    repositories: Count
    confidence: Share
    """The lower bound."""
    changed_at: datetime


class Opinion(Struct, frozen=True, kw_only=True):
    """What the people of one instance said."""

    instance: str
    verdict: Literal["accepted", "rejected", "withdrawn"]
    reason: str
    received_at: datetime


class Lifecycle(Struct, frozen=True, kw_only=True):
    """When it came how far; null: not yet."""

    first_seen: datetime | None
    """One instance had it."""
    shared: datetime | None
    """Enough instances had it for an insight."""
    last_changed: datetime
    adopted: datetime | None
    """At the latest then all instances, not offline, had applied it; null while one has not."""
    accepted: datetime | None
    """Somebody kept it for the first time (of the words that stand now)."""
    revoked: datetime | None
    """It is revoked since then."""


class InsightDetail(Struct, frozen=True, kw_only=True):
    """One insight in full."""

    insight: InsightItem
    versions: dict[str, Count]
    """Of a framework or a package: repositories by the version they use."""
    lifecycle: Lifecycle
    history: list[Step]
    """The last 100."""
    opinions: list[Opinion]
    """The last 100, newest first."""
    duplicates: list[str]
    """Ids of others in its cluster, at most 20."""
    not_applied: list[str]
    """Instances, not offline, that have not applied this version; at most 20."""


class WhyAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/insights/{id}/why: answered by `schemas.insights.Provenance`."""

    id: Fingerprint
    limit: Annotated[int, Meta(ge=1, le=500)] = 100


class RevokeAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /api/v1/insights/{id}/revoke and /restore."""

    id: Fingerprint
    version: Count | None = None
    """Of the insight as it was seen; another one since: 409 with both."""
    by: SearchText = ""
    """Who does it."""
    reason: SearchText = ""


class Revoked(Struct, frozen=True, kw_only=True):
    """What came of it."""

    id: str
    state: Literal["active", "revoked"]
    """A restored insight is revoked until the leader has merged it again, within seconds; then the feed tells."""
    version: Count
    withdrawn: Withdrawal | None
    changed: bool
    """False: it was so already."""
