"""`routing_priors`: what models came to in the fleet, in pages as they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.codec import decode, encode
from schemas.routing import RoutingPrior, RoutingPriors
from schemas.routing_pages import RoutingPage

_TENANTS = text("SELECT tenant FROM result_states UNION SELECT tenant FROM routing_priors ORDER BY 1")
_DIGEST = text("SELECT digest FROM routing_priors WHERE tenant = :tenant AND page = 0")
_DROP = text("DELETE FROM routing_priors WHERE tenant = :tenant")
_PUT = text("""
    INSERT INTO routing_priors (tenant, page, day, digest, body)
    VALUES (:tenant, :page, :day, :digest, CAST(:body AS jsonb))
""")
_PAGE = text("""
    SELECT digest, (SELECT count(*) FROM routing_priors p WHERE p.tenant = r.tenant), day, CAST(body AS text)
      FROM routing_priors r WHERE tenant = :tenant AND page = :page
""")

_NO_PRIORS: Final = ""


async def tenants(connection: AsyncConnection) -> list[str]:
    """Every tenant that has results, or had."""
    return list((await connection.execute(_TENANTS)).scalars())


async def replace(
    connection: AsyncConnection, tenant: str, day: date, digest: str, pages: Sequence[Sequence[RoutingPrior]]
) -> bool:
    """Make these the priors of a tenant; False when they are those there were. At least one page, if an empty one."""
    if (await connection.execute(_DIGEST, {"tenant": tenant})).scalar() == digest:
        return False
    await connection.execute(_DROP, {"tenant": tenant})
    for number, page in enumerate(pages):
        values = {"tenant": tenant, "page": number, "day": day, "digest": digest, "body": encode(page).decode()}
        await connection.execute(_PUT, values)
    return True


async def page(connection: AsyncConnection, tenant: str, number: int) -> RoutingPage:
    """Read a page; an empty one where there is none of that number."""
    found = (await connection.execute(_PAGE, {"tenant": tenant, "page": number})).one_or_none()
    if found is None:
        digest = (await connection.execute(_DIGEST, {"tenant": tenant})).scalar()
        return RoutingPage(digest=digest or _NO_PRIORS, pages=1, content=RoutingPriors(day=datetime.now(UTC).date()))
    digest, pages, day, body = found
    priors = decode(body.encode(), tuple[RoutingPrior, ...])
    return RoutingPage(digest=digest, pages=pages, content=RoutingPriors(day=day, priors=priors))
