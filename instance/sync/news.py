"""What of a repository has not been said yet, so that a small change is said without looking at everything."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final, NamedTuple

TOUCHED_MAX: Final = 20_000
"""With more than this it is quicker to look at everything."""


class Look(NamedTuple):
    """What to look at: the fingerprints in `touched`, None for all; `bars` as the last look at everything left them."""

    touched: AbstractSet[str] | None
    bars: Mapping[str, float]


@dataclass
class News:
    """Patterns touched since the last word about one repository."""

    touched: set[str] | None = None
    bars: Mapping[str, float] = field(default_factory=dict)
    insight_version: int = -1

    def touch(self, fingerprints: AbstractSet[str]) -> None:
        """Note patterns that changed."""
        if self.touched is not None:
            self.touched |= fingerprints
            if len(self.touched) > TOUCHED_MAX:
                self.touched = None

    def take(self, insight_version: int) -> Look:
        """Return what to look at, and begin to collect anew; new insights may release the words of any pattern."""
        touched = self.touched if insight_version == self.insight_version else None
        self.touched, self.insight_version = set(), insight_version
        return Look(touched, self.bars)

    def look_at_everything(self) -> None:
        """Look at everything next time: nobody knows what was said."""
        self.touched = None
