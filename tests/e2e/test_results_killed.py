"""What jobs cost, to the millionth of a cent, while both daemons are killed again and again."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.config import InstanceSettings
from instance.speaker import enrol
from instance.store import results
from instance.store.results import JobResult, Label, Status
from shared.database import connect_engine, transaction
from shared.embedded.nats import EmbeddedNats
from tests.chaos.supervision import Supervised
from tests.support.databases import instance_engine
from tests.support.wait import eventually

RESULTS = 1000
ROUNDS = 4
A_ROUND = RESULTS // ROUNDS
MICRO = 10**6
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
SETTINGS = """
[instance.schedules]
results = "1"
pattern_mining = "off"
"""

Sums = dict[tuple[str, str], tuple[int, int, int, int]]
"""Results, succeeded, failed and millionths of a cent, by kind of job and model."""

AT_HOME = """
    SELECT job_type, model, CAST(sum(CAST(sums->>'results' AS bigint)) AS bigint),
           CAST(sum(CAST(sums->>'succeeded' AS bigint)) AS bigint),
           CAST(sum(CAST(sums->>'failed' AS bigint)) AS bigint),
           CAST(sum(CAST(sums->>'cost_microcents' AS bigint)) AS bigint)
      FROM result_states GROUP BY 1, 2
"""
AT_THE_HUB = """
    SELECT job_type, model, CAST(sum(results) AS bigint), CAST(sum(succeeded) AS bigint), CAST(sum(failed) AS bigint),
           CAST(sum(cost_microcents) AS bigint)
      FROM result_states WHERE instance = 'ann' GROUP BY 1, 2
"""
COUNTED = "SELECT count(*) FROM job_results WHERE counted = status"
ON_THE_WAY = "SELECT count(*) FROM outbox WHERE confirmed_at IS NULL"


class Parts:
    """An instance and a hub as processes of their own, on one broker and a database each."""

    def __init__(self, directory: Path, nats_url: str, own_url: str, hub_url: str) -> None:
        told = {"NATS_URL": nats_url, "FLOCKLORE_HEARTBEAT_SECONDS": "1"}
        (directory / "flocklore.toml").write_text(SETTINGS, encoding="utf-8")
        own = told | {"DATABASE_URL": own_url, "INSTANCE_ID": "ann", "FLOCKLORE_WORKSPACE": str(directory)}
        self.instance = Supervised(["-P", "-m", "instance", "run"], directory / "instance.log", own)
        self.hub = Supervised(
            ["-P", "-m", "centralcloud", "run"], directory / "hub.log", told | {"DATABASE_URL": hub_url}
        )
        self.both = (self.instance, self.hub)


@pytest.fixture
async def hub_url(make_database: Callable[[], str]) -> str:
    return make_database()


@pytest.fixture
async def parts(
    own_nats: Callable[[], EmbeddedNats], database_url: str, hub_url: str, tmp_path: Path
) -> AsyncIterator[Parts]:
    parts = Parts(tmp_path, own_nats().url, database_url, hub_url)
    for part in parts.both:
        part.start()
    yield parts
    for part in parts.both:
        part.kill()


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with instance_engine(database_url) as engine:
        await enrol(engine, InstanceSettings(instance_id="ann"))
        yield engine


async def test_the_sums_are_the_same_to_the_cent_whatever_is_killed(
    engine: AsyncEngine, parts: Parts, hub_url: str
) -> None:
    chance = random.Random(5)  # noqa: S311 - reproducible
    done: list[JobResult] = []
    for number in range(ROUNDS):
        made = [_result(chance, number * A_ROUND + place) for place in range(A_ROUND)]
        done += await _recorded_and_relabelled(engine, made, chance)
        await _counts_more_than(engine, number * A_ROUND)
        for victim in ((parts.instance,), (parts.hub,), parts.both)[number % 3]:
            victim.kill()
            victim.start()
    expected = _sums(done)
    assert sum(cell[0] for cell in expected.values()) == RESULTS
    await eventually(lambda: _value(engine, COUNTED, RESULTS.__eq__), 90, what="all counted")
    await eventually(lambda: _value(engine, ON_THE_WAY, (0).__eq__), 90, what="all confirmed")
    assert await _table(engine, AT_HOME) == expected
    hub = connect_engine(hub_url, application="test")
    try:
        assert await _table(hub, AT_THE_HUB) == expected
    finally:
        await hub.dispose()


async def _counts_more_than(engine: AsyncEngine, number: int) -> None:
    """Wait until it is in the middle of it."""
    await eventually(lambda: _value(engine, COUNTED, number.__lt__), 90, what="some are counted")


def _result(chance: random.Random, number: int) -> JobResult:
    return JobResult(
        job_type=chance.choice(["fix", "docs", "tests"]),
        model_used=chance.choice(["small", "large"]),
        completed_at=NOON - timedelta(hours=chance.randrange(200)),
        cost_cents=Decimal(chance.randrange(10**9)) / MICRO,
        duration_ms=chance.randrange(10**6),
        source="test",
        external_id=str(number),
    )


async def _recorded_and_relabelled(
    engine: AsyncEngine, made: list[JobResult], chance: random.Random
) -> list[JobResult]:
    """Record results a few at a time, and label each once or twice; returns them as they are in the end."""
    last: dict[str, Status] = {}
    for start in range(0, len(made), 50):
        some = made[start : start + 50]
        async with transaction(engine) as connection:
            await results.record_many(connection, some)
        for hours in (1, 2):
            async with transaction(engine) as connection:
                for one in chance.sample(some, 30):
                    status: Status = chance.choice(["success", "failed"])
                    number = await results.find(connection, "test", one.external_id or "")
                    assert number is not None
                    await results.label(connection, [number], Label(status, "ci", NOON + timedelta(hours=hours)))
                    last[one.external_id or ""] = status
    return [
        JobResult(
            job_type=one.job_type, model_used=one.model_used, cost_cents=one.cost_cents,
            status=last.get(one.external_id or "", "unlabelled"),
        )
        for one in made
    ]  # fmt: skip


def _sums(done: list[JobResult]) -> Sums:
    found: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for one in done:
        cell = found[one.job_type, one.model_used or ""]
        cost = (one.cost_cents or Decimal(0)) * MICRO
        assert cost == int(cost)
        for place, added in enumerate((1, one.status == "success", one.status == "failed", int(cost))):
            cell[place] += added
    return {key: (cell[0], cell[1], cell[2], cell[3]) for key, cell in found.items()}


async def _table(engine: AsyncEngine, statement: str) -> Sums:
    async with engine.connect() as connection:
        return {(row[0], row[1]): (row[2], row[3], row[4], row[5]) for row in await connection.execute(text(statement))}


async def _value(engine: AsyncEngine, statement: str, is_wanted: Callable[[Any], bool]) -> bool:
    with suppress(DBAPIError):
        async with engine.connect() as connection:
            return is_wanted((await connection.execute(text(statement))).scalar_one())
    return False
