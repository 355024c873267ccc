"""The bus and the hubs: streams, dead letters, who leads, locks, processes, statistics."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from centralcloud.web.shapes.common import Asked, PageAsked, RowId, SearchText
from centralcloud.web.shapes.fleet import LeaderNow
from schemas.names import Count


class StreamsAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/streams; 503 while NATS is away."""


class ConsumerItem(Struct, frozen=True, kw_only=True):
    """Who reads a stream, and how far it is."""

    name: str
    pending: Count
    """Messages it has not been given yet."""
    ack_pending: Count
    """Given, not acknowledged."""
    redelivered: Count
    """Of those, given more than once."""
    waiting: Count
    """Fetches that wait for messages: 0 for long means that nobody reads."""
    delivered: Count
    acknowledged: Count
    """Sequence up to which everything is acknowledged."""
    lag: Count
    """pending + ack_pending."""
    lag_seconds: float | None
    """Age of the oldest message that is not acknowledged; 0 when all are, null when NATS does not say."""
    last_active_at: datetime | None


class StreamItem(Struct, frozen=True, kw_only=True):
    """One stream of JetStream."""

    name: str
    subjects: list[str]
    messages: Count
    bytes: Count
    bytes_max: Count | None
    """null: unbounded."""
    first_seq: Count
    last_seq: Count
    first_at: datetime | None
    last_at: datetime | None
    senders: Count
    """Distinct subjects with messages: instances times topics."""
    replicas: Count
    leader: str | None
    """null without a cluster."""
    consumers: list[ConsumerItem]


class Streams(Struct, frozen=True, kw_only=True):
    """The streams, and the connection they were read through."""

    server: str
    """Its address."""
    server_version: str
    bytes_used: Count
    bytes_max: Count | None
    items: list[StreamItem]


class LettersAsked(PageAsked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/dead-letters, newest first; also those of which no tenant could be read."""

    replayed: bool = False
    """Also those that were applied since."""


class LetterItem(Struct, frozen=True, kw_only=True):
    """A message or event that could not be read, kept as it came."""

    id: int
    instance: str | None
    subject: str
    epoch: str | None
    seq: int | None
    error: str
    bytes: Count
    excerpt: str
    """The first 400 characters of it, for people."""
    received_at: datetime
    replayed_at: datetime | None


class ReplayAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /api/v1/dead-letters/replay: try all of them again, as a job."""


class Enqueued(Struct, frozen=True, kw_only=True):
    """The job that does it."""

    job: RowId
    is_new: bool
    """False: such a job waits or runs already; this is that one."""


class LeaderAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/leader."""


class CandidateItem(Struct, frozen=True, kw_only=True):
    """A hub that runs and could lead."""

    name: str
    candidacy: str
    """primary, standby or any."""
    hostname: str
    pid: int
    since: datetime
    leads: bool


class LeaderStanding(Struct, frozen=True, kw_only=True):
    """Who leads, who could."""

    leader: LeaderNow | None
    candidates: list[CandidateItem]
    failovers: Count
    """How often the lead went on from a hub that had died."""
    overlapping: list[str]
    """Locks two held at one time in the last day: there must be none."""


class GrantsAsked(PageAsked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/leader/history, newest first; and /api/v1/locks/history."""

    name: SearchText = ""
    """Of /locks/history: only this lock."""


class GrantItem(Struct, frozen=True, kw_only=True):
    """One holding of a lock, from when to when."""

    lock_name: str
    epoch: int
    holder: str
    hostname: str
    pid: int
    acquired_at: datetime
    ended_at: datetime | None
    ended: str | None
    """released, expired (its holder died or was cut off) or forced; null: it is held."""
    held_seconds: float


class LocksAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/locks."""


class LockItem(Struct, frozen=True, kw_only=True):
    """A lock that is held."""

    lock_name: str
    holder: str
    hostname: str
    pid: int
    epoch: int
    acquired_at: datetime
    expires_at: datetime
    remaining_seconds: float


class WorkersAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/workers."""


class WorkerItem(Struct, frozen=True, kw_only=True):
    """A process on centralcloud's database."""

    name: str
    status: str
    """online, paused, draining; suspect, inactive or offline when it is silent."""
    hostname: str
    pid: int
    load: Count
    """Jobs it runs now."""
    role: str
    region: str
    version: str
    queues: list[str]
    started_at: datetime
    last_heartbeat_at: datetime
    seconds_since_heartbeat: float


class RegionAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/region: answered by `schemas.region.RegionPage`, as this hub sees it."""


class StatisticsAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/statistics: answered by `schemas.insights.GlobalStatistics`, as last counted."""


class PromoteAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /admin/orchestrator/promote."""

    name: SearchText | None = None
    """The candidate; null: a primary rather than a standby."""
    force: bool = False
    """Take the lead from a leader that lives."""


class StopAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /admin/orchestrator/stop: the leader lets others lead for half a minute."""
