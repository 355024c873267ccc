"""`tenant_regions`: which regions may hold what a tenant has; and which regions are heard."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_FIND = text("""
    SELECT tenant_id, primary_region, fallback_regions, created_at FROM tenant_regions WHERE tenant_id = :tenant
""")
_LIST = text("""
    SELECT tenant_id, primary_region, fallback_regions, created_at FROM tenant_regions ORDER BY tenant_id
""")
_ELSEWHERE = text("""
    SELECT tenant_id FROM tenant_regions
     WHERE tenant_id = ANY(:tenants) AND primary_region <> :region AND NOT :region = ANY(fallback_regions)
""")
_PUT = text("""
    INSERT INTO tenant_regions AS r (tenant_id, primary_region, fallback_regions)
    VALUES (:tenant, :primary, :fallbacks)
    ON CONFLICT (tenant_id) DO UPDATE
       SET primary_region = excluded.primary_region, fallback_regions = excluded.fallback_regions, created_at = now()
     WHERE (r.primary_region, r.fallback_regions) IS DISTINCT FROM (excluded.primary_region, excluded.fallback_regions)
""")
_DROP = text("DELETE FROM tenant_regions WHERE tenant_id = :tenant")
_HEARD = text("SELECT region, silent_seconds FROM regions_heard")


class Pin(Struct, frozen=True, kw_only=True):
    """A tenant that belongs to a region, and where else it may be served, in this order."""

    tenant: str
    primary: str
    fallbacks: tuple[str, ...] = ()
    since: datetime | None = None

    @property
    def regions(self) -> tuple[str, ...]:
        """Where what it has may be, the primary first."""
        return (self.primary, *self.fallbacks)


async def find(connection: AsyncConnection, tenant: str) -> Pin | None:
    """Read where a tenant belongs; None when it is not pinned."""
    row = (await connection.execute(_FIND, {"tenant": tenant})).one_or_none()
    return None if row is None else _pin(*row)


async def elsewhere(connection: AsyncConnection, tenants: Collection[str], region: str) -> set[str]:
    """Choose those of some tenants that must not be in a region."""
    values = {"tenants": list(tenants), "region": region}
    return set((await connection.execute(_ELSEWHERE, values)).scalars())


async def listed(connection: AsyncConnection) -> list[Pin]:
    """Read every tenant that is pinned, by name."""
    return [_pin(*row) for row in await connection.execute(_LIST)]


async def put(connection: AsyncConnection, tenant: str, primary: str, fallbacks: Sequence[str]) -> bool:
    """Have a tenant belong to a region; False when it did already, with the same fallbacks."""
    values = {"tenant": tenant, "primary": primary, "fallbacks": list(fallbacks)}
    return (await connection.execute(_PUT, values)).rowcount == 1


async def drop(connection: AsyncConnection, tenant: str) -> bool:
    """Have a tenant belong nowhere in particular; False when it did not."""
    return (await connection.execute(_DROP, {"tenant": tenant})).rowcount == 1


async def heard(connection: AsyncConnection) -> dict[str, float]:
    """Read for how many seconds each region whose delegate is registered here has been silent."""
    return {row.region: row.silent_seconds for row in await connection.execute(_HEARD)}


def _pin(tenant: str, primary: str, fallbacks: Sequence[str], since: datetime) -> Pin:
    return Pin(tenant=tenant, primary=primary, fallbacks=tuple(fallbacks), since=since)
