"""How long `/api/v1/results/summary` and `/models` take when a thousand instances told of thirty days: 180,000 sums.

Each answer is read from the database in one transaction, as the endpoint does; HTTP is not part of it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

import uvloop
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.report import interleaved, print_expectation, print_machine
from bench.servers import hub_database
from centralcloud.web import results
from centralcloud.web.shapes.work import ResultsAsked
from shared.database import transaction

ROUNDS: Final = 15
MS_MAX: Final = 100
INSTANCES: Final = 1_000
DAYS: Final = 30

_FILL: Final = text("""
    WITH sketches AS MATERIALIZED (
        SELECT size, jsonb_build_object('zeros', 0, 'buckets', jsonb_agg(jsonb_build_array(size + n, 1))) AS sketch
          FROM generate_series(0, 96) size, generate_series(1, 10) n GROUP BY size)
    INSERT INTO result_states
           (tenant, instance, day, job_type, model, context, epoch, version, seq, event_id, results, succeeded, failed,
            priced, cost_microcents, cost, metered, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
            reasoning_tokens, timed, latency_ms, latency_ms_squared, latency)
    SELECT 'default', 'instance-' || i, current_date - d, 'kind-' || (k % 3), 'model-' || (k % 2), '{"size": "s"}',
           repeat('0', 32), 1, d * 6 + k + 1, repeat('e', 32), 10, 6, 3, 10, 10 * size, sketch, 10, 9000,
           1000, 500, 100, 0, 10, 30 * size, 95.0 * size * size, sketch
      FROM generate_series(1, CAST(:instances AS int)) i, generate_series(0, CAST(:days AS int) - 1) d,
           generate_series(0, 5) k, sketches WHERE size = (i * 7 + d * 13 + k) % 97
""")


def main() -> None:
    """Print the times."""
    print_machine()
    uvloop.run(_measured())


async def _measured() -> None:
    async with hub_database() as engine:
        async with transaction(engine) as connection:
            await connection.execute(_FILL, {"instances": INSTANCES, "days": DAYS})
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.execute(text("VACUUM ANALYZE result_states"))
        asked = {
            "summary": partial(_seconds, engine, results.summary, ResultsAsked()),
            "summary of a model": partial(_seconds, engine, results.summary, ResultsAsked(model="model-1")),
            "summary of an instance": partial(_seconds, engine, results.summary, ResultsAsked(instance="instance-7")),
            "models": partial(_seconds, engine, results.models, ResultsAsked()),
        }
        rounds = await interleaved(ROUNDS, asked)
    for name, seconds in rounds.items():
        took = sorted(1000 * one for one in seconds)
        print(f"{name:24} median {took[len(took) // 2]:7.1f} ms, from {took[0]:.1f} to {took[-1]:.1f}")
        median = took[len(took) // 2]
        print_expectation(f"{name}: {median:.0f} ms, expected < {MS_MAX}", met=median < MS_MAX)
    print_machine()


async def _seconds(engine: AsyncEngine, answer: Callable[..., Awaitable[Any]], query: ResultsAsked) -> float:
    began = time.perf_counter()
    async with transaction(engine) as connection:
        await answer(connection, query)
    return time.perf_counter() - began
