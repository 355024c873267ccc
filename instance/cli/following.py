"""Insights as they come in, for somebody who watches."""

from __future__ import annotations

import asyncio
from typing import Final

import click

from instance.cli.knowledge import text_of
from instance.cli.target import Target, open_target, resolve_settings
from instance.store import insights
from instance.store.insights import Held
from shared.commandline import print_json, printable
from shared.database import transaction

POLL_SECONDS: Final = 0.5
_PAGE: Final = 200


async def follow(name: str | None, since: int | None, *, as_json: bool) -> None:
    """Print each change once, from version `since` or from now on; never returns."""
    async with open_target(resolve_settings(name)) as target:
        known = await _version(target) if since is None else since
        while True:
            # Below what we know: centralcloud counts from the beginning again, and all comes anew.
            known = min(known, await _version(target))
            async with transaction(target.engine) as connection:
                changed = await insights.since(connection, known, _PAGE)
            for held in changed:
                _print(held, as_json=as_json)
            if changed:
                known = changed[-1].insight.version
            else:
                await asyncio.sleep(POLL_SECONDS)


async def _version(target: Target) -> int:
    async with transaction(target.engine) as connection:
        return await insights.version(connection)


def _print(held: Held, *, as_json: bool) -> None:
    if as_json:
        print_json(held)
        return
    insight = held.insight
    said = f"{insight.instances} instances, {insight.repositories} repositories"
    click.echo(f"{insight.version:>6}  {insight.state:<7}  {insight.id[:12]}  {said}  {printable(text_of(insight))}")
