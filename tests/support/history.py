"""Results made up, as they are summed up and compared."""

from __future__ import annotations

from datetime import date, timedelta

from instance.learning.labels.summary import Seen

FIRST = date(2026, 3, 1)
BLANK = Seen(FIRST, "fix", "opus", {}, None, None, None, None)


def work(model: str, cents: float, *, good: float, days: int = 20, a_day: int = 10, **fields: object) -> list[Seen]:
    """Jobs of some days, of which a share succeeds, in turns."""
    jobs = [BLANK._replace(day=FIRST + timedelta(days=day), model=model) for day in range(days) for _ in range(a_day)]
    return [
        one._replace(cost_cents=cents, duration_ms=1000 + place, tokens=7, succeeded=place % 10 < good * 10)._replace(
            **fields  # type: ignore[arg-type]  # fields of a job
        )
        for place, one in enumerate(jobs)
    ]
