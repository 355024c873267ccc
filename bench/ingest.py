"""How fast centralcloud takes in what instances learned, against merely loading the same rows by COPY and merge.

Ingest decodes and hashes every event, locks and moves watermarks, keeps the envelopes, writes the observations and
queues what changed; the load formats the rows and merges them into a copy of the table of observations. Both commit
after every batch, with fsync.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import msgspec
import psycopg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.events import SENDER, envelopes, numbered
from bench.report import interleaved, print_expectation, print_machine, print_rates, ratio
from bench.servers import hub_database
from centralcloud.ingest.arrivals import Arrival, read
from centralcloud.ingest.commit import commit
from centralcloud.ingest.effects import Effects
from schemas import subjects
from schemas.envelope import EVENTS_MAX
from shared.database import transaction
from tests.support.patterns import TOPIC

ROUNDS: Final = 5
ENVELOPES: Final = 64
"""In one measurement, whatever the size of the batches."""
BATCHES: Final = (8, 64)
RATIO_MIN: Final = 0.5

_COLUMNS: Final = (
    "tenant, instance, repository, fingerprint, epoch, version, seq, event_id, kind, language, view, name, template,"
    " files, occurrences, forgotten"
)
_SET: Final = ", ".join(
    f"{column} = excluded.{column}"
    for column in _COLUMNS.split(", ")
    if column not in ("tenant", "instance", "repository", "fingerprint")
)
_TEMPORARY = f"CREATE TEMPORARY TABLE loaded ON COMMIT DROP AS SELECT {_COLUMNS} FROM observations LIMIT 0"  # noqa: S608
_MERGE = f"""
    INSERT INTO loaded_observations AS o ({_COLUMNS}) SELECT {_COLUMNS} FROM loaded
    ON CONFLICT (tenant, fingerprint, instance, repository) DO UPDATE SET {_SET}, received_at = now()
     WHERE (o.epoch, o.version) < (excluded.epoch, excluded.version)
"""  # noqa: S608 - composed of constants
_DIFFERENCES = text(f"""
    SELECT count(*) FROM (SELECT {_COLUMNS} FROM observations EXCEPT SELECT {_COLUMNS} FROM loaded_observations) d
""")  # noqa: S608 - composed of constants
_STORED = text("SELECT (SELECT count(*) FROM observations), (SELECT count(*) FROM loaded_observations)")


def main() -> None:
    """Print a table for each size of batch."""
    asyncio.run(_main())


async def _main() -> None:
    print_machine()
    async with hub_database() as engine:
        async with transaction(engine) as connection:
            await connection.execute(text("CREATE TABLE loaded_observations (LIKE observations INCLUDING ALL)"))
            assert (await connection.execute(text("SHOW fsync"))).scalar_one() == "on"
        workload = Workload(engine)
        for size in BATCHES:
            await _compare(workload, size)
            await workload.check()


async def _compare(workload: Workload, size: int) -> None:
    print(f"batches of {size} envelopes of {EVENTS_MAX} events")
    rounds = await interleaved(
        ROUNDS,
        {
            # Each turn prepares its events first, so that both variants of a case see the very same ones.
            "ingest, fresh patterns": partial(workload.ingest, size, fresh=True),
            "COPY and merge, fresh patterns": partial(workload.load, size),
            "ingest, patterns known": partial(workload.ingest, size, fresh=False),
            "COPY and merge, patterns known": partial(workload.load, size),
        },
    )
    print_rates(rounds, "events/s", "COPY and merge, fresh patterns")
    for case in ("fresh patterns", "patterns known"):
        found = ratio(rounds, f"ingest, {case}", f"COPY and merge, {case}")
        print_expectation(f"{case}: {found:.2f} of COPY and merge, expected >= {RATIO_MIN}", met=found >= RATIO_MIN)


class Workload:
    """Messages of one instance, its sequence going on from turn to turn, and the rows that they come to."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._patterns = 0
        self._sequence = 1
        self._version = 1
        self._messages: list[bytes] = []

    async def ingest(self, size: int, *, fresh: bool) -> float:
        """Take in the next messages; returns events per second."""
        self._prepare(fresh=fresh)
        subject = subjects.learned(TOPIC, SENDER)
        started = time.perf_counter()
        for batch in itertools.batched(self._messages, size) if hasattr(itertools, "batched") else ():
            arrivals = [read(subject, message) for message in batch]
            async with transaction(self._engine) as connection:
                await commit(connection, [found for found in arrivals if isinstance(found, Arrival)], [])
        return ENVELOPES * EVENTS_MAX / (time.perf_counter() - started)
