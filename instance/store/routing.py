"""`routing_priors`, what the fleet has seen models do, and `routing_records`, what was advised here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.codec import decode, encode
from schemas.routing import RoutingPrior, RoutingPriors

KEPT_DAYS: Final = 400
"""How long records are kept: a year can be compared with the year before."""

_PRUNED_MAX: Final = 100

_DROP = text("DELETE FROM routing_priors")
_PUT = text("""
    INSERT INTO routing_priors (job_type, model, context, day, instances, body)
    SELECT p->>'job_type', p->>'model', p->'context', :day, CAST(p->>'instances' AS bigint), p
      FROM jsonb_array_elements(CAST(:priors AS jsonb)) AS p
    ON CONFLICT DO NOTHING
""")
_NEAREST = text("""
    SELECT min(n.day), CAST(coalesce(json_agg(n.body), '[]') AS text)
      FROM (SELECT day, body FROM routing_priors WHERE job_type = ANY(:job_types)
             ORDER BY (context - 'after') <@ CAST(:context AS jsonb) DESC, instances DESC, job_type, model, context
             LIMIT :limit) AS n
""")
_RECORD = text("""
    INSERT INTO routing_records
           (job_type, context, verifier, plan, propensity, seed, reason, held_out, constraints, chosen_by)
    VALUES (:job_type, CAST(:context AS jsonb), :verifier, :plan, :propensity, :seed, :reason, :held_out,
            CAST(:constraints AS jsonb), :chosen_by)
    RETURNING id, at
""")
_PRUNE = text("""
    DELETE FROM routing_records
     WHERE id IN (SELECT id FROM routing_records
                   WHERE at < clock_timestamp() - make_interval(days => :days) ORDER BY at LIMIT :limit)
""")


class Record(Struct, frozen=True, kw_only=True):
    """What was advised, and how likely it was to be."""

    job_type: str
    context: Mapping[str, str]
    verifier: str | None
    plan: Sequence[str]
    propensity: float
    seed: int | None
    reason: str
    constraints: Mapping[str, Any]
    chosen_by: str
    """What asked: `command`, `nats`, `http`."""
    held_out: bool | None = None
    """Whether the lot fell on the incumbent; None: no lot was drawn."""


async def replace(connection: AsyncConnection, day: date, priors: Sequence[RoutingPrior]) -> None:
    """Make these the priors of the fleet."""
    await connection.execute(_DROP)
    await connection.execute(_PUT, {"day": day, "priors": encode(priors).decode()})


async def nearest(
    connection: AsyncConnection, job_types: Collection[str], context: Mapping[str, str], limit: int
) -> RoutingPriors | None:
    """Read what the fleet has seen of some kinds of job; None when it has seen none of them.

    Of more than `limit` priors those that a context includes come first, then those most instances are behind.
    """
    values = {"job_types": list(job_types), "context": encode(context).decode(), "limit": limit}
    day, document = (await connection.execute(_NEAREST, values)).one()
    if day is None:
        return None
    return RoutingPriors(day=day, priors=decode(document.encode(), tuple[RoutingPrior, ...]))


async def record(connection: AsyncConnection, advised: Record) -> tuple[int, datetime]:
    """Write down what was advised, and forget a few of the oldest; returns its id and when it was."""
    await connection.execute(_PRUNE, {"days": KEPT_DAYS, "limit": _PRUNED_MAX})
    values = {name: getattr(advised, name) for name in Record.__struct_fields__}
    values |= {name: encode(values[name]).decode() for name in ("context", "constraints")}
    row = (await connection.execute(_RECORD, {**values, "plan": list(advised.plan)})).one()
    return row.id, row.at
