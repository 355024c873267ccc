"""`flocklore centralcloud keys`: which key each instance signs with, as far as the hub knows."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from centralcloud.at_hand import tenant_option, with_database
from shared.commandline import json_option, show, table

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine


@click.group()
def keys() -> None:
    """Keys that instances sign with."""


@keys.command("list")
@tenant_option
@json_option
def list_keys(*, tenant: str | None, as_json: bool) -> None:
    """List the keys known, how they came to be, and how many letters wait that were refused."""
    from centralcloud.keyring import known_keys

    found = with_database(known_keys, tenant)
    rows = [(one.instance, one.public_key, one.known_by, one.since, one.refused) for one in found]
    show({"keys": found}, table(("instance", "key", "known by", "since", "refused"), rows), as_json=as_json)


@keys.command()
@click.argument("instance")
@click.argument("key")
@tenant_option
@json_option
def pin(*, instance: str, key: str, tenant: str | None, as_json: bool) -> None:
    """Believe of INSTANCE what is signed with KEY, as `flocklore instance key` shows it, and nothing else."""
    from centralcloud.keyring import pin_key

    async def change(engine: AsyncEngine, tenant: str) -> None:
        await pin_key(engine, tenant, instance, key)

    with_database(change, tenant)
    show({"instance": instance, "public_key": key}, f"{instance} signs with {key}", as_json=as_json)


@keys.command()
@click.argument("instance")
@tenant_option
@json_option
def forget(*, instance: str, tenant: str | None, as_json: bool) -> None:
    """Let INSTANCE sign with any key again: the next one it is heard with is known from then on."""
    from centralcloud.keyring import forget_key

    async def change(engine: AsyncEngine, tenant: str) -> None:
        await forget_key(engine, tenant, instance)

    with_database(change, tenant)
    show({"forgotten": instance}, f"the next key of {instance} is known from its first use", as_json=as_json)
