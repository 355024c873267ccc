"""Insights that another tenant shares with ours: read, never kept, and no evidence of anything here."""

from __future__ import annotations

from collections.abc import Sequence

from instance.cli.knowledge import COLUMNS, Choice, cells
from instance.cli.target import Target, hub_servers, open_target, resolve_settings
from schemas.insights import Insight, InsightsPage, InsightsQuery
from schemas.names import is_name
from schemas.subjects import INSIGHTS_QUERY, Sender
from shared.client import ask
from shared.commandline import print_json, print_table
from shared.errors import UnreachableError, UsageError
from shared.passport import passport_of

PAGE_SIZE = 500


async def shared(name: str | None, owner: str, choice: Choice) -> list[Insight]:
    """The chosen insights of `owner`, those most of its instances share first; PermanentError when it shares none."""
    if not is_name(owner):
        raise UsageError(f"{owner!r} cannot be a tenant")
    async with open_target(resolve_settings(name)) as target:
        if owner == target.identity.tenant:
            raise UsageError(f"{owner} is the tenant of this instance; leave out --tenant")
        found = await _everything(target, owner)
    chosen = [one for one in found if choice.language in (None, one.language)]
    return sorted(chosen, key=lambda one: (-one.instances, one.id))[: choice.limit]


def print_insights(found: Sequence[Insight], *, as_json: bool) -> None:
    """Print a list of them."""
    if as_json:
        print_json(found)
        return
    print_table(COLUMNS, map(cells, found), empty="It shares its insights, and there are none like that.")


async def _everything(target: Target, owner: str) -> list[Insight]:
    found: list[Insight] = []
    since = 0
    while True:
        page = await _page(target, owner, since)
        found += page.insights
        if page.complete:
            return found
        if not (page.insights and page.insights[-1].version > since):
            raise UnreachableError("centralcloud says that there is more, and nothing of it")
        since = page.insights[-1].version


async def _page(target: Target, owner: str, since: int) -> InsightsPage:
    """Ask as this instance: centralcloud sees by the inbox of the answer for which tenant it is."""
    settings, me = target.settings, target.identity
    query = InsightsQuery(tenant=owner, since=since, limit=PAGE_SIZE)
    sender = Sender(me.tenant, me.instance_id)
    servers, passport = hub_servers(settings), passport_of(settings)
    return await ask(servers, INSIGHTS_QUERY, query, InsightsPage, sender=sender, passport=passport)
