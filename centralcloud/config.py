"""Settings of a centralcloud daemon."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

from msgspec import Meta, field

from schemas.names import Name
from shared.config import Resolved, Seconds, Settings, resolve

SECTION = "centralcloud"
HALF_LIFE_DAYS = 90.0
INSTANCES_MIN = 2
BACKLOG_MAX = 5000
EVENTS_PER_MINUTE = 100_000

SignaturePolicy: TypeAlias = Literal["known", "required", "off"]

SCHEDULES: Final[Mapping[str, float]] = {
    "aggregate": 3_600.0,
    "statistics": 3_600.0,
    "calibration": 6 * 3_600.0,
    "routing": 3_600.0,
    "cleanup": 7 * 86_400.0,
    "registry": 30.0,
    "leadership": 60.0,
}
"""What is done every how many seconds, unless `schedules` says otherwise."""


class CentralcloudSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What centralcloud can be told, beside what both daemons can."""

    database_read_url: str | None = None
    """A replica of the database, or several; what is only read over HTTP is read there."""
    database_read_stale_seconds: Seconds = 10.0
    """A replica further behind is passed over: the primary is read."""
    stream_replicas: Annotated[int, Meta(ge=1, le=5)] = 1
    """3 in a NATS cluster of three or more."""
    suspect_seconds: Seconds = 30.0
    """A holder not heard for this long may be replaced by another."""
    silence_seconds: Seconds = 7.5
    """A holder not heard for this long may be replaced by a restart of its own database."""
    backlog_max: Annotated[int, Meta(ge=1, le=10_000_000)] = BACKLOG_MAX
    """More events than this that wait to be committed, and whoever sends is asked to slow down."""
    signatures: SignaturePolicy = "known"
    """known: who signed once must go on to; required: what is not signed is refused; off: nobody looks at them."""
    ingest_events_per_minute: Annotated[int, Meta(ge=1, le=1_000_000_000)] = EVENTS_PER_MINUTE
    """Of one instance, in one process: what is above it waits, and is not dropped."""
    ingest_tokens: dict[Name, str] = field(default_factory=dict)
    """Who may post events over HTTP: name of the instance it speaks for = its token."""
    tenant_tokens: dict[Name, str] = field(default_factory=dict)
    """Who may see and change over HTTP what one tenant has: its name = its token; needs `http_token`."""
    half_life_days: Annotated[float, Meta(gt=0, le=36_500)] = HALF_LIFE_DAYS
    """The word of an instance not heard from for so long counts half."""
    insight_instances_min: Annotated[int, Meta(ge=INSTANCES_MIN, le=1_000)] = INSTANCES_MIN
    """What fewer instances know, those not counted that are set aside, is no insight; the same on every hub."""
    region_delegate: Name | Literal[""] = ""
    """The instance that tells what the hub above this region knows; empty: nobody is heard."""
    orchestrator_role: Literal["primary", "standby", ""] = ""
    """Of several hubs on one database one leads: a primary rather than a standby; empty: whoever comes first."""
    leadership_ttl_seconds: Seconds = 10.0
    """So long after the death of the leader another hub leads."""
    leadership_check_seconds: Seconds = 5.0
    """How often a hub that does not lead looks whether it should."""


def load(flags: Mapping[str, Any] | None = None, file: Path | None = None) -> Resolved[CentralcloudSettings]:
    """Resolve the settings of this process."""
    return resolve(CentralcloudSettings, SECTION, environment=os.environ, flags=flags, file=file)
