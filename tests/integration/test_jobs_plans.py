"""The statements of the hot path read no table, whatever PostgreSQL believes of its size."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import transaction
from shared.embedded.postgres import EmbeddedPostgres
from shared.jobs import line, workers
from shared.jobs.connection import with_settings
from tests.support.jobs import empty_queue, execute, settings

_FILL = """
    INSERT INTO oban_jobs (worker, state)
    SELECT 'echo', (CASE WHEN n % 2 = 0 THEN 'available' ELSE 'completed' END)::oban_job_state
      FROM generate_series(1, 20000) n
"""


@pytest.fixture
async def engine(postgres: EmbeddedPostgres) -> AsyncIterator[AsyncEngine]:
    async with empty_queue(postgres) as engine:
        yield engine


@pytest.mark.parametrize("prepared_when", ["empty", "full"])
async def test_no_exchange_reads_the_table_under_a_generic_plan(
    engine: AsyncEngine, postgres: EmbeddedPostgres, prepared_when: str
) -> None:
    async with transaction(engine) as connection:
        boot = await workers.register(connection, settings())
    told = with_settings(conninfo_to_dict(postgres.dsn("jobs")))
    with psycopg.connect(**told, autocommit=True) as ours:
        plan_of_exchange = _explaining(ours, boot)
        if prepared_when == "empty":
            await execute(engine, "ANALYZE oban_jobs")
            plan_of_exchange()
        await execute(engine, _FILL)
        plan = plan_of_exchange()
    assert "oban_jobs_available" in plan
    assert not re.search(r"Seq Scan on oban_jobs|Hash Join|Merge Join|Bitmap", plan)


def _explaining(connection: psycopg.Connection[Any], boot: str) -> Callable[[], str]:
    """Prepare an exchange; gives what says how it was done."""
    values = {
        "boot": boot,
        "name": "one",
        "finished": '[{"id": 1, "attempt": 1, "state": "completed"}]',
        "running": "{}",
        "limits": None,
    }
    names: list[str] = []

    def numbered(found: re.Match[str]) -> str:
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    statement = re.sub(r"%[(](\w+)[)]s", numbered, line.EXCHANGE)
    connection.execute(f"PREPARE exchange AS {statement}".encode())
    given = ", ".join("NULL" if values[name] is None else f"'{values[name]}'" for name in names)
    explain = f"EXPLAIN (ANALYZE, COSTS OFF) EXECUTE exchange({given})".encode()
    return lambda: "\n".join(text for (text,) in connection.execute(explain))
