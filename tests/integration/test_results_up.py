"""Results from the databases of instances to the database of centralcloud: the sums agree, to the cent."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from msgspec import Raw
from nats.aio.client import Client
from nats.errors import Error as NatsError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.replay import replay
from centralcloud.store import results as central_results
from centralcloud.store.results import InstanceSums
from instance.config import Sharing
from instance.store import results
from instance.store.outbox import event_identity
from instance.store.results import JobResult, Label, Status
from instance.sync.results import say_results
from instance.sync.snapshot import begin_epoch
from schemas import subjects
from schemas.codec import encode
from schemas.envelope import Batch, Envelope, Source
from schemas.events import ResultsLearned
from schemas.results import ResultSums
from schemas.subjects import Sender
from shared.database import transaction
from shared.embedded.nats import EmbeddedNats
from shared.errors import UnreachableError
from shared.results import merge
from shared.sketch import quantile
from tests.support.databases import copy_database
from tests.support.fleet import Hub, Spoke, hub, spoke
from tests.support.patterns import scalar
from tests.support.wait import eventually
from tests.support.wire import EPOCH, plain_client

MakeDatabase = Callable[[], str]

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
DAY = NOON.date()
KINDS = ("fix-tests", "docs")
MODELS = ("small", "large", None)
STATUSES: tuple[Status, ...] = ("success", "failed", "unlabelled")

AT_HOME = """
    SELECT job_type, coalesce(model_used, 'unknown'), count(*), count(*) FILTER (WHERE success),
           count(*) FILTER (WHERE NOT success), coalesce(sum(cost_cents), 0), coalesce(sum(tokens_used), 0),
           coalesce(sum(duration_ms), 0)
      FROM job_results GROUP BY 1, 2
"""
AT_THE_HUB = """
    SELECT job_type, model, sum(results), sum(succeeded), sum(failed), sum(cost_microcents) / 1000000,
           sum(input_tokens + output_tokens + cache_read_tokens + cache_write_tokens + reasoning_tokens),
           sum(latency_ms)
      FROM result_states WHERE instance = :instance GROUP BY 1, 2
"""


@pytest.fixture
def url(own_nats: Callable[[], EmbeddedNats]) -> str:
    return own_nats().url


@pytest.fixture
async def central(url: str, make_database: MakeDatabase) -> AsyncIterator[Hub]:
    async with hub(url, make_database(), suspect_seconds=0.01, silence_seconds=0.01) as running:
        await eventually(lambda: _has_stream(running), what="a stream")
        yield running


def some_results(chance: random.Random, number: int, first: int = 0) -> list[JobResult]:
    return [
        JobResult(
            job_type=chance.choice(KINDS),
            model_used=chance.choice(MODELS),
            status=chance.choice(STATUSES),
            completed_at=NOON - timedelta(hours=chance.randrange(60)),
            cost_cents=chance.choice([None, Decimal(chance.randrange(10**8)) / 10**6]),
            input_tokens=chance.choice([None, chance.randrange(10**5)]),
            reasoning_tokens=chance.choice([None, chance.randrange(10**4)]),
            duration_ms=chance.randrange(10**6),
            context={"size": chance.choice("sml"), "prompt": "never to leave"},
            source="test",
            external_id=str(external),
        )
        for external in range(first, first + number)
    ]


async def record(engine: AsyncEngine, recorded: Sequence[JobResult]) -> None:
    async with transaction(engine) as connection:
        await results.record_many(connection, recorded)


async def relabel(engine: AsyncEngine, chance: random.Random, share: float, hours: int) -> None:
    """Label a share of all results, each with a status drawn anew."""
    async with transaction(engine) as connection:
        ids = list((await connection.execute(text("SELECT id FROM job_results ORDER BY id"))).scalars())
        drawn = {status: [one for one in ids if chance.random() < share] for status in STATUSES}
        for status, chosen in drawn.items():
            await results.label(connection, chosen, Label(status, "ci", NOON + timedelta(hours=hours)))


async def table(engine: AsyncEngine, statement: str, **values: object) -> set[tuple[object, ...]]:
    async with engine.connect() as connection:
        return {tuple(row) for row in await connection.execute(text(statement), values)}


async def agree(central: Hub, one: Spoke) -> None:
    """Wait until all of an instance is confirmed, and compare its results with the hub's sums."""
    await one.confirms_all()
    at_home = await table(one.engine, AT_HOME)
    assert at_home
    assert await table(central.engine, AT_THE_HUB, instance=one.identity.instance_id) == at_home


async def fleet_sums(central: Hub, first: date, last: date) -> dict[tuple[str, str], list[InstanceSums]]:
    """What instances say of some days, by kind of job and model."""
    found: dict[tuple[str, str], list[InstanceSums]] = {}
    async with transaction(central.engine) as connection:
        for one in await central_results.between(connection, "default", first, last):
            found.setdefault((one.job_type, one.model), []).append(one)
    return found


async def test_the_sums_at_the_hub_are_those_at_the_instances(
    url: str, central: Hub, make_database: MakeDatabase
) -> None:
    chance = random.Random(7)  # noqa: S311 - reproducible
    async with AsyncExitStack() as stack:
        spokes = [await stack.enter_async_context(spoke(url, make_database(), name)) for name in ("ann", "bob")]
        for one in spokes:
            await record(one.engine, some_results(chance, 80))
            await say_results(one.engine, one.uplink.wake)
        for hours in (100, 101, 102):
            for one in spokes:
                await relabel(one.engine, chance, 0.3, hours)
                await say_results(one.engine, one.uplink.wake)
        for one in spokes:
            await agree(central, one)
        bodies = await table(spokes[0].engine, "SELECT convert_from(body, 'UTF8') FROM outbox")
        assert "never to leave" not in str(bodies)
        found = await fleet_sums(central, DAY - timedelta(days=9), DAY)
        assert sum(one.sums.results for said in found.values() for one in said) == 160
        for (job_type, model), said in found.items():
            assert {one.instance for one in said} == {one.identity.instance_id for one in spokes}
            durations = await _durations(spokes, job_type, model)
            latency = merge(one.sums for one in said).latency
            for q in (0.5, 0.95):
                assert quantile(latency, q) == pytest.approx(durations[int(q * (len(durations) - 1))], rel=0.0101)


async def test_stopping_in_between_and_saying_all_again_changes_nothing(
    url: str, central: Hub, make_database: MakeDatabase
) -> None:
    chance = random.Random(8)  # noqa: S311 - reproducible
    own_url = make_database()
    for start in range(3):
        async with spoke(url, own_url, "ann") as one:
            await record(one.engine, some_results(chance, 20, 20 * start))
            await say_results(one.engine, one.uplink.wake)
            await record(one.engine, some_results(chance, 5, 20 * start + 500))
    async with spoke(url, own_url, "ann") as one:
        await say_results(one.engine, one.uplink.wake)
        await agree(central, one)
        async with transaction(one.engine) as connection:
            await connection.execute(text("UPDATE outbox SET sent_at = NULL, confirmed_at = NULL"))
        one.uplink.wake()
        await agree(central, one)
        async with transaction(one.engine) as connection:
            await begin_epoch(connection, Sharing())
        one.uplink.wake()
        await agree(central, one)
        assert await scalar(central.engine, "SELECT count(DISTINCT epoch) FROM result_states") == 1


async def test_what_a_restored_instance_no_longer_knows_is_void(
    url: str, central: Hub, make_database: MakeDatabase
) -> None:
    chance = random.Random(9)  # noqa: S311 - reproducible
    own_url, backup_url = make_database(), make_database()
    async with spoke(url, own_url, "ann") as one:
        await record(one.engine, some_results(chance, 20))
        await say_results(one.engine, one.uplink.wake)
        await agree(central, one)
    copy_database(own_url, backup_url)
    async with spoke(url, own_url, "ann") as one:
        await record(one.engine, [JobResult(job_type="lost", completed_at=NOON), *some_results(chance, 20, 100)])
        await say_results(one.engine, one.uplink.wake)
        await agree(central, one)
    copy_database(backup_url, own_url)
    async with spoke(url, own_url, "ann") as one:
        await one.rotates()
        await agree(central, one)
        assert await scalar(central.engine, "SELECT count(*) FROM result_states WHERE job_type = 'lost'") == 0


async def test_what_is_late_or_distrusted_does_not_count(url: str, central: Hub) -> None:
    async with plain_client(url) as client:
        await _send(client, 1, [_event(version=2, results=5), _event(version=1, results=9)])
        await central.reaches("SELECT results FROM result_states", 5)
        later = "f" * 32
        await _send(client, 1, [_event(version=1, results=3)], epoch=later)
        await central.reaches("SELECT results FROM result_states", 3)
        await _send(client, 3, [_event(version=9, results=7)])
        await central.reaches("SELECT min(wm) FILTER (WHERE epoch LIKE '%1') FROM watermarks", 3)
        assert await scalar(central.engine, "SELECT results FROM result_states") == 3
        (said,) = (await fleet_sums(central, DAY, DAY))["docs", "small"]
        assert said.sums.results == 3
        assert await fleet_sums(central, DAY - timedelta(days=9), DAY - timedelta(days=1)) == {}
        async with transaction(central.engine) as connection:
            await connection.execute(
                text("""
                    INSERT INTO instance_trust (tenant, instance, trust, z, facts)
                    VALUES ('default', 'one', 0, 9, 1)""")
            )
        assert await fleet_sums(central, DAY, DAY) == {}


async def test_a_dead_letter_about_results_can_be_replayed(url: str, central: Hub) -> None:
    good = _event(version=1, results=4)
    bad = good.replace(b'"succeeded":0', b'"succeeded":5')
    async with plain_client(url) as client:
        await _send(client, 1, [bad])
        await central.reaches("SELECT count(*) FROM dead_letters", 1)
    async with transaction(central.engine) as connection:
        await connection.execute(text("UPDATE dead_letters SET body = :body"), {"body": good})
    await replay(central.engine, int(str(await scalar(central.engine, "SELECT id FROM dead_letters"))))
    assert await scalar(central.engine, "SELECT results FROM result_states") == 4


async def _has_stream(central: Hub) -> bool:
    try:
        await central.bus.jetstream().stream_info(subjects.STREAM)
    except (NatsError, UnreachableError):
        return False
    return True


def _event(*, version: int, results: int) -> bytes:
    return encode(
        ResultsLearned(
            **event_identity(), day=DAY, job_type="docs", model="small", version=version,
            sums=ResultSums(results=results),
        )
    )  # fmt: skip


async def _send(client: Client, first_seq: int, events: Sequence[bytes], *, epoch: str = EPOCH) -> None:
    batch = Batch(epoch=epoch, first_seq=first_seq, events=tuple(map(Raw, events)))
    body = encode(Envelope(timestamp=NOON, source=Source(instance_id="one"), data=batch))
    await client.jetstream().publish(subjects.learned(ResultsLearned.topic, Sender("default", "one")), body)


async def _durations(spokes: Sequence[Spoke], job_type: str, model: str) -> list[int]:
    statement = """
        SELECT id, duration_ms FROM job_results
         WHERE job_type = :job_type AND coalesce(model_used, 'unknown') = :model
    """
    found = [await table(one.engine, statement, job_type=job_type, model=model) for one in spokes]
    return sorted(int(str(duration)) for rows in found for _, duration in rows)
