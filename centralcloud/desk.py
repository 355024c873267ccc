"""What the commands do: one function each, on an engine of the central database."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.config import CentralcloudSettings
from centralcloud.store import MIGRATIONS, changes, dead_letters, insights, registry, schedule_runs, statistics, trust
from centralcloud.store.dead_letters import DeadLetter
from centralcloud.store.schedule_runs import ScheduleRun
from centralcloud.store.trust import Doubt
from schemas.insights import AggregationSummary, GlobalStatistics, InstanceRow
from shared import migrations
from shared.database import connect_engine, transaction, wait_until_reachable
from shared.embedded.attach import database
from shared.errors import ConfigurationError, NotFoundError, NotRunningError


class Status(Struct, frozen=True, kw_only=True):
    """How the hub of a tenant stands."""

    tenant: str
    schema_revision: str
    head: int
    waiting: int
    """Patterns to be merged at the next aggregation."""
    insights: AggregationSummary
    instances: dict[str, int]
    """How many are in which state."""
    set_aside: int
    """Instances whose word does not count, since it is too unlike that of the others."""
    dead_letters: int
    schedules: list[ScheduleRun]

    @property
    def degraded(self) -> bool:
        """Whether a schedule failed last time."""
        return any(run.last_error for run in self.schedules)


@asynccontextmanager
async def central_database(settings: CentralcloudSettings) -> AsyncIterator[AsyncEngine]:
    """Give an engine on the central database; raises `NotRunningError` when no hub has ever used it."""
    async with database(settings.database_url, settings.state_dir, "centralcloud") as url:
        engine = connect_engine(url, application="centralcloud command")
        try:
            await wait_until_reachable(engine, timeout_seconds=5.0)
            async with engine.connect() as connection:
                current = await connection.run_sync(migrations.current_revision)
            _check_schema(current)
            yield engine
        finally:
            await engine.dispose()


def _check_schema(current: str | None) -> None:
    if current is None:
        raise NotRunningError("the central database is empty; start the hub with `flocklore centralcloud run`")
    newest = migrations.known_revisions(MIGRATIONS)[-1]
    if current != newest:
        raise ConfigurationError(f"the central database is at schema {current}, this release needs {newest}")


async def read_status(engine: AsyncEngine, tenant: str) -> Status:
    """Read how the hub stands, in one transaction."""
    async with transaction(engine) as connection:
        instances = await registry.list_instances(connection, tenant)
        return Status(
            tenant=tenant,
            schema_revision=migrations.known_revisions(MIGRATIONS)[-1],
            head=await insights.head(connection, tenant),
            waiting=await changes.waiting(connection, tenant),
            insights=await insights.summary(connection, tenant),
            instances=dict(Counter(one.status for one in instances)),
            set_aside=sum(one.set_aside for one in await trust.doubts(connection, tenant)),
            dead_letters=await dead_letters.count_waiting(connection),
            schedules=await schedule_runs.last_runs(connection),
        )


async def read_instances(engine: AsyncEngine, tenant: str) -> tuple[InstanceRow, ...]:
    """Read the registry."""
    async with transaction(engine) as connection:
        return await registry.list_instances(connection, tenant)


async def read_outliers(engine: AsyncEngine, tenant: str) -> list[Doubt]:
    """Read who is not wholly believed."""
    async with transaction(engine) as connection:
        return await trust.doubts(connection, tenant)


async def read_statistics(engine: AsyncEngine, tenant: str) -> GlobalStatistics:
    """Count everything now."""
    async with transaction(engine) as connection:
        return await statistics.measure(connection, tenant)


async def read_letters(engine: AsyncEngine, limit: int) -> list[DeadLetter]:
    """Read dead letters not replayed yet."""
    async with transaction(engine) as connection:
        return await dead_letters.waiting(connection, limit)


async def read_letter(engine: AsyncEngine, letter_id: int) -> DeadLetter:
    """Read one dead letter; raises `NotFoundError` when there is none of that number."""
    async with transaction(engine) as connection:
        letter = await dead_letters.find(connection, letter_id)
    if letter is None:
        raise NotFoundError(f"no dead letter {letter_id}; `flocklore centralcloud dead-letters list` shows them")
    return letter
