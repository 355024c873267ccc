"""`result_states`: the sums of results per day, kind of job, model and context, each with the version last said."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.codec import encode
from schemas.results import ResultSums

_ROWS_MAX: Final = 1000


class State(Struct, frozen=True, kw_only=True):
    """One row; id and version are 0 until it is written."""

    id: int = 0
    day: date
    job_type: str
    model: str
    context: Mapping[str, str]
    version: int = 0
    sums: ResultSums


class Place(NamedTuple):
    """What results have in common that are added up."""

    day: date
    job_type: str
    model: str
    context: Mapping[str, str]


_COLUMNS = "s.id, s.day, s.job_type, s.model, CAST(s.context AS text), s.version, CAST(s.sums AS text)"
_LOCK = text("LOCK TABLE result_states IN SHARE ROW EXCLUSIVE MODE")
_OF_DAYS = text(f"SELECT {_COLUMNS} FROM result_states s WHERE s.day = ANY(:days)")  # noqa: S608 - constant columns
_LATEST = text("""
    SELECT CAST(coalesce(json_agg(json_build_object(
               'day', l.day, 'job_type', l.job_type, 'model', l.model, 'context', l.context, 'sums', l.sums
           )), '[]') AS text)
      FROM (SELECT day, job_type, model, context, sums FROM result_states
             WHERE job_type = ANY(:job_types) AND day >= :first
             ORDER BY day DESC, id LIMIT :limit) AS l
""")
_PUT_ALL: Final = """
    INSERT INTO result_states AS s (day, job_type, model, context, version, sums)
    SELECT r.day, r.job_type, r.model, r.context, 1, r.sums
      FROM jsonb_populate_recordset(CAST(NULL AS result_states), CAST(:rows AS jsonb)) AS r
     ORDER BY r.day, r.job_type, r.model, r.context
    ON CONFLICT (day, job_type, model, context) DO UPDATE
       SET version = s.version + 1, sums = excluded.sums, changed_at = now()
"""
_PUT = text(f"{_PUT_ALL} RETURNING {_COLUMNS}")
_PUT_CHANGED = text(f"{_PUT_ALL} WHERE s.sums IS DISTINCT FROM excluded.sums RETURNING {_COLUMNS}")
_STANDING = text("""
    SELECT day, job_type, model, CAST(context AS text) FROM result_states WHERE (sums->>'results')::bigint > 0
""")
_SAY_AGAIN = text(f"UPDATE result_states s SET version = s.version + 1 RETURNING {_COLUMNS}")  # noqa: S608 - same


async def lock(connection: AsyncConnection) -> None:
    """Let nobody else count until this transaction ends: two must not say the same version of a state."""
    await connection.execute(_LOCK)


async def of_days(connection: AsyncConnection, days: Collection[date]) -> list[State]:
    """Read everything of some days."""
    return [_state(row) for row in await connection.execute(_OF_DAYS, {"days": list(days)})]


async def latest(connection: AsyncConnection, job_types: Collection[str], first: date, limit: int) -> list[State]:
    """Read what some kinds of job came to since a day, at most so many rows of the latest days, without version.

    As one document: somebody waits for the answer, and rows would take twice as long.
    """
    values = {"job_types": list(job_types), "first": first, "limit": limit}
    document = (await connection.execute(_LATEST, values)).scalar_one()
    return msgspec.json.decode(document, type=list[State])


async def put(connection: AsyncConnection, states: Sequence[State], *, changed_only: bool = False) -> list[State]:
    """Write states, each in its next version, and return them so; with `changed_only` those that are not as before."""
    written: list[State] = []
    for start in range(0, len(states), _ROWS_MAX):
        rows = encode(states[start : start + _ROWS_MAX]).decode()
        put_some = _PUT_CHANGED if changed_only else _PUT
        written += [_state(row) for row in await connection.execute(put_some, {"rows": rows})]
    return written


async def standing(connection: AsyncConnection) -> list[Place]:
    """What there are sums of that are not empty."""
    rows = await connection.execute(_STANDING)
    return [Place(row[0], row[1], row[2], msgspec.json.decode(row[3], type=dict[str, str])) for row in rows]


async def next_versions(connection: AsyncConnection) -> list[State]:
    """Every state there is, each in its next version."""
    return [_state(row) for row in await connection.execute(_SAY_AGAIN)]


def _state(row: Sequence[Any]) -> State:
    state_id, day, job_type, model, context, version, sums = row
    return State(
        id=state_id,
        day=day,
        job_type=job_type,
        model=model,
        context=msgspec.json.decode(context, type=dict[str, str]),
        version=version,
        sums=msgspec.json.decode(sums, type=ResultSums),
    )
