"""Settings of a centralcloud daemon."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from shared.config import Resolved, Seconds, Settings, resolve

SECTION = "centralcloud"
HALF_LIFE_DAYS = 90.0

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

    stream_replicas: Annotated[int, Meta(ge=1, le=5)] = 1
    """3 in a NATS cluster of three or more."""
    suspect_seconds: Seconds = 30.0
    """A holder not heard for this long may be replaced by another."""
    silence_seconds: Seconds = 7.5
    """A holder not heard for this long may be replaced by a restart of its own database."""
    half_life_days: Annotated[float, Meta(gt=0, le=36_500)] = HALF_LIFE_DAYS
    """The word of an instance not heard from for so long counts half."""
    orchestrator_role: Literal["primary", "standby", ""] = ""
    """Of several hubs on one database one leads: a primary rather than a standby; empty: whoever comes first."""
    leadership_ttl_seconds: Seconds = 10.0
    """So long after the death of the leader another hub leads."""
    leadership_check_seconds: Seconds = 5.0
    """How often a hub that does not lead looks whether it should."""


def load(flags: Mapping[str, Any] | None = None, file: Path | None = None) -> Resolved[CentralcloudSettings]:
    """Resolve the settings of this process."""
    return resolve(CentralcloudSettings, SECTION, environment=os.environ, flags=flags, file=file)
