"""What is to be said of the schedules of a database: what the settings say, and what has happened. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from shared.fires import Shown


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


def times(defaults: Mapping[str, float | None], overrides: Mapping[str, str]) -> dict[str, str]:
    """When each schedule runs: seconds by default, and what the settings say instead."""
    said = {name: "off" if seconds is None else f"{seconds:g}" for name, seconds in defaults.items()}
    return {name: "on demand" if when == "off" else when for name, when in (said | dict(overrides)).items()}


def rows(times: Mapping[str, str], known: Sequence[Shown]) -> list[Row]:
    """Join when schedules run and what is known of them, by name."""
    happened = {one.name: one for one in known}
    return [_row(name, times.get(name), happened.get(name)) for name in sorted(times.keys() | happened.keys())]


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
