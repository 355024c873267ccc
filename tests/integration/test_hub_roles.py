"""Centralcloud divided: one process takes in, one answers, one leads, on one database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from centralcloud.aggregator import Aggregator
from centralcloud.config import CentralcloudSettings
from centralcloud.daemon import build
from centralcloud.jobs import REPLAY, Letters
from shared.database import connect_engine, transaction
from shared.embedded.nats import EmbeddedNats
from shared.jobs import queue
from tests.support.daemons import Hub, codebase, in_two_files, member
from tests.support.lifecycle import started

SOURCE = "import os\n\n\ndef there(path):\n    return os.path.exists(os.path.join(path, 'there'))\n"
ONLINE = "SELECT string_agg(name || ' ' || role, ', ' ORDER BY name) FROM workers WHERE status = 'online'"


@asynccontextmanager
async def process(nats_url: str, database_url: str, role: Any) -> AsyncIterator[Hub]:
    settings = CentralcloudSettings(nats_url=nats_url, database_url=database_url, role=role, worker_id=role)
    engine = connect_engine(database_url, application="test")
    try:
        async with build(settings) as services, started(*services):
            yield Hub(services, engine)
    finally:
        await engine.dispose()


async def test_three_processes_are_one_hub(
    nats_server: EmbeddedNats, make_database: Callable[[], str], tmp_path: Path
) -> None:
    central, url = make_database(), nats_server.url
    workspaces = [codebase(tmp_path / name, in_two_files(SOURCE)) for name in ("ann", "bob")]
    async with (
        process(url, central, "ingestor") as ingestor,
        process(url, central, "web"),
        process(url, central, "worker") as worker,
        member(url, make_database(), workspaces[0]) as ann,
        member(url, make_database(), workspaces[1]) as bob,
    ):
        assert await ingestor.value(ONLINE) == "ingestor ingestor, web web, worker worker"
        await ann.shares()
        await bob.shares()
        version = max(result.head for result in await worker.part(Aggregator).request())
        assert version > 0
        await ann.knows(version)


async def test_dead_letters_are_replayed_by_a_job(nats_server: EmbeddedNats, make_database: Callable[[], str]) -> None:
    central = make_database()
    async with process(nats_server.url, central, "worker") as worker:
        async with transaction(worker.engine) as connection:
            await connection.exec_driver_sql(
                "INSERT INTO dead_letters (subject, body, error) VALUES ('nothing', '\\x00', 'unreadable')"
            )
            await queue.enqueue(connection, REPLAY, Letters())
        await worker.reaches("SELECT state::text FROM oban_jobs", "completed")
        assert await worker.value("SELECT result FROM oban_jobs") == {"applied": 0, "unreadable": 1}
