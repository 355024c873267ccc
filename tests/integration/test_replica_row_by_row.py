"""Logical replication of the central database, as the design of the hub once asked for it; and why it is not read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from centralcloud.config import CentralcloudSettings
from centralcloud.connections import connect_engines
from centralcloud.store import MIGRATIONS
from shared.metrics import Metrics
from shared.migrations import upgrade
from shared.replica import Replica
from tests.support.lifecycle import started
from tests.support.streaming import Pair, streaming_pair
from tests.support.wait import eventually

WITHOUT_KEY = """
    SELECT array_agg(c.oid::regclass::text) FROM pg_class c
     WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
       AND NOT EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
"""
LETTERS = "SELECT string_agg(error, ' ' ORDER BY id) FROM dead_letters"


@pytest.fixture
def pair(initialised: Path) -> Iterator[Pair]:
    """Give two servers with the same database in them, on their own from then on."""
    with streaming_pair(initialised) as made:
        made.primary.execute("ALTER SYSTEM SET wal_level = logical")
        made.primary.kill()
        made.primary.start()
        upgrade(made.primary.url(made.create_database("central")), MIGRATIONS)
        made.await_replay()
        made.promote()
        yield made


async def test_rows_follow_by_publication_and_such_a_copy_is_no_replica_to_read(pair: Pair) -> None:
    assert pair.primary.execute(WITHOUT_KEY, "central") is None  # without one no row of a table could change any more
    pair.primary.execute("CREATE PUBLICATION workflow_pub FOR ALL TABLES", "central")
    pair.replica.execute(
        f"CREATE SUBSCRIPTION workflow_sub CONNECTION '{pair.primary.url('central')}' PUBLICATION workflow_pub"
        " WITH (copy_data = false)",
        "central",
    )
    with psycopg.connect(pair.primary.url("central"), autocommit=True) as connection:
        for error in ("first", "second", "third"):
            connection.execute("INSERT INTO dead_letters (subject, body, error) VALUES (%s, '', %s)", [error, error])
        connection.execute("UPDATE dead_letters SET error = 'changed' WHERE error = 'first'")
        connection.execute("DELETE FROM dead_letters WHERE error = 'second'")
    await eventually(lambda: pair.replica.execute(LETTERS, "central") == "changed third", 20)
    engines = connect_engines(
        pair.primary.url("central"), CentralcloudSettings(database_read_url=pair.replica.url("central"))
    )
    assert engines.reads is not None
    replica = Replica(engines.web, engines.reads, Metrics(), stale_seconds=10.0)
    try:
        async with started(replica):
            await eventually(lambda: _is_foreign(replica))
    finally:
        await engines.dispose()
        await asyncio.to_thread(pair.replica.execute, "DROP SUBSCRIPTION workflow_sub", "central")


async def _is_foreign(replica: Replica) -> bool:
    return await replica.word() == "foreign"
