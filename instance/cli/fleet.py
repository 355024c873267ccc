"""What is known of instances: by the hub of all, by its own database of one."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct

from instance.cli.target import Target, ask_hub, open_target, resolve_settings
from instance.store import insights, instances, outbox
from instance.store.instances import ScheduleRun
from schemas.insights import InstancesPage, InstancesQuery
from schemas.subjects import INSTANCES_QUERY
from shared.commandline import print_facts, print_table
from shared.database import transaction


class InstanceStatus(Struct, frozen=True, kw_only=True):
    """What one instance is doing. `pid` is None while no daemon holds its database."""

    instance_id: str
    tenant: str
    pid: int | None
    hostname: str | None
    sharing_since: datetime | None
    epoch: str
    head: int
    confirmed: int
    backlog: int
    backlog_oldest_seconds: float
    repositories: int
    files: int
    patterns: int
    insights: int
    insight_version: int
    schedules: list[ScheduleRun]


async def registered() -> InstancesPage:
    """Ask the hub which instances it knows."""
    settings = resolve_settings(None)
    return await ask_hub(settings, INSTANCES_QUERY, InstancesQuery(tenant=settings.tenant), InstancesPage)


async def status(name: str | None) -> InstanceStatus:
    """Read what an instance is doing from its database."""
    async with open_target(resolve_settings(name)) as target:
        return await _read(target)


def print_status(status: InstanceStatus) -> None:
    """Print it for a person."""
    daemon = f"process {status.pid} on {status.hostname}" if status.pid else "not running"
    sharing = "nothing: isolated, no hub was ever configured"
    if status.sharing_since is not None:
        sharing = f"{status.confirmed} of {status.head} events confirmed"
    print_facts(
        [
            ("instance", status.instance_id),
            ("tenant", status.tenant),
            ("daemon", daemon),
            ("studied", f"{status.repositories} repositories, {status.files} files, {status.patterns} shapes"),
            ("shared", sharing),
            ("backlog", f"{status.backlog} events, the oldest {status.backlog_oldest_seconds:.0f} s old"),
            ("insights", f"{status.insights} in use, at version {status.insight_version}"),
        ]
    )
    print_table(
        ["schedule", "runs", "last run", "next run", "last error"],
        [
            (run.name, run.runs, _moment(run.last_started), _moment(run.next_run), run.last_error)
            for run in status.schedules
        ],
        empty="No schedule has run yet.",
    )


async def _read(target: Target) -> InstanceStatus:
    async with transaction(target.engine) as connection:
        uplink = await outbox.get(connection)
        backlog, age_seconds = await outbox.backlog(connection)
        daemon = await instances.daemon(connection)
        totals = await instances.totals(connection)
        return InstanceStatus(
            instance_id=target.identity.instance_id,
            tenant=target.identity.tenant,
            pid=daemon[0] if daemon else None,
            hostname=daemon[1] if daemon else None,
            sharing_since=uplink.share_since,
            epoch=uplink.epoch,
            head=uplink.head,
            confirmed=uplink.confirmed,
            backlog=backlog,
            backlog_oldest_seconds=round(age_seconds, 1),
            repositories=totals.repositories,
            files=totals.files,
            patterns=totals.patterns,
            insights=await insights.count(connection),
            insight_version=await insights.version(connection),
            schedules=await instances.schedule_runs(connection),
        )


def _moment(time: datetime | None) -> str | None:
    """A time in UTC, to the second."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ") if time else None
