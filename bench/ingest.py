"""How fast centralcloud takes in what instances learned, against merely loading the same rows by COPY and merge.

Ingest decodes and hashes every event, locks and moves watermarks, keeps the envelopes, writes the observations and
queues what changed; the load formats the rows and merges them into a copy of the table of observations. Both commit
after every batch, with fsync.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final

import msgspec
import psycopg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.events import envelopes, numbered
from bench.report import interleaved, print_expectation, print_machine, print_rates, ratio
from bench.servers import hub_database
from centralcloud.ingest.arrivals import Arrival, read
from centralcloud.ingest.commit import commit
from centralcloud.ingest.effects import Effects
from schemas.envelope import EVENTS_MAX
from shared.database import transaction

ROUNDS: Final = 5
ENVELOPES: Final = 64
"""In one measurement, whatever the size of the batches."""
INSTANCES: Final = 4
BATCHES: Final = (8, 64)
RATIO_MIN: Final = 0.5

_CASES: Final = {"fresh patterns": True, "patterns known": False}
_SUBJECT: Final = "intelligence.code.pattern.learned.default.bench{}"
_COLUMNS: Final = (
    "tenant, instance, repository, fingerprint, epoch, version, seq, event_id, kind, language, view, name, template,"
    " files, occurrences, forgotten, release, bits"
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
    # The load takes the rows of the messages ingested before it, so both variants of a case see the very same.
    variants: dict[str, Callable[[], Awaitable[float]]] = {}
    for case, fresh in _CASES.items():
        variants[f"ingest, {case}"] = partial(workload.ingest, size, fresh=fresh)
        variants[f"COPY and merge, {case}"] = partial(workload.load, size)
    rounds = await interleaved(ROUNDS, variants)
    print_rates(rounds, "events/s", {f"ingest, {case}": f"COPY and merge, {case}" for case in _CASES})
    for case in _CASES:
        found = ratio(rounds, f"ingest, {case}", f"COPY and merge, {case}")
        print_expectation(f"{case}: {found:.2f} of COPY and merge, expected >= {RATIO_MIN}", met=found >= RATIO_MIN)


class Workload:
    """What some instances say, their sequences going on from turn to turn, and the rows that it comes to."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._turns = 0
        self._fresh_turn = 0
        self._messages: list[tuple[str, bytes]] = []
        self._rows: list[tuple[Any, ...]] = []

    def _prepare(self, *, fresh: bool) -> None:
        """Make the next messages, about new patterns or about those of the last turn again."""
        if fresh:
            self._fresh_turn = self._turns
        share = ENVELOPES * EVENTS_MAX // INSTANCES
        first = self._fresh_turn * share
        events = numbered(range(first, first + share), self._turns * share + 1, 1 + self._turns - self._fresh_turn)
        self._turns += 1
        packed = [message for _, message in envelopes(events)]
        self._messages = [(_SUBJECT.format(number), message) for message in packed for number in range(INSTANCES)]
        self._rows = _rows(self._messages)

    async def ingest(self, size: int, *, fresh: bool) -> float:
        """Take in the next messages; returns events per second."""
        self._prepare(fresh=fresh)
        started = time.perf_counter()
        for at in range(0, ENVELOPES, size):
            arrivals = [read(subject, message) for subject, message in self._messages[at : at + size]]
            async with transaction(self._engine) as connection:
                await commit(connection, [found for found in arrivals if isinstance(found, Arrival)], [])
        return len(self._rows) / (time.perf_counter() - started)

    async def load(self, size: int) -> float:
        """Load the rows of the last messages; returns rows per second."""
        async with self._engine.connect() as connection:
            raw = await connection.get_raw_connection()
            driver = raw.driver_connection
            assert isinstance(driver, psycopg.AsyncConnection)
            started = time.perf_counter()
            for at in range(0, len(self._rows), size * EVENTS_MAX):
                async with driver.transaction():
                    await _copy_and_merge(driver, self._rows[at : at + size * EVENTS_MAX])
            return len(self._rows) / (time.perf_counter() - started)

    async def check(self) -> None:
        """Raise `AssertionError` unless both tables hold the same."""
        async with self._engine.connect() as connection:
            assert (await connection.execute(_DIFFERENCES)).scalar_one() == 0
            taken_in, loaded = (await connection.execute(_STORED)).one()
            assert taken_in == loaded == (self._turns // 2) * len(self._rows)


def _rows(messages: Sequence[tuple[str, bytes]]) -> list[tuple[Any, ...]]:
    """The rows of observations that messages come to, in the order of the columns."""
    effects = Effects()
    for subject, message in messages:
        found = read(subject, message)
        assert isinstance(found, Arrival)
        for seq, raw in enumerate(found.events, found.first_seq):
            effects.add(raw, found.lineage, seq, void=False)
    return [msgspec.structs.astuple(row) for row in effects.observations]


async def _copy_and_merge(connection: psycopg.AsyncConnection[Any], rows: Sequence[tuple[Any, ...]]) -> None:
    async with connection.cursor() as cursor:
        await cursor.execute(_TEMPORARY)
        async with cursor.copy(f"COPY loaded ({_COLUMNS}) FROM STDIN") as copy:
            for row in rows:
                await copy.write_row(row)
        await cursor.execute(_MERGE)
