"""`flocklore centralcloud tenants`: which tenant lets which other see its insights."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import click

from centralcloud.at_hand import with_database
from shared.commandline import json_option, show, table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

T = TypeVar("T")

LISTED_MAX = 1_000

by_option = click.option("--by", default="", help="Who decides it; the other side sees it.")


@click.group()
def tenants() -> None:
    """Where tenants belong, and which lets which see its insights: one offers, the other accepts, either ends it."""


@tenants.command()
@click.argument("owner")
@click.argument("reader")
@by_option
@json_option
def share(*, owner: str, reader: str, by: str, as_json: bool) -> None:
    """Offer the insights of OWNER to READER, who sees them once that is accepted."""
    from centralcloud.sharing import offer

    changed = _in_transaction(lambda connection: offer(connection, owner, reader, by))
    _show(owner, reader, "offered", f"{owner} offers its insights to {reader}", changed=changed, as_json=as_json)


@tenants.command()
@click.argument("owner")
@click.argument("reader")
@by_option
@json_option
def accept(*, owner: str, reader: str, by: str, as_json: bool) -> None:
    """Accept for READER what OWNER offers: its instances see the insights of OWNER from now on."""
    from centralcloud.sharing import accept as take

    changed = _in_transaction(lambda connection: take(connection, owner, reader, by))
    _show(owner, reader, "accepted", f"{reader} sees the insights of {owner}", changed=changed, as_json=as_json)


@tenants.command()
@click.argument("owner")
@click.argument("reader")
@json_option
def end(*, owner: str, reader: str, as_json: bool) -> None:
    """Take back offer and acceptance: READER sees nothing of OWNER from now on."""
    from centralcloud.store.sharing import end as take_back

    changed = _in_transaction(lambda connection: take_back(connection, owner, reader))
    _show(owner, reader, "ended", f"{reader} sees nothing of {owner}", changed=changed, as_json=as_json)


@tenants.command("list")
@click.option("--tenant", help="Only what it offers and is offered.")
@json_option
def list_offers(*, tenant: str | None, as_json: bool) -> None:
    """List who offers what to whom, and whether it was accepted."""
    from centralcloud.store.sharing import listed

    found = _in_transaction(lambda connection: listed(connection, tenant, LISTED_MAX))
    rows = [(one.owner, one.reader, one.offered_at, one.offered_by, one.accepted_at, one.accepted_by) for one in found]
    columns = ("owner", "reader", "offered", "by", "accepted", "by")
    show({"sharing": found}, table(columns, rows), as_json=as_json)


def _in_transaction(work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    from shared.database import transaction

    async def do(engine: AsyncEngine, _tenant: str) -> T:
        async with transaction(engine) as connection:
            return await work(connection)

    return with_database(do)


def _show(owner: str, reader: str, done: str, words: str, *, changed: bool, as_json: bool) -> None:
    document = {"owner": owner, "reader": reader, "done": done, "changed": changed}
    show(document, words if changed else f"{words}, as before", as_json=as_json)
