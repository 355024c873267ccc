"""Tenants that belong to regions: said by an operator, and heeded wherever what they have could leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.region.serving import Serving, serving
from centralcloud.store import pins
from centralcloud.store.pins import Pin
from schemas.names import is_name
from schemas.region import RegionPage
from schemas.replies import ErrorBody, ErrorCode, failure
from shared.errors import UsageError

REGION_LENGTH_MAX: Final = 63


async def pin(connection: AsyncConnection, tenant: str, primary: str, fallbacks: Sequence[str] = ()) -> bool:
    """Have what a tenant has stay in some regions; False when that was so. UsageError for what is no name of one."""
    if not is_name(tenant):
        raise UsageError(f"{tenant!r} cannot be a tenant: use 1 to 63 of a-z, 0-9, - and _, a letter or digit first")
    for region in (primary, *fallbacks):
        if not (0 < len(region) <= REGION_LENGTH_MAX and region.isprintable() and region == region.strip()):
            raise UsageError(f"{region!r} cannot be a region: write it as the setting `region` of its hub does")
    if len({primary, *fallbacks}) <= len(fallbacks):
        raise UsageError("name each region once: the fallbacks are other regions than the primary")
    return await pins.put(connection, tenant, primary, fallbacks)


async def where(connection: AsyncConnection, tenant: str, own: str) -> RegionPage:
    """Say where a tenant belongs, as the hub of region `own` sees it."""
    found = await pins.find(connection, tenant)
    chosen = serving(found, own, await pins.heard(connection))
    return _page(found, own, chosen)


async def refusal(connection: AsyncConnection, tenant: str, own: str) -> ErrorBody | None:
    """What to say to whoever would bring something of a tenant to a region it must not be in; None: it may be here."""
    found = await pins.find(connection, tenant)
    if found is None or own in found.regions:
        return None
    here = f"region {own}" if own else "a region without a name"
    message = f"tenant {tenant} is pinned to {', then '.join(found.regions)}, and this is {here}: go to one of them"
    return failure(ErrorCode.UNAUTHORIZED, message, region=own, primary=found.primary)


def _page(found: Pin | None, own: str, chosen: Serving) -> RegionPage:
    return RegionPage(
        region=own,
        pinned=found is not None,
        primary=found.primary if found else "",
        fallbacks=found.fallbacks if found else (),
        admitted=found is None or own in found.regions,
        leaves=found is None,
        serving=chosen.region,
        reasons=chosen.reasons,
    )
