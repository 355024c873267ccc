"""What centralcloud says: insights, how they came about, and statistics of the whole fleet."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.names import (
    DEFAULT_TENANT,
    Count,
    Epoch,
    EventId,
    Fingerprint,
    Name,
    RepositoryKey,
    Share,
    Timestamp,
)

PageSize = Annotated[int, Meta(ge=1, le=500)]


class Insight(Struct, frozen=True, kw_only=True):
    """What many instances know together of one pattern."""

    id: Fingerprint
    kind: str
    """`code.pattern`, `architecture.pattern` or `data.schema`."""
    state: Literal["active", "revoked"]
    instances: Count
    """Distinct instances that have it now."""
    repositories: Count
    """Distinct repositories that have it now; clones of one repository count once."""
    files: Count
    occurrences: Count
    rate: Share
    """Share of the fleet's repositories of that language that have it, every instance's votes capped."""
    confidence: Share
    """Lower bound of that share (Wilson, one-sided 95 %)."""
    language: str = ""
    view: str = ""
    name: str = ""
    template: str | None = None
    contributors: tuple[str, ...] = ()
    """Instances it came from, sorted, at most 20 of them."""
    evidence: str = ""
    """blake2b-128 over every observation behind it, hex: the same evidence gives the same digest."""
    version: Count = 0
    """Number of the change in the tenant's history of insights."""
    file_rate: Share = 0.0
    """Mean share of files that show it, over `file_repositories`: what a repository of that language may expect."""
    file_repositories: Count = 0
    """Repositories of that language whose files are counted, with and without it; 0 when not even two are."""
    versions: dict[str, Count] = {}
    """Of a framework or a package: repositories by the version they use, the most used first."""
    cluster: str = ""
    """Of near-duplicates: the id of the one most instances have; empty when there is none like it."""
    accepted: Count = 0
    """Instances whose people kept it."""
    rejected: Count = 0
    """Instances whose people rejected it."""
    above: bool = False
    """Known beyond this region, and not enough within it: told by the hub above, and no evidence here."""


class InsightsQuery(Struct, frozen=True, kw_only=True):
    """Ask for every insight changed after `since`, oldest change first."""

    tenant: Name = DEFAULT_TENANT
    since: Count = 0
    limit: PageSize = 200


class InsightsPage(Struct, frozen=True, kw_only=True):
    """Changed insights in order of their version; ask again with the last version until `complete`."""

    head: Count
    """The highest version there is."""
    insights: tuple[Insight, ...]
    complete: bool


class WhyQuery(Struct, frozen=True, kw_only=True):
    """Ask where an insight came from."""

    insight_id: Fingerprint
    tenant: Name = DEFAULT_TENANT
    limit: PageSize = 100


class Evidence(Struct, frozen=True, kw_only=True):
    """One observation behind an insight, down to the event that brought it."""

    instance: str
    repository: RepositoryKey
    files: Count
    occurrences: Count
    version: Count
    epoch: Epoch
    seq: Count
    event_id: EventId
    received_at: Timestamp
    trusted: bool


class InsightChange(Struct, frozen=True, kw_only=True):
    """One step in the history of an insight."""

    version: Count
    state: str
    instances: Count
    repositories: Count
    confidence: Share
    changed_at: Timestamp


class Provenance(Struct, frozen=True, kw_only=True):
    """Why an insight is what it is."""

    insight_id: Fingerprint
    observations: tuple[Evidence, ...]
    history: tuple[InsightChange, ...]


class AggregatedPattern(Struct, frozen=True, kw_only=True):
    """One line of the hourly summary."""

    id: Fingerprint
    pattern_type: str
    pattern_name: str
    frequency: Count
    """Files that show it, over all instances."""
    instances: Count
    confidence: Share
    ecosystems: tuple[str, ...] = ()


class AggregationSummary(Struct, frozen=True, kw_only=True):
    """How many insights of which kind are active."""

    total_patterns: Count
    code_patterns: Count
    architecture_patterns: Count
    data_schemas: Count = 0


class PatternAggregation(Struct, frozen=True, kw_only=True, tag_field="type", tag="pattern_aggregation"):
    """Broadcast on `intelligence.insights.aggregated`: a hint that `head` moved, with the leading changes."""

    timestamp: Timestamp
    tenant: Name
    head: Count
    previous_head: Count
    patterns: Annotated[tuple[AggregatedPattern, ...], Meta(max_length=20)]
    summary: AggregationSummary


class InsightUpdated(Struct, frozen=True, kw_only=True, tag_field="type", tag="knowledge.cache.update.v1"):
    """Broadcast on `knowledge.cache.update.<id>`: one insight changed."""

    tenant: Name
    insight: Insight


class StatisticsQuery(Struct, frozen=True, kw_only=True):
    """Ask for the statistics of the fleet."""

    tenant: Name = DEFAULT_TENANT


class InstancesQuery(Struct, frozen=True, kw_only=True):
    """Ask which instances centralcloud knows."""

    tenant: Name = DEFAULT_TENANT


class InstanceRow(Struct, frozen=True, kw_only=True):
    """One line of the registry; ages by centralcloud's clock."""

    instance_id: str
    status: str
    seconds_since_heartbeat: float
    hostname: str = ""
    role: str = ""
    region: str = ""
    version: str = ""
    load: Count = 0
    head: Count = 0
    confirmed: Count = 0
    insight_version: Count = 0
    observations: Count = 0
    quarantined: bool = False
    """By an operator."""
    trust: Share = 1.0
    """How much of its word counts; 0: set aside, since what it says is too unlike what the others say."""
    reason: str = ""
    """Why it is in quarantine or not wholly believed."""


class InstancesPage(Struct, frozen=True, kw_only=True):
    """All instances of a tenant, by name."""

    instances: tuple[InstanceRow, ...]


class PatternCounts(Struct, frozen=True, kw_only=True):
    """Distinct patterns known to centralcloud."""

    code: Count
    architecture: Count
    data: Count
    total: Count


class GlobalStatistics(Struct, frozen=True, kw_only=True, tag_field="type", tag="global_statistics"):
    """The whole fleet in numbers, each one recomputable by SQL; zeros where there is nothing."""

    timestamp: Timestamp
    tenant: Name
    active_instances: Count
    known_instances: Count
    repositories: Count
    observations: Count
    patterns: PatternCounts
    insights: Count
    insights_changed_24h: Count
    patterns_new_24h: Count
    dead_letters: Count
