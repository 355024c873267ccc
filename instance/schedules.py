"""What an instance does when. One row a task; `schedules` in the settings overrides the times."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from instance.agents.student import Student
from instance.config import SCHEDULES, InstanceSettings
from instance.jobs.catalog import order_embedding
from instance.jobs.study import study_queued
from instance.learning.prices import prices
from instance.learning.search.sentences.model import installed
from instance.recording.labelling import label_from_git
from instance.recording.watch import Watch
from instance.store import outbox
from instance.store.result_jobs import record_jobs
from instance.sync.downlink import Downlink
from instance.sync.receipts import Receipts
from instance.sync.results import prune_results, say_results
from shared.database import transaction
from shared.jobs import queue, workers
from shared.schedule import DAY, Task
from shared.workflows import runs

FINISHED_KEPT_SECONDS: Final = 7 * DAY
"""How long finished jobs and runs can be looked at."""


def schedule_table(
    engine: AsyncEngine,
    settings: InstanceSettings,
    student: Student,
    receipts: Receipts | None,
    downlink: Downlink | None,
) -> list[Task]:
    """Rows of the schedule; those that a process of this role cannot do are there and never run."""
    watch = _watch(engine, settings) if settings.watch_transcripts else None

    async def cleanup() -> None:
        async with transaction(engine) as connection:
            await outbox.prune(connection, receipts.durable_wm if receipts else 0)
            await workers.purge(connection)
            await prune_results(connection)
        await tidy_jobs(engine)

    async def count_results() -> None:
        async with transaction(engine) as connection:
            await record_jobs(connection)
        await say_results(engine, student.on_said)

    async def read_transcripts() -> None:
        if watch is not None:
            await watch.read_new()

    async def download() -> None:
        if downlink is not None:
            await downlink.catch_up()
            await downlink.calibrate()
            await downlink.fetch_priors()

    works: dict[str, Callable[[], Awaitable[Any]]] = {
        "cleanup": cleanup,
        "pattern_mining": lambda: study_queued(engine, student),
        "pattern_sync": student.say,
        "results": count_results,
        "transcripts": read_transcripts,
        "labels": lambda: label_from_git(engine, settings.roots, datetime.now(UTC)),
        "statistics": student.report,
        "embedding": lambda: order_embedding(engine),
        "download_insights": download,
    }
    idle = _never(settings, hears=downlink is not None, says=receipts is not None)
    return [Task(name, None if name in idle else seconds, works[name]) for name, seconds in SCHEDULES.items()]


def _watch(engine: AsyncEngine, settings: InstanceSettings) -> Watch:
    return Watch(engine, settings, prices(Path(settings.prices) if settings.prices else None))


def _never(settings: InstanceSettings, *, hears: bool, says: bool) -> set[str]:
    """Name what this process has no use for: without a hub, without a sentence model, without a say."""
    never = set() if hears else {"download_insights"}
    if not says:
        never.add("statistics")
    if not installed():
        never.add("embedding")
    if not settings.watch_transcripts:
        never.add("transcripts")
    if settings.role == "read_only" or settings.region_nats_url:
        never |= {"pattern_mining", "pattern_sync", "results", "transcripts", "labels", "embedding"}
    if settings.region_nats_url:
        never.add("statistics")
    return never


async def tidy_jobs(engine: AsyncEngine) -> None:
    """Forget jobs and runs that finished long ago."""
    async with transaction(engine) as connection:
        await queue.prune(connection, kept_seconds=FINISHED_KEPT_SECONDS, limit=10_000)
        await runs.prune(connection, FINISHED_KEPT_SECONDS)
