"""`job_results` by the commits they made or judged: what labels can be told from."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from instance.store.results import Status
from schemas.routing import VERIFIER

RESULTS_MAX: Final = 20_000
"""The latest; older ones keep the label they have."""


class Made(NamedTuple):
    """A result whose job made commits, and the last word on it from one source."""

    id: int
    commits: list[str]
    """As they were told, perhaps shortened, in their order."""
    word: Status | None
    said_at: datetime | None


class Judged(NamedTuple):
    """A result of CI on a commit."""

    commit: str
    name: tuple[str, ...]
    attempt: tuple[str, ...]
    succeeded: bool
    at: datetime


_MADE = text("""
    SELECT r.id, string_to_array(r.context->>'commit', ' '), said.status, said.labelled_at
      FROM job_results r
      LEFT JOIN LATERAL (SELECT l.status, l.labelled_at FROM job_result_labels l
                          WHERE l.result_id = r.id AND l.source = :source
                          ORDER BY l.labelled_at DESC LIMIT 1) said ON true
     WHERE r.context ? 'commit' AND NOT r.context ? 'ci' AND r.source <> 'junit'
       AND (r.status = 'unlabelled' OR r.label_source IS NOT NULL)
     ORDER BY r.completed_at DESC LIMIT :limit
""")
_JUDGED = text("""
    SELECT r.context->>'commit',
           ARRAY[r.job_type]
               || ARRAY(SELECT coalesce(r.context->>w, '') FROM unnest(ARRAY['ci', 'workflow', 'step']) w),
           CASE WHEN r.context ? 'run'
                THEN ARRAY(SELECT coalesce(r.context->>w, '') FROM unnest(ARRAY['run', 'attempt', 'job']) w)
                ELSE ARRAY[CAST(r.id AS text)] END,
           r.success, r.completed_at
      FROM job_results r
     WHERE r.context ? 'commit' AND (r.context ? 'ci' OR r.source = 'junit') AND r.success IS NOT NULL
       AND NOT starts_with(r.job_type, :verifier)
     ORDER BY r.completed_at DESC LIMIT :limit
""")


async def made(connection: AsyncConnection, source: str) -> list[Made]:
    """Read the results whose jobs made commits and that came without a verdict of their own."""
    rows = await connection.execute(_MADE, {"source": source, "limit": RESULTS_MAX})
    return [Made(*row) for row in rows]


async def judged(connection: AsyncConnection) -> list[Judged]:
    """Read what CI said of commits; what is known of verdicts is known from these."""
    rows = await connection.execute(_JUDGED, {"limit": RESULTS_MAX, "verifier": VERIFIER})
    return [Judged(row[0], tuple(row[1]), tuple(row[2]), row[3], row[4]) for row in rows]
