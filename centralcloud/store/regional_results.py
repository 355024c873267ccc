"""`result_states` added up over the instances of a tenant, cell by cell: what a region knows together of models.

A cell is one day, kind of job, model and context. What fewer than enough instances have is in no cell.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from itertools import groupby
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.names import COUNT_MAX
from schemas.region import RegionalResults
from schemas.results import ResultSums
from shared.results import merge

ROWS_MAX: Final = 2_000
"""Of instances, read for one page: each may hold two sketches."""

TRANSACTION_SECONDS_MAX: Final = 120
"""What was received in a transaction is dated by its beginning, and seen at its end."""

_TRUSTED: Final = "NOT EXISTS (SELECT FROM distrusted d WHERE d.tenant = r.tenant AND d.instance = r.instance)"
_SUMS: Final = ", ".join(f"'{name}', r.{name}" for name in ResultSums.__struct_fields__)
_PAGE: Final = f"""
    WITH cells AS (
        SELECT r.day, r.job_type, r.model, r.context, count(*) AS instances
          FROM {{those}}
         WHERE r.tenant = :tenant AND r.results > 0 AND {_TRUSTED}
           AND (CAST(:day AS date) IS NULL OR (r.day, r.job_type, r.model, r.context)
                                            > (CAST(:day AS date), :job_type, :model, CAST(:context AS jsonb)))
         GROUP BY 1, 2, 3, 4
        HAVING count(*) >= :instances_min
         ORDER BY 1, 2, 3, 4 LIMIT :limit
    ), counted AS (
        SELECT *, sum(instances) OVER (ORDER BY day, job_type, model, context) - instances AS before FROM cells
    )
    SELECT r.day, r.job_type, r.model, CAST(r.context AS text), CAST(json_build_object({_SUMS}) AS text)
      FROM counted c JOIN result_states r USING (day, job_type, model, context)
     WHERE c.before < {ROWS_MAX} AND r.tenant = :tenant AND r.results > 0 AND {_TRUSTED}
     ORDER BY r.day, r.job_type, r.model, r.context, r.instance
"""  # noqa: S608 - composed of constants
_CHANGED: Final = """
    (SELECT DISTINCT day, job_type, model, context FROM result_states
      WHERE tenant = :tenant AND received_at > :since) AS changed
    JOIN result_states r USING (day, job_type, model, context)
"""
_ALL = text(_PAGE.format(those="result_states r"))
_SINCE = text(_PAGE.format(those=_CHANGED))
_NOW = text("SELECT clock_timestamp() - make_interval(secs => :seconds)")


class Cell(NamedTuple):
    """What results have in common that are added up; the context as the database writes it."""

    day: date
    job_type: str
    model: str
    context: str


async def asked_at(connection: AsyncConnection) -> datetime:
    """Read the time since which something may be on its way that cannot be seen yet."""
    return (await connection.execute(_NOW, {"seconds": TRANSACTION_SECONDS_MAX})).scalar_one()  # type: ignore[no-any-return]


async def page(
    connection: AsyncConnection, tenant: str, instances_min: int, since: datetime | None, after: Cell | None, limit: int
) -> list[tuple[Cell, RegionalResults | None]]:
    """Read the next cells in their order, None for one whose sums cannot be true; empty when there are no more."""
    last: dict[str, Any] = after._asdict() if after else dict.fromkeys(Cell._fields)
    values = {"tenant": tenant, "instances_min": instances_min, "since": since, "limit": limit, **last}
    rows = await connection.execute(_ALL if since is None else _SINCE, values)
    return list(_summed((Cell(*cell), sums) for *cell, sums in rows))


def _summed(rows: Iterator[tuple[Cell, str]]) -> Iterator[tuple[Cell, RegionalResults | None]]:
    for cell, said in groupby(rows, key=lambda row: row[0]):
        terms = [msgspec.json.decode(sums, type=ResultSums) for _, sums in said]
        sums = merge(terms)
        yield cell, None if _overflows(sums) else _results(cell, len(terms), sums)


def _results(cell: Cell, instances: int, sums: ResultSums) -> RegionalResults:
    return RegionalResults(
        day=cell.day,
        job_type=cell.job_type,
        model=cell.model,
        context=msgspec.json.decode(cell.context, type=dict[str, str]),
        instances=instances,
        sums=sums,
    )


def _overflows(sums: ResultSums) -> bool:
    """Whether a few liars drove a sum above what is a count; of honest instances none gets near."""
    return any(isinstance(value, int) and value > COUNT_MAX for value in msgspec.structs.astuple(sums))
