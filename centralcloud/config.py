"""Settings of a centralcloud daemon."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from shared.config import Resolved, Seconds, Settings, resolve

SECTION = "centralcloud"
HALF_LIFE_DAYS = 90.0


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


def load(flags: Mapping[str, Any] | None = None, file: Path | None = None) -> Resolved[CentralcloudSettings]:
    """Resolve the settings of this process."""
    return resolve(CentralcloudSettings, SECTION, environment=os.environ, flags=flags, file=file)
