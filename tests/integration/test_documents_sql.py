"""The SQL of the documents Flocklore was built from, as it is written there, on a database of an instance."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.support.databases import instance_engine

WORKERS = """
    INSERT INTO workers (name, boot_id, hostname, pid, pid_started, status, load, queues, last_heartbeat_at)
    VALUES ('instance_a', '00000000-0000-4000-8000-00000000000a', 'alpha', 1, 0, 'online', 3, '{default}', now()),
           ('instance_b', '00000000-0000-4000-8000-00000000000b', 'beta', 2, 0, 'paused', 0, '{default,metrics}',
            now() - interval '2 seconds'),
           ('instance_c', '00000000-0000-4000-8000-00000000000c', 'gamma', 3, 0, 'offline', 0, '{}',
            now() - interval '2 hours')
"""
JOBS = """
    INSERT INTO oban_jobs (worker, state, attempted_by)
    SELECT 'anything', CASE WHEN n <= 3 THEN 'executing' WHEN n = 4 THEN 'completed' ELSE 'available' END
                       ::oban_job_state,
           CASE WHEN n <= 2 THEN ARRAY['instance_a', 'x'] WHEN n <= 4 THEN ARRAY['instance_b', 'y'] END
      FROM generate_series(1, 6) AS n
"""
LOCKS = """
    INSERT INTO distributed_locks (lock_name, instance_id, hostname, pid, pid_started, epoch, acquired_at,
                                   heartbeat_at, expires_at)
    VALUES ('held', 'instance_a', 'alpha', 1, 0, nextval('lock_epochs'), now(), now(), now() + interval '10 s'),
           ('over', 'instance_b', 'beta', 2, 0, nextval('lock_epochs'), now(), now(), now() - interval '1 s')
"""


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with instance_engine(database_url) as engine:
        async with engine.begin() as connection:
            for statement in (WORKERS, JOBS, LOCKS):
                await connection.execute(text(statement))
        yield engine


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with engine.begin() as connection:
        yield connection


async def rows(connection: AsyncConnection, statement: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await connection.exec_driver_sql(statement)]


async def test_the_instance_registry(connection: AsyncConnection) -> None:
    found = await rows(
        connection,
        """SELECT instance_id, status, load, last_heartbeat
             FROM instance_registry
             ORDER BY last_heartbeat DESC;""",
    )
    assert [row[:3] for row in found] == [
        ("instance_a", "online", 3), ("instance_b", "paused", 0), ("instance_c", "offline", 0),
    ]  # fmt: skip


async def test_seconds_since_the_last_heartbeat(connection: AsyncConnection) -> None:
    found = await rows(
        connection,
        """
  SELECT instance_id, status, load,
         EXTRACT(EPOCH FROM (NOW() - last_heartbeat)) as seconds_since_heartbeat
  FROM instance_registry
  ORDER BY last_heartbeat DESC;
""",
    )
    assert [row[0] for row in found] == ["instance_a", "instance_b", "instance_c"]
    assert [round(float(row[3]), -3) for row in found] == [0, 0, 7000]


async def test_who_runs_how_many_jobs(connection: AsyncConnection) -> None:
    found = await rows(
        connection,
        """SELECT reserved_by, COUNT(*) as job_count
             FROM oban_jobs
             WHERE state = 'executing'
             GROUP BY reserved_by;""",
    )
    assert sorted(found) == [("instance_a", 2), ("instance_b", 1)]


async def test_jobs_by_instance_and_state(connection: AsyncConnection) -> None:
    found = await rows(
        connection,
        """
  SELECT reserved_by, state, COUNT(*) as count
  FROM oban_jobs
  GROUP BY reserved_by, state
  ORDER BY reserved_by, state;
""",
    )
    assert found == [
        ("instance_a", "executing", 2), ("instance_b", "executing", 1), (None, "available", 2), (None, "completed", 1),
    ]  # fmt: skip


async def test_jobs_of_a_crashed_instance_are_marked_by_what_the_document_says(connection: AsyncConnection) -> None:
    """Document: available again, `reserved_by = NULL`; the column is generated, so the state alone does it."""
    await connection.exec_driver_sql("UPDATE oban_jobs SET state = 'available' WHERE reserved_by = 'instance_a'")
    assert await rows(connection, "SELECT count(*) FROM oban_jobs WHERE reserved_by IS NULL") == [(5,)]


async def test_the_tables_of_the_queue_are_there(connection: AsyncConnection) -> None:
    """`\\dt oban_*` of psql lists tables; `oban_peers` is a view."""
    found = await rows(connection, "SELECT relname, relkind::text FROM pg_class WHERE relname ~ '^oban_(jobs|peers)$'")
    assert sorted(found) == [("oban_jobs", "r"), ("oban_peers", "v")]


async def test_the_mailboxes_to_and_from_centralcloud(connection: AsyncConnection) -> None:
    await connection.exec_driver_sql(
        "INSERT INTO identity (tenant, instance_id, holder) VALUES ('default', 'instance_a', repeat('0', 32))"
    )
    await connection.execute(
        text("INSERT INTO outbox (domain, kind, body) VALUES ('code', 'pattern', convert_to('{\"files\": 2}', 'UTF8'))")
    )
    await connection.exec_driver_sql(
        "INSERT INTO insight_changes VALUES ('0', 7, 'applied', '{\"state\": \"active\"}')"
    )
    sent = await rows(
        connection,
        """
  SELECT msg_id, queue_name, enqueued_at, message->'instance_id' as source
  FROM pgmq.q_centralcloud_updates
  ORDER BY enqueued_at DESC LIMIT 10;
""",
    )
    assert [(row[1], row[3]) for row in sent] == [("centralcloud_updates", "instance_a")]
    received = await rows(
        connection,
        """
  SELECT msg_id, enqueued_at, message->'type' as learning_type
  FROM pgmq.q_instance_learning
  ORDER BY enqueued_at DESC LIMIT 10;
""",
    )
    assert [row[2] for row in received] == ["applied"]


async def test_active_instances(connection: AsyncConnection) -> None:
    found = await rows(connection, "SELECT * FROM instances WHERE last_heartbeat > NOW() - INTERVAL '60 seconds';")
    assert sorted(row[0] for row in found) == ["instance_a", "instance_b"]


async def test_stale_instances_are_listed_and_removed(connection: AsyncConnection) -> None:
    assert len(await rows(connection, "SELECT * FROM instances \nORDER BY last_heartbeat DESC;")) == 3
    await connection.exec_driver_sql("DELETE FROM instances \nWHERE last_heartbeat < NOW() - INTERVAL '5 minutes';")
    left = await rows(connection, "SELECT instance_id FROM instance_registry ORDER BY instance_id")
    assert left == [("instance_a",), ("instance_b",)]


async def test_active_locks_are_listed_and_expired_ones_removed(connection: AsyncConnection) -> None:
    found = await rows(connection, "SELECT * FROM distributed_locks \nWHERE expires_at > NOW()\nORDER BY acquired_at;")
    assert [row[0] for row in found] == ["held"]
    await connection.exec_driver_sql("DELETE FROM distributed_locks \nWHERE expires_at < NOW();")
    assert await rows(connection, "SELECT lock_name FROM distributed_locks") == [("held",)]


async def test_split_brain_by_lock_name(connection: AsyncConnection) -> None:
    """Runs and can never find a row: the name is the primary key. `lock_history` can be asked instead."""
    found = await rows(
        connection,
        """SELECT lock_name, COUNT(*) as instances
FROM distributed_locks
GROUP BY lock_name
HAVING COUNT(*) > 1;""",
    )
    assert found == []


async def test_workers_of_workflows(connection: AsyncConnection) -> None:
    found = await rows(
        connection,
        """SELECT COUNT(*) FROM workflow_workers
WHERE deprecated_at IS NULL;""",
    )
    assert found == [(3,)]
    stale = await rows(
        connection,
        """SELECT * FROM workflow_workers
WHERE last_heartbeat_at < NOW() - INTERVAL '5 minutes';""",
    )
    assert len(stale) == 1
    await connection.exec_driver_sql(
        """DELETE FROM workflow_workers
WHERE last_heartbeat_at < NOW() - INTERVAL '1 hour';"""
    )
    assert await rows(connection, "SELECT count(*) FROM workers") == [(2,)]


async def test_a_worker_is_deprecated(connection: AsyncConnection) -> None:
    worker = "00000000-0000-4000-8000-00000000000a"
    await connection.exec_driver_sql(
        """
    UPDATE workflow_workers
    SET deprecated_at = NOW()
    WHERE worker_id = %s
    """,
        (worker,),
    )
    found = await rows(connection, "SELECT name FROM workers WHERE deprecated_at IS NOT NULL")
    assert found == [("instance_a",)]


async def test_whether_the_primary_is_alive(connection: AsyncConnection) -> None:
    found = await connection.exec_driver_sql(
        """
    SELECT last_heartbeat_at FROM workflow_workers
    WHERE worker_id = %s
    """,
        ("00000000-0000-4000-8000-00000000000b",),
    )
    assert found.scalar_one() is not None
