"""`result_states`: how jobs ended in the fleet, the newest sums of each instance; caps belong to whoever uses them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

import msgspec
from msgspec import Struct
from psycopg.types.json import Json
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.codec import encode
from schemas.results import ResultSums

ROWS_MAX: Final = 1000


class ResultRow(ResultSums, frozen=True, kw_only=True):
    """The sums of one instance, on one day, of one kind of job with one model in one context."""

    tenant: str
    instance: str
    day: date
    job_type: str
    model: str
    context: Mapping[str, str]
    epoch: str
    version: int
    seq: int
    event_id: str

    @property
    def key(self) -> tuple[str, str, str, str, tuple[tuple[str, str], ...], str]:
        """The primary key, in its order."""
        return (
            self.tenant, self.day.isoformat(), self.job_type, self.model, tuple(sorted(self.context.items())),
            self.instance,
        )  # fmt: skip


class InstanceSums(Struct, frozen=True, kw_only=True):
    """What one instance says of one day, kind of job, model and context."""

    instance: str
    day: date
    job_type: str
    model: str
    context: dict[str, str]
    sums: ResultSums


_KEY: Final = ("tenant", "day", "job_type", "model", "context", "instance")
_COLUMNS: Final = ResultRow.__struct_fields__
_CHANGING: Final = tuple(name for name in _COLUMNS if name not in _KEY)
_TRUSTED: Final = "NOT EXISTS (SELECT FROM distrusted d WHERE d.tenant = r.tenant AND d.instance = r.instance)"

_UPSERT = text(f"""
    INSERT INTO result_states AS r ({", ".join(_COLUMNS)})
    SELECT {", ".join(_COLUMNS)} FROM json_populate_recordset(CAST(NULL AS result_states), :rows)
    ON CONFLICT ({", ".join(_KEY)}) DO UPDATE
       SET {", ".join(f"{name} = excluded.{name}" for name in _CHANGING)}, received_at = now()
     WHERE (r.epoch, r.version) < (excluded.epoch, excluded.version)
""")  # noqa: S608 - composed of constants
_SUMS: Final = ", ".join(f"'{name}', r.{name}" for name in ResultSums.__struct_fields__)
_BETWEEN = text(f"""
    SELECT r.instance, r.day, r.job_type, r.model, CAST(r.context AS text), CAST(json_build_object({_SUMS}) AS text)
      FROM result_states r
     WHERE r.tenant = :tenant AND r.day BETWEEN :first AND :last AND {_TRUSTED}
       AND (CAST(:job_type AS text) IS NULL OR r.job_type = :job_type)
""")  # noqa: S608 - composed of constants
_KINDS = text("""
    SELECT DISTINCT job_type FROM result_states WHERE tenant = :tenant AND day BETWEEN :first AND :last ORDER BY 1
""")


async def upsert(connection: AsyncConnection, rows: Sequence[ResultRow]) -> None:
    """Keep the newest sums of each instance; repeated and late older ones change nothing."""
    newest = {row.key: row for row in sorted(rows, key=lambda row: (row.epoch, row.version))}
    ordered = [newest[key] for key in sorted(newest)]
    for start in range(0, len(ordered), ROWS_MAX):
        await connection.execute(_UPSERT, {"rows": Json(ordered[start : start + ROWS_MAX], dumps=encode)})


async def kinds(connection: AsyncConnection, tenant: str, first: date, last: date) -> list[str]:
    """Read which kinds of job there are results of on the days from `first` to `last`."""
    return list((await connection.execute(_KINDS, {"tenant": tenant, "first": first, "last": last})).scalars())


async def between(
    connection: AsyncConnection, tenant: str, first: date, last: date, job_type: str | None = None
) -> list[InstanceSums]:
    """Read what instances that are not distrusted say of the days from `first` to `last`, of one kind of job or all."""
    values = {"tenant": tenant, "first": first, "last": last, "job_type": job_type}
    return [
        InstanceSums(
            instance=instance,
            day=day,
            job_type=job_type,
            model=model,
            context=msgspec.json.decode(context, type=dict[str, str]),
            sums=msgspec.json.decode(sums, type=ResultSums),
        )
        for instance, day, job_type, model, context, sums in await connection.execute(_BETWEEN, values)
    ]
