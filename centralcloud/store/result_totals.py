"""What the jobs of the fleet came to: `result_states` added up, instances that are set aside left out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import TextClause, text
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
_OF_A_DAY: Final = ("results", "succeeded", "failed", "priced", "cost_microcents")
_NOTHING: Final = "CAST('' AS text)"


def _totals(job_type: str, model: str) -> TextClause:
    return text(
        _TOTALS.format(job_type=job_type, model=model, sums=_SUMS, sums_of_sums=_SUMS_OF_SUMS, fitting=_FITTING)
    )


_BY_JOB_AND_MODEL = _totals("r.job_type", "r.model")
_BY_MODEL = _totals(_NOTHING, "r.model")
_OF_ALL = _totals(_NOTHING, _NOTHING)
_DAYS = text(f"""
    SELECT r.day, {", ".join(total(f"r.{name}") for name in _OF_A_DAY)}
      FROM result_states r {_FITTING} GROUP BY r.day ORDER BY r.day
""")  # noqa: S608 - composed of constants
_ROWS = text(f"SELECT count(*) FROM (SELECT FROM result_states r {_FITTING} LIMIT :limit) AS first")  # noqa: S608
_SKETCHES = text(f"""
    SELECT r.job_type, r.model,
           CAST(json_build_object('results', r.results, 'cost', r.cost, 'latency', r.latency) AS text)
      FROM result_states r {_FITTING}
""")  # noqa: S608 - composed of constants


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


async def by_job_and_model(connection: AsyncConnection, wanted: Wanted, limit: int) -> list[Total]:
    """Add up by kind of job and model, most results first."""
    return await _read(connection, _BY_JOB_AND_MODEL, wanted, limit)


async def by_model(connection: AsyncConnection, wanted: Wanted, limit: int) -> list[Total]:
    """Add up by model, most results first."""
    return await _read(connection, _BY_MODEL, wanted, limit)


async def of_all(connection: AsyncConnection, wanted: Wanted) -> Total | None:
    """Add up everything; None when there is nothing."""
    return next(iter(await _read(connection, _OF_ALL, wanted, 1)), None)


async def by_day(connection: AsyncConnection, wanted: Wanted) -> list[Day]:
    """Add up by day, oldest first."""
    return [Day(*row) for row in await connection.execute(_DAYS, msgspec.structs.asdict(wanted))]


async def sketches(connection: AsyncConnection, wanted: Wanted, limit: int) -> Sequence[Sketched] | None:
    """Read the sketches of all rows; None when there are more than `limit`."""
    values = msgspec.structs.asdict(wanted)
    if (await connection.execute(_ROWS, values | {"limit": limit + 1})).scalar_one() > limit:
        return None
    rows = await connection.execute(_SKETCHES, values)
    return [Sketched(kind, model, msgspec.json.decode(sums, type=ResultSums)) for kind, model, sums in rows]


async def _read(connection: AsyncConnection, statement: TextClause, wanted: Wanted, limit: int) -> list[Total]:
    values: dict[str, Any] = msgspec.structs.asdict(wanted) | {"limit": limit}
    return [Total(**row) for row in (await connection.execute(statement, values)).mappings()]
