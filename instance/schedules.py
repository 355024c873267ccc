"""What an instance does when. One row a task; `schedules` in the settings overrides the times."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncEngine

from instance.agents.librarian import read_all
from instance.agents.student import Student
from instance.learning.search.sentences.model import installed
from instance.store import outbox
from instance.sync.downlink import Downlink
from instance.sync.receipts import Receipts
from shared.database import transaction
from shared.schedule import HOUR, MINUTE, Task


def schedule_table(
    engine: AsyncEngine, student: Student, receipts: Receipts | None, downlink: Downlink | None
) -> list[Task]:
    """Rows of the schedule; without a hub, those that need one are there and never run."""

    async def cleanup() -> None:
        async with transaction(engine) as connection:
            await outbox.prune(connection, receipts.durable_wm if receipts else 0)

    async def download() -> None:
        if downlink is not None:
            await downlink.catch_up()
            await downlink.calibrate()

    connected = downlink is not None
    return [
        Task("cleanup", 15 * MINUTE, cleanup),
        Task("pattern_mining", HOUR, student.study),
        Task("pattern_sync", 5 * MINUTE, student.say),
        Task("statistics", HOUR if connected else None, student.report),
        Task("embedding", HOUR if installed() else None, lambda: read_all(engine)),
        Task("download_insights", 6 * HOUR if connected else None, download),
    ]
