"""`job_results`: how jobs ended. Facts are recorded once; labels come late, are corrected, and are all kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Literal

from msgspec import Struct, structs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.codec import encode

Status = Literal["success", "failed", "timeout", "cancelled", "unlabelled"]

RETENTION_DAYS: Final = 90
RESPONSE: Final = "response"
"""The context word with a digest of what a provider calls its answer."""

TOGETHER_SECONDS: Final = 600
"""What tells of one request ends within so many of each other: answers are numbered anew by servers that start anew."""

ROWS_MAX: Final = 1000


class Usage(Struct, frozen=True, kw_only=True):
    """What a job spent on models; None is unknown."""

    cost_cents: Decimal | None = None
    """Kept to a millionth of a cent."""
    model_used: str | None = None
    input_tokens: int | None = None
    """Without those read from or written to a cache: the five kinds do not overlap."""
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None


class JobResult(Usage, frozen=True, kw_only=True):
    """How one job ended; None is unknown. Nothing of it but sums leaves the machine."""

    job_type: str
    status: Status = "unlabelled"
    job_id: str | None = None
    instance_id: str | None = None
    """Which process of this instance it ran in; None: the instance itself."""
    workflow: str = ""
    error: str = ""
    duration_ms: int | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    """None: now."""
    context: dict[str, str] = {}
    patterns_discovered: tuple[str, ...] = ()
    insights: dict[str, Any] = {}
    input_summary: str = ""
    result_summary: str = ""
    source: str = "local"
    external_id: str | None = None
    """Unique within the source: what was recorded or pruned before is not recorded again."""


@dataclass(frozen=True)
class Label:
    """What somebody found out about a result, and when: the latest one stands, in whatever order they arrive."""

    status: Status
    source: str
    at: datetime


@dataclass(frozen=True)
class Uncounted:
    """A result as it is to be counted, and the status it was counted with before, if it was."""

    id: int
    counted: Status | None
    state_id: int | None
    """Where it was counted."""
    status: Status
    day: date
    job_type: str
    model: str | None
    context: dict[str, Any]
    cost_microcents: int | None
    tokens: Sequence[int] | None
    """Input, output, cache read, cache write, reasoning."""
    duration_ms: int | None


_RECORD = text("""
    INSERT INTO job_results
           (job_id, instance_id, job_type, workflow, status, error, duration_ms, started_at, completed_at, cost_cents,
            model_used, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, context,
            patterns_discovered, insights, input_summary, result_summary, source, external_id)
    SELECT r.job_id, coalesce(r.instance_id, (SELECT i.instance_id FROM identity i), ''), r.job_type, r.workflow,
           r.status, r.error, r.duration_ms, r.started_at, coalesce(r.completed_at, clock_timestamp()), r.cost_cents,
           r.model_used, r.input_tokens, r.output_tokens, r.cache_read_tokens, r.cache_write_tokens, r.reasoning_tokens,
           r.context, r.patterns_discovered, r.insights, r.input_summary, r.result_summary, r.source, r.external_id
      FROM jsonb_array_elements(CAST(:rows AS jsonb)) WITH ORDINALITY AS e(one, place),
           jsonb_populate_record(CAST(NULL AS job_results), e.one) AS r
     WHERE NOT EXISTS (SELECT FROM job_results_pruned p
                        WHERE (p.source, p.external_id) = (r.source, r.external_id))
       AND NOT EXISTS (SELECT FROM job_results o
                        WHERE o.context ? 'response' AND o.context->>'response' = r.context->>'response'
                          AND o.source <> r.source AND o.job_type = r.job_type
                          AND coalesce(o.output_tokens + coalesce(o.reasoning_tokens, 0)
                                       = r.output_tokens + coalesce(r.reasoning_tokens, 0), true)
                          AND abs(extract(epoch FROM o.completed_at - coalesce(r.completed_at, clock_timestamp())))
                              < :together_seconds)
     ORDER BY e.place
    ON CONFLICT (source, external_id) DO NOTHING
    RETURNING id
""")
_ANSWER_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('job_results.response'))")
_WORDS_LOCK = text("SELECT pg_advisory_xact_lock_shared(hashtext('job_result_words'))")
_APPLY_WORDS = text("""
    WITH said AS (
        SELECT r.id, w.source, greatest(w.labelled_at, r.completed_at) AS at, w.status
          FROM job_results r
          JOIN job_result_words w
            ON (w.subject = 'job' AND w.name = r.job_id
                OR w.subject = 'commit' AND left(w.name, 7) = ANY(commits_in(r.context))
                   AND EXISTS (SELECT FROM string_to_table(r.context->>'commit', ' ') AS c
                                WHERE starts_with(c, w.name) OR starts_with(w.name, c)))
           AND w.job_type IN ('', r.job_type)
         WHERE r.id = ANY(:ids) AND r.context->>'verdict' IS DISTINCT FROM 'rejected'
    ), heard AS (
        INSERT INTO job_result_labels (result_id, source, labelled_at, status)
        SELECT id, source, at, status FROM said ON CONFLICT DO NOTHING
    ), last AS (
        SELECT DISTINCT ON (id) id, source, at, status FROM said ORDER BY id, at DESC, source DESC
    )
    UPDATE job_results r SET status = l.status, label_source = l.source, labelled_at = l.at
      FROM last l WHERE r.id = l.id
""")
_FIND = text("SELECT id FROM job_results WHERE (source, external_id) = (:source, :external_id)")
_OF_JOB = text("""
    SELECT id FROM job_results WHERE job_id = :job_id AND context->>'verdict' IS DISTINCT FROM 'rejected' ORDER BY id
""")
_LABEL = text("""
    WITH labelled AS (
        SELECT id, completed_at FROM job_results WHERE id = ANY(:ids) ORDER BY id FOR UPDATE
    ), heard AS (
        INSERT INTO job_result_labels (result_id, source, labelled_at, status)
        SELECT id, :source, greatest(CAST(:at AS timestamptz), completed_at), :status FROM labelled
        ON CONFLICT DO NOTHING
        RETURNING result_id, labelled_at
    )
    UPDATE job_results r SET status = :status, label_source = :source, labelled_at = h.labelled_at
      FROM heard h
     WHERE r.id = h.result_id
       AND (r.labelled_at IS NULL OR (r.labelled_at, r.label_source) < (h.labelled_at, :source))
""")
_UNCOUNTED = text("""
    SELECT id, counted, state_id, status, CAST(completed_at AT TIME ZONE 'UTC' AS date), job_type, model_used, context,
           CAST(cost_cents * 1000000 AS bigint),
           CASE WHEN tokens_used IS NOT NULL THEN ARRAY[
               coalesce(input_tokens, 0), coalesce(output_tokens, 0), coalesce(cache_read_tokens, 0),
               coalesce(cache_write_tokens, 0), coalesce(reasoning_tokens, 0)] END,
           duration_ms
      FROM job_results WHERE counted IS DISTINCT FROM status
     ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED
""")
_MARK_COUNTED = text("""
    UPDATE job_results r SET counted = r.status, state_id = c.state_id
      FROM unnest(CAST(:ids AS bigint[]), CAST(:state_ids AS bigint[])) AS c(id, state_id) WHERE r.id = c.id
""")
_LOCK = text("LOCK TABLE job_results IN SHARE ROW EXCLUSIVE MODE")
_PRUNE = text("""
    WITH pruned AS (
        DELETE FROM job_results
         WHERE id IN (SELECT id FROM job_results
                       WHERE recorded_at < clock_timestamp() - make_interval(days => :days) AND counted = status
                       ORDER BY recorded_at LIMIT :limit)
        RETURNING source, external_id
    ), remembered AS (
        INSERT INTO job_results_pruned SELECT source, external_id FROM pruned WHERE external_id IS NOT NULL
    )
    SELECT count(*) FROM pruned
""")


async def record(connection: AsyncConnection, result: JobResult) -> bool:
    """Record one result; False when its source has recorded it before."""
    return await record_many(connection, [result]) == 1


async def record_many(connection: AsyncConnection, many: Sequence[JobResult]) -> int:
    """Record results and return how many were new; what was said of their jobs and commits before holds for them.

    A request to a model that another source has told of is not new: the same answer, context `response`, at the same
    time and as long.
    """
    if any(RESPONSE in result.context for result in many):
        await connection.execute(_ANSWER_LOCK)  # or two that tell of one request could not see each other
    await connection.execute(_WORDS_LOCK)
    new: list[int] = []
    for start in range(0, len(many), ROWS_MAX):
        rows = encode([_storable(result) for result in many[start : start + ROWS_MAX]]).decode()
        new += (await connection.execute(_RECORD, {"rows": rows, "together_seconds": TOGETHER_SECONDS})).scalars()
    await connection.execute(_APPLY_WORDS, {"ids": new})
    return len(new)


async def find(connection: AsyncConnection, source: str, external_id: str) -> int | None:
    """The id of a result by what its source calls it."""
    found: int | None = (await connection.execute(_FIND, {"source": source, "external_id": external_id})).scalar()
    return found


async def of_job(connection: AsyncConnection, job_id: str) -> list[int]:
    """The ids of the results of a job, but for attempts that a verifier rejected: they are not what it delivered."""
    return list((await connection.execute(_OF_JOB, {"job_id": job_id})).scalars())


async def label(connection: AsyncConnection, ids: Sequence[int], said: Label) -> int:
    """Label results; a later label, by its own time, overrules. Returns for how many this one stands now.

    A label is never older than the result: clocks of other machines may be behind.
    """
    values = {"ids": list(ids), "status": said.status, "source": said.source, "at": said.at}
    return (await connection.execute(_LABEL, values)).rowcount


async def lock_uncounted(connection: AsyncConnection, limit: int) -> list[Uncounted]:
    """Read results, not all of them new, that are counted otherwise than they are now, and keep them as they are.

    What the row itself says of having been counted is the watermark: a transaction that commits late, with an id
    below others long counted, is found like any other. A row somebody is labelling now is left for the next time.
    """
    return [Uncounted(*row) for row in await connection.execute(_UNCOUNTED, {"limit": limit})]


async def mark_counted(connection: AsyncConnection, places: Mapping[int, int]) -> None:
    """Note in which state each result, by its id, is counted with its present status."""
    await connection.execute(_MARK_COUNTED, {"ids": list(places), "state_ids": list(places.values())})


async def prune(connection: AsyncConnection, *, days: int = RETENTION_DAYS, limit: int = 10_000) -> int:
    """Delete results that were recorded so long ago and are counted; their sums stay. Returns how many went.

    A history that is imported is here from then on, however old it is.
    """
    await connection.execute(_LOCK)  # or one that is being deleted could be recorded a second time meanwhile
    gone: int = (await connection.execute(_PRUNE, {"days": days, "limit": limit})).scalar_one()
    return gone


def _storable(result: JobResult) -> dict[str, Any]:
    """PostgreSQL keeps no NUL, but messages of errors may quote one."""
    fields = structs.asdict(result)
    return {
        name: value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value
        for name, value in fields.items()
    }
