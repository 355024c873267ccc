"""`flocklore centralcloud tenants pin|unpin|regions|where`: which regions may hold what a tenant has."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import click

from centralcloud.at_hand import with_database
from shared.commandline import json_option, show, table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from schemas.region import RegionPage

T = TypeVar("T")


@click.command()
@click.argument("tenant")
@click.option("--region", required=True, help="Where it belongs, as the setting `region` of that hub says it.")
@click.option("--fallback", "fallbacks", multiple=True, help="Where else it may be served, in this order; repeatable.")
@json_option
def pin(*, tenant: str, region: str, fallbacks: tuple[str, ...], as_json: bool) -> None:
    """Have what TENANT has stay in a region: hubs of others take nothing of it in, and nothing known there leaves.

    Say it to the hub of every region, and to the one above them, before the first instance of TENANT runs.
    """
    from centralcloud.region.pinning import pin as pin_tenant

    changed = _in_transaction(lambda connection: pin_tenant(connection, tenant, region, fallbacks))
    where_to = ", then ".join((region, *fallbacks))
    document = {"tenant": tenant, "primary": region, "fallbacks": fallbacks, "changed": changed}
    show(document, f"{tenant} is pinned to {where_to}{'' if changed else ', as before'}", as_json=as_json)


@click.command()
@click.argument("tenant")
@json_option
def unpin(*, tenant: str, as_json: bool) -> None:
    """Let TENANT be served by any region, and what its instances know together leave theirs."""
    from centralcloud.store.pins import drop

    changed = _in_transaction(lambda connection: drop(connection, tenant))
    words = f"{tenant} is pinned no more" if changed else f"{tenant} was not pinned"
    show({"tenant": tenant, "changed": changed}, words, as_json=as_json)


@click.command()
@json_option
def regions(*, as_json: bool) -> None:
    """List the tenants that are pinned, and the regions heard of."""
    from centralcloud.store import pins

    async def read(connection: AsyncConnection) -> tuple[list[pins.Pin], dict[str, float]]:
        return await pins.listed(connection), await pins.heard(connection)

    pinned, heard = _in_transaction(read)
    tenants = table(
        ("tenant", "region", "fallbacks", "since"),
        [(one.tenant, one.primary, ", ".join(one.fallbacks), one.since) for one in pinned],
    )
    silences = table(("region", "last heard s ago"), [(name, f"{heard[name]:.0f}") for name in sorted(heard)])
    show({"pinned": pinned, "silent_seconds": heard}, f"{tenants}\n\n{silences}", as_json=as_json)


@click.command()
@click.argument("tenant")
@json_option
def where(*, tenant: str, as_json: bool) -> None:
    """Show which region serves TENANT now, and why, as this hub sees it."""
    from centralcloud.config import load
    from centralcloud.region.pinning import where as find

    own = load().settings.region

    async def read(connection: AsyncConnection) -> RegionPage:
        return await find(connection, tenant, own)

    found = _in_transaction(read)
    serving = (found.serving or "no region now") if found.pinned else "any region"
    show(found, "\n".join([*found.reasons, f"{tenant} is served by {serving}"]), as_json=as_json)


PINNING: Final = (pin, unpin, regions, where)


def _in_transaction(work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    from shared.database import transaction

    async def do(engine: AsyncEngine, _tenant: str) -> T:
        async with transaction(engine) as connection:
            return await work(connection)

    return with_database(do)
