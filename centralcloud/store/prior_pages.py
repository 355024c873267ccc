"""The priors for routing as they are looked at: a list, as instances are told it in pages."""

from __future__ import annotations

from datetime import date

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.codec import decode
from schemas.routing import RoutingPrior

_LISTED = text("""
    SELECT r.page, CAST(one.place AS integer), CAST(one.prior AS text)
      FROM routing_priors r CROSS JOIN LATERAL jsonb_array_elements(r.body) WITH ORDINALITY AS one(prior, place)
     WHERE r.tenant = :tenant AND (r.page, one.place) > (:page, :place)
       AND (:job_type = '' OR one.prior->>'job_type' = :job_type) AND (:model = '' OR one.prior->>'model' = :model)
     ORDER BY r.page, one.place LIMIT :limit
""")
_FIRST = text("SELECT day, digest FROM routing_priors WHERE tenant = :tenant AND page = 0")

BEGINNING = (-1, 0)


class Told(Struct, frozen=True):
    """Some of the priors, each with its page and its place there; what they are discounted to, None without any."""

    priors: list[tuple[tuple[int, int], RoutingPrior]]
    day: date | None
    digest: str | None


async def listed(
    connection: AsyncConnection, tenant: str, job_type: str, model: str, *, limit: int, after: tuple[int, int]
) -> Told:
    """Read priors after one with (page, place); of one kind of job and one model, or of all where that is empty."""
    values = {"tenant": tenant, "job_type": job_type, "model": model, "limit": limit}
    rows = await connection.execute(_LISTED, values | {"page": after[0], "place": after[1]})
    priors = [((page, place), decode(prior.encode(), RoutingPrior)) for page, place, prior in rows]
    first = (await connection.execute(_FIRST, {"tenant": tenant})).one_or_none()
    return Told(priors, first.day if first else None, first.digest if first else None)
