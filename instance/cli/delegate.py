"""What a delegate has brought up and down, read from its database."""

from __future__ import annotations

from msgspec import Struct

from instance.cli.target import open_target, resolve_settings
from instance.store import insights, instances, outbox
from instance.store import region as store
from shared.commandline import print_facts
from shared.database import transaction
from shared.errors import NotFoundError


class DelegateStatus(Struct, frozen=True, kw_only=True):
    """How far the region is known above, and what is above in the region. `pid` is None while no daemon runs."""

    instance_id: str
    tenant: str
    pid: int | None
    leaves: bool
    """Whether anything may leave the region now."""
    reason: str
    """Why not, or what last went wrong; empty when all goes."""
    heard_seconds: float | None
    """Since the region's hub last said so; None: it never did."""
    region_version: int
    region_lost: bool
    """Whether the region's hub began to count anew, and is given time to say everything again."""
    patterns: int
    results: int
    head: int
    confirmed: int
    backlog: int
    above: int
    above_version: int
    told: int


async def status(name: str | None) -> DelegateStatus:
    """Read it; NotFoundError when this instance never spoke with a region's hub."""
    async with open_target(resolve_settings(name)) as target, transaction(target.engine) as connection:
        account = await store.account(connection)
        if account.heard_seconds is None and not account.reason:
            raise NotFoundError(
                f"{target.identity.instance_id} is no delegate of a region; set region_nats_url to make it one"
            )
        uplink = await outbox.get(connection)
        daemon = await instances.daemon(connection)
        return DelegateStatus(
            instance_id=target.identity.instance_id,
            tenant=target.identity.tenant,
            pid=daemon[0] if daemon else None,
            leaves=account.leaves,
            reason=account.reason,
            heard_seconds=round(account.heard_seconds, 1) if account.heard_seconds is not None else None,
            region_version=account.version,
            region_lost=account.lost,
            patterns=account.patterns,
            results=account.results,
            head=uplink.head,
            confirmed=uplink.confirmed,
            backlog=(await outbox.backlog(connection))[0],
            above=await insights.count(connection),
            above_version=await insights.version(connection),
            told=account.told,
        )


def print_status(status: DelegateStatus) -> None:
    """Print it for a person."""
    heard = "never" if status.heard_seconds is None else f"{status.heard_seconds:.0f} s ago"
    again = ", which says everything again" if status.region_lost else ""
    print_facts(
        [
            ("delegate", f"{status.instance_id} of {status.tenant}"),
            ("daemon", f"process {status.pid}" if status.pid else "not running"),
            ("region's hub", f"heard {heard}, read to version {status.region_version}{again}"),
            ("leaves", "yes" if status.leaves else "nothing"),
            ("reason", status.reason or "-"),
            ("up", f"{status.patterns} patterns, {status.results} sums of results"),
            ("confirmed", f"{status.confirmed} of {status.head} events, {status.backlog} wait"),
            ("down", f"{status.above} insights of version {status.above_version}, told to version {status.told}"),
        ]
    )
