"""What the jobs of the fleet came to: `result_states` added up, instances that are set aside left out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import msgspec
from msgspec import Struct, convert
from sqlalchemy import CursorResult, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.store.sums import total
from schemas.results import ResultSums

SKETCHED: Final = ("cost", "latency")
COUNTS: Final = tuple(name for name in ResultSums.__struct_fields__ if name not in (*SKETCHED, "latency_ms_squared"))
_BELIEVED: Final = "NOT EXISTS (SELECT FROM distrusted d WHERE d.tenant = r.tenant AND d.instance = r.instance)"
_FITTING: Final = f"""
     WHERE r.tenant = :tenant AND r.day BETWEEN :first AND :last AND {_BELIEVED}
       AND (:job_type = '' OR r.job_type = :job_type) AND (:model = '' OR r.model = :model)
       AND (:instance = '' OR r.instance = :instance)
"""
_SUMS: Final = ", ".join(f"{total(f'r.{name}')} AS {name}" for name in COUNTS)
_SUMS_OF_SUMS: Final = ", ".join(f"{total(name)} AS {name}" for name in COUNTS)
# Instance by instance first: counting who is distinct among all rows would sort them.
_TOTALS = """
    SELECT job_type, model, count(*) AS instances, {sums_of_sums} FROM (
        SELECT {job_type} AS job_type, {model} AS model, r.instance, {sums}
          FROM result_states r {fitting} GROUP BY 1, 2, r.instance) AS said
     GROUP BY job_type, model ORDER BY results DESC, job_type, model LIMIT :limit
"""
_OF_KIND, _OF_DAY, _OF_EVERYTHING = 1, 2, 3
"""What GROUPING(job_type, day) says."""
# The rows are wide, so all sums are made of one look at them. Who is distinct is seen in the key alone.
_SUMMARY = text(f"""
    WITH cells AS MATERIALIZED (
        SELECT r.job_type, r.model, r.day, {_SUMS} FROM result_states r {_FITTING} GROUP BY 1, 2, 3
    ), said AS MATERIALIZED (
        SELECT DISTINCT r.job_type, r.model, r.instance FROM result_states r {_FITTING}
    ), heard AS (
        SELECT job_type, model, count(*) AS instances FROM said GROUP BY job_type, model
    ), summed AS (
        SELECT GROUPING(job_type, day) AS kind, job_type, model, day, count(*) AS cells, {_SUMS_OF_SUMS},
               row_number() OVER (PARTITION BY GROUPING(job_type, day)
                                  ORDER BY {total("results")} DESC, job_type, model, day) AS place
          FROM cells GROUP BY GROUPING SETS ((job_type, model), (day), ())
    )
    SELECT kind, day, coalesce(s.job_type, '') AS job_type, coalesce(s.model, '') AS model, {", ".join(COUNTS)},
           CASE kind WHEN {_OF_EVERYTHING} THEN (SELECT count(DISTINCT instance) FROM said)
                     ELSE instances END AS instances
      FROM summed s LEFT JOIN heard h ON h.job_type = s.job_type AND h.model = s.model
     WHERE s.cells > 0 AND (kind <> {_OF_KIND} OR place <= :limit)
     ORDER BY kind, day, place
""")  # noqa: S608 - composed of constants
_NOTHING: Final = "CAST('' AS text)"


def _totals(model: str) -> TextClause:
    return text(
        _TOTALS.format(job_type=_NOTHING, model=model, sums=_SUMS, sums_of_sums=_SUMS_OF_SUMS, fitting=_FITTING)
    )


_BY_MODEL = _totals("r.model")
_OF_ALL = _totals(_NOTHING)
_ROWS = text(f"SELECT count(*) FROM (SELECT FROM result_states r {_FITTING} LIMIT :limit) AS first")  # noqa: S608
_SKETCHES = text(f"""
    SELECT r.job_type, r.model,
           CAST(json_build_object('results', r.results, 'cost', r.cost, 'latency', r.latency) AS text)
      FROM result_states r {_FITTING}
""")  # noqa: S608 - composed of constants


_PLAN_ANEW = text("SET LOCAL plan_cache_mode = force_custom_plan")
"""What is left open decides how best to look: a plan for all questions takes five times as long (measured)."""


class Wanted(Struct, frozen=True, kw_only=True):
    """Which results; an empty word leaves it open."""

    tenant: str
    first: date
    last: date
    job_type: str = ""
    model: str = ""
    instance: str = ""


class Total(Struct, frozen=True, kw_only=True):
    """Sums without their sketches; what is grouped together is empty."""

    job_type: str
    model: str
    instances: int
    results: int
    succeeded: int
    failed: int
    priced: int
    cost_microcents: int
    metered: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    timed: int
    latency_ms: int


class Day(Struct, frozen=True):
    """Sums of one day."""

    day: date
    results: int
    succeeded: int
    failed: int
    priced: int
    cost_microcents: int


class Sketched(Struct, frozen=True):
    """The sketches of one row; of its sums only how many results they are of."""

    job_type: str
    model: str
    sums: ResultSums


class Summary(Struct, frozen=True):
    """Everything added up in three ways."""

    total: Total | None
    """None when there is nothing."""
    items: list[Total]
    """By kind of job and model, most results first."""
    days: list[Day]
    """Oldest first; those on which there is something."""


async def summary(connection: AsyncConnection, wanted: Wanted, limit: int) -> Summary:
    """Add up by kind of job and model, no more than `limit` of these; by day; and everything."""
    values = _values(wanted) | {"limit": limit}
    rows = [dict(row) for row in (await _look(connection, _SUMMARY, values)).mappings()]
    everything = [convert(row, Total) for row in rows if row["kind"] == _OF_EVERYTHING]
    return Summary(
        total=everything[0] if everything else None,
        items=[convert(row, Total) for row in rows if row["kind"] == _OF_KIND],
        days=[convert(row, Day) for row in rows if row["kind"] == _OF_DAY],
    )


async def by_model(connection: AsyncConnection, wanted: Wanted, limit: int) -> list[Total]:
    """Add up by model, most results first."""
    return await _read(connection, _BY_MODEL, wanted, limit)


async def of_all(connection: AsyncConnection, wanted: Wanted) -> Total | None:
    """Add up everything; None when there is nothing."""
    return next(iter(await _read(connection, _OF_ALL, wanted, 1)), None)


async def sketches(connection: AsyncConnection, wanted: Wanted, limit: int) -> Sequence[Sketched] | None:
    """Read the sketches of all rows; None when there are more than `limit`."""
    values = _values(wanted)
    if (await _look(connection, _ROWS, values | {"limit": limit + 1})).scalar_one() > limit:
        return None
    rows = await _look(connection, _SKETCHES, values)
    return [Sketched(kind, model, msgspec.json.decode(sums, type=ResultSums)) for kind, model, sums in rows]


async def _read(connection: AsyncConnection, statement: TextClause, wanted: Wanted, limit: int) -> list[Total]:
    values = _values(wanted) | {"limit": limit}
    return [Total(**row) for row in (await _look(connection, statement, values)).mappings()]


async def _look(
    connection: AsyncConnection, statement: TextClause, values: dict[str, Any]
) -> CursorResult[*tuple[Any, ...]]:
    await connection.execute(_PLAN_ANEW)
    return await connection.execute(statement, values)


def _values(wanted: Wanted) -> dict[str, Any]:
    return msgspec.structs.asdict(wanted)
