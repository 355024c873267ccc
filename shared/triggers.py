"""When a schedule fires: nominal times on a grid that every process computes alike. Pure; APScheduler reads cron lines.

Times are aware datetimes in UTC, by the database's clock.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final

from apscheduler.triggers.cron import CronTrigger

from shared.errors import ConfigurationError

_ORIGIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)
_LOOK_BACK: Final = tuple(map(timedelta, (1 / 1440, 1 / 24, 1, 7, 32, 366, 8 * 366)))
"""How far to look for the last time of a cron line, in days: a leap day may be eight years away."""


class Every:
    """Fires at every multiple of some seconds since 1970, so that it does not matter who counts, or since when."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._step = max(_TICK, timedelta(seconds=seconds))

    def __str__(self) -> str:
        """As a setting says it."""
        return f"{self._seconds:g}"

    def latest(self, now: datetime) -> datetime | None:
        """The last time that is not after `now`."""
        return now - (now - _ORIGIN) % self._step

    def following(self, now: datetime) -> datetime | None:
        """The first time after `now`."""
        return now - (now - _ORIGIN) % self._step + self._step

    def share(self, fraction: float) -> float:
        """A fraction of the interval in seconds."""
        return fraction * self._seconds


class Cron:
    """Fires when a cron line says, in UTC."""

    def __init__(self, line: str) -> None:
        """Read the line; raises `ConfigurationError`, also when its time never comes."""
        self._line = line
        try:
            self._trigger = CronTrigger.from_crontab(line, timezone=UTC)
        except ValueError as error:
            raise ConfigurationError(f"{line!r} is no cron line: {error}") from error
        if self.following(_ORIGIN) is None:
            raise ConfigurationError(f"{line!r} is no cron line for schedules: its time never comes")

    def __str__(self) -> str:
        """The line."""
        return self._line

    def latest(self, now: datetime) -> datetime | None:
        """The last time that is not after `now`; None when there was none in eight years."""
        for span in _LOOK_BACK:
            found: datetime | None = None
            candidate = self.following(now - span)
            while candidate is not None and candidate <= now:
                found, candidate = candidate, self.following(candidate)
            if found is not None:
                return found
        return None

    def following(self, now: datetime) -> datetime | None:
        """The first time after `now`; None when there never is one."""
        found: datetime | None = self._trigger.get_next_fire_time(None, now + _TICK)
        return found

    def share(self, fraction: float) -> float:  # noqa: ARG002 - a line names its minute, and means it
        """Nothing."""
        return 0.0


Trigger = Every | Cron


def fraction(*parts: str) -> float:
    """A number of 0 to 1 that is always the same for the same parts: by it the fleet spreads over an interval."""
    return int.from_bytes(blake2b("\0".join(parts).encode(), digest_size=6).digest()) / 2**48
