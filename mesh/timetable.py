"""What is to be said of the schedules of a database: what the settings say, and what has happened."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from shared import grants
from shared.fires import Shown

SETTINGS: Final = {"instance": "instance.config", "centralcloud": "centralcloud.config"}
"""Modules with a `load`, and with SCHEDULES: every schedule with its seconds, None for on demand."""

ATTENDING: Final = ("instance", "orchestrator:leader")
"""Whoever holds one of these runs the schedules of its database."""


class Row(Struct, frozen=True):
    """One schedule; `when` is seconds, a line of cron or "on demand", and None when only the daemon knows."""

    name: str
    when: str | None
    enabled: bool
    last_run: datetime | None
    took_seconds: float | None
    next_run: datetime | None
    last_error: str | None
    runs: int
    fired_by: str | None
    is_wanted: bool

    @property
    def took(self) -> str | None:
        """How long it took, for people."""
        return None if self.took_seconds is None or self.took_seconds < 0 else f"{self.took_seconds:.1f} s"


def configured(kind: str) -> dict[str, str]:
    """When each schedule of a kind of database runs, by the settings of this shell."""
    module = importlib.import_module(SETTINGS[kind])
    defaults: Mapping[str, float | None] = getattr(module, "SCHEDULES", {})
    said = {name: "off" if seconds is None else f"{seconds:g}" for name, seconds in defaults.items()}
    said |= module.load().settings.schedules
    return {name: "on demand" if when == "off" else when for name, when in said.items()}


def rows(times: Mapping[str, str], known: Sequence[Shown]) -> list[Row]:
    """Join both, by name."""
    happened = {one.name: one for one in known}
    return [_row(name, times.get(name), happened.get(name)) for name in sorted(times.keys() | happened.keys())]


async def is_attended(connection: AsyncConnection) -> bool:
    """Whether a daemon runs the schedules of this database."""
    return any([await grants.holding(connection, name) is not None for name in ATTENDING])


def _row(name: str, when: str | None, happened: Shown | None) -> Row:
    if happened is None:
        return Row(name, when, True, None, None, None, None, 0, None, False)
    return Row(
        name=name,
        when=when,
        enabled=happened.enabled,
        last_run=happened.last_run,
        took_seconds=happened.took_seconds,
        next_run=happened.next_run if happened.enabled else None,
        last_error=happened.last_error,
        runs=happened.runs,
        fired_by=happened.fired_by,
        is_wanted=happened.is_wanted,
    )
