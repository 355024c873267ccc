"""`job_results` as they are to be summed up and compared on the machine they happened on."""

from __future__ import annotations

from datetime import date
from typing import Any, Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

RESULTS_MAX: Final = 200_000


class Happened(NamedTuple):
    """One result; None is unknown."""

    day: date
    job_type: str
    model: str | None
    context: dict[str, Any]
    succeeded: bool | None
    cost_cents: float | None
    duration_ms: int | None
    tokens: int | None
    route: int | None
    """Which advice it followed, what that was, and how likely it was to be."""
    plan: list[str] | None
    propensity: float | None
    held_out: bool | None
    """Whether it was the incumbent by lot, and in what share of such choices it is; None: no lot was drawn."""
    holdout: float | None
    usage: list[int | None] | None
    """Tokens: input, output, cache read, cache write, reasoning; None unless asked for."""


_HAPPENED = text("""
    SELECT CAST(r.completed_at AT TIME ZONE 'UTC' AS date), r.job_type, r.model_used, r.context, r.success,
           CAST(r.cost_cents AS float8), r.duration_ms, r.tokens_used, a.id, a.plan, a.propensity, a.held_out,
           CASE WHEN a.held_out IS NOT NULL THEN CAST(a.constraints->>'holdout' AS float8) END,
           CASE WHEN :with_usage THEN ARRAY[r.input_tokens, r.output_tokens, r.cache_read_tokens,
                                            r.cache_write_tokens, r.reasoning_tokens] END
      FROM job_results r
      LEFT JOIN routing_records a ON CAST(a.id AS text) = r.context->>'route' AND a.job_type = r.job_type
     WHERE (CAST(:days AS integer) IS NULL OR r.completed_at >= clock_timestamp() - make_interval(days => :days))
       AND (CAST(:job_type AS text) IS NULL OR r.job_type = :job_type)
     ORDER BY r.completed_at DESC, r.id DESC LIMIT :limit
""")


async def happened(
    connection: AsyncConnection,
    *,
    days: int | None = None,
    job_type: str | None = None,
    limit: int = RESULTS_MAX,
    with_usage: bool = False,
) -> list[Happened]:
    """Read the latest results, those that ended last first, of so many days, and of one kind."""
    values = {"days": days, "job_type": job_type, "limit": limit, "with_usage": with_usage}
    return [Happened(*row) for row in await connection.execute(_HAPPENED, values)]
