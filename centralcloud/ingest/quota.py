"""How much of each instance is taken in a minute: what is above it waits, and nobody else waits for it. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from centralcloud.config import EVENTS_PER_MINUTE

MINUTE_SECONDS: Final = 60.0
OWNERS_MAX: Final = 10_000
"""Of more than so many, those that have their whole allowance are not remembered."""


class Quota:
    """An allowance for each instance, which fills up within a minute; of one process, as each hub counts for itself."""

    def __init__(self, events_per_minute: int = EVENTS_PER_MINUTE, clock: Callable[[], float] = time.monotonic) -> None:
        self._full = float(events_per_minute)
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._left)

    def wait_seconds(self, owner: str) -> float:
        """How long until more of it may be taken; 0: now."""
        return max(0.0, -self._allowance(owner)) / self._full * MINUTE_SECONDS

    def spend(self, owner: str, events: int) -> None:
        """Count what was taken: an envelope is taken whole, and waited for afterwards."""
        self._left[owner] = (self._allowance(owner) - events, self._clock())
        if len(self._left) > OWNERS_MAX:
            self._left = {one: left for one, left in self._left.items() if self._allowance(one) < self._full}

    def _allowance(self, owner: str) -> float:
        left, at = self._left.get(owner, (self._full, self._clock()))
        return min(self._full, left + (self._clock() - at) / MINUTE_SECONDS * self._full)
