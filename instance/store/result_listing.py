"""`job_results` to be looked at and found again, for people and their commands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from instance.store.results import Status

COMMIT_DIGITS_MIN: Final = 7


class ResultRow(Struct, frozen=True, kw_only=True):
    """One result as it stands."""

    id: int
    job_type: str
    status: Status
    model_used: str | None
    cost_cents: Decimal | None
    tokens_used: int | None
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    duration_ms: int | None
    started_at: datetime | None
    completed_at: datetime
    job_id: str | None
    error: str
    context: dict[str, Any]
    insights: dict[str, Any]
    source: str
    external_id: str | None
    label_source: str | None
    labelled_at: datetime | None


class LabelRow(Struct, frozen=True, kw_only=True):
    """One word on a result."""

    status: Status
    source: str
    labelled_at: datetime


_COLUMNS: Final = ", ".join(ResultRow.__struct_fields__)
_LIST = text(f"""
    SELECT {_COLUMNS} FROM job_results
     WHERE (CAST(:job_type AS text) IS NULL OR job_type = :job_type)
       AND (CAST(:model AS text) IS NULL OR model_used = :model)
       AND (CAST(:status AS text) IS NULL OR status = :status)
       AND (CAST(:source AS text) IS NULL OR source = :source)
     ORDER BY completed_at DESC, id DESC LIMIT :limit
""")  # noqa: S608 - constant columns
_GET = text(f"SELECT {_COLUMNS} FROM job_results WHERE id = :id")  # noqa: S608 - same
_LABELS = text("""
    SELECT status, source, labelled_at FROM job_result_labels WHERE result_id = :id ORDER BY labelled_at, source
""")
_EXIST = text("SELECT id FROM job_results WHERE id = ANY(:ids)")
_OF_COMMIT = text("""
    SELECT r.id FROM job_results r
     WHERE r.context ? 'commit' AND commits_in(r.context) @> ARRAY[left(:commit, :digits)]
       AND EXISTS (SELECT FROM string_to_table(r.context->>'commit', ' ') AS c
                    WHERE length(c) >= :digits AND (starts_with(c, :commit) OR starts_with(:commit, c)))
       AND r.context->>'verdict' IS DISTINCT FROM 'rejected'
       AND (CAST(:job_type AS text) IS NULL OR r.job_type = :job_type)
     ORDER BY r.id
""")


async def list_results(
    connection: AsyncConnection,
    *,
    job_type: str | None = None,
    model: str | None = None,
    status: Status | None = None,
    source: str | None = None,
    limit: int,
) -> list[ResultRow]:
    """Read results, those that ended last first."""
    values = {"job_type": job_type, "model": model, "status": status, "source": source, "limit": limit}
    return [_result(row) for row in await connection.execute(_LIST, values)]


async def get(connection: AsyncConnection, result_id: int) -> ResultRow | None:
    """Read one result."""
    row = (await connection.execute(_GET, {"id": result_id})).one_or_none()
    return _result(row) if row else None


async def labels(connection: AsyncConnection, result_id: int) -> list[LabelRow]:
    """Every word on a result, in the order of their times."""
    rows = await connection.execute(_LABELS, {"id": result_id})
    return [LabelRow(status=row[0], source=row[1], labelled_at=row[2]) for row in rows]


async def existing(connection: AsyncConnection, ids: Sequence[int]) -> list[int]:
    """Those of the ids that are there."""
    return list((await connection.execute(_EXIST, {"ids": list(ids)})).scalars())


async def of_commit(connection: AsyncConnection, commit: str, job_type: str | None = None) -> list[int]:
    """The ids of the results, or of those of one kind, whose job made or judged a commit.

    Either of the two ids of the commit may be shortened, to seven digits. Attempts that a verifier rejected are not
    what became of a commit.
    """
    values = {"commit": commit.lower(), "digits": COMMIT_DIGITS_MIN, "job_type": job_type}
    return list((await connection.execute(_OF_COMMIT, values)).scalars())


def _result(row: Sequence[Any]) -> ResultRow:
    return ResultRow(**dict(zip(ResultRow.__struct_fields__, row, strict=True)))
