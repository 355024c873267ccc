"""What a region's hub tells its delegate of results: sums of enough instances, and nothing of pinned tenants."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pytest
from nats.aio.client import Client
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.region import results as results_module
from centralcloud.store import pins, regional_results
from centralcloud.store import results as central_results
from centralcloud.store.results import ResultRow
from schemas import subjects
from schemas.codec import encode
from schemas.names import COUNT_MAX
from schemas.region import ResultsPage, ResultsQuery
from schemas.replies import ErrorCode
from schemas.results import ResultSums
from shared import sketch
from shared.database import transaction
from shared.embedded.nats import EmbeddedNats
from tests.support.databases import central_engine
from tests.support.observed import TENANT, digest
from tests.support.regional import asked, delegate_of, pinned

DAY: Final = date(2026, 3, 14)
CREW: Final = ("ann", "bob", "cyd")


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with central_engine(database_url) as engine:
        yield engine


@pytest.fixture
async def client(engine: AsyncEngine, nats_server: EmbeddedNats) -> AsyncIterator[Client]:
    async with delegate_of(engine, nats_server.url) as client:
        yield client


async def results(client: Client, **asking: Any) -> ResultsPage:
    found = await asked(client, subjects.RESULTS_QUERY, ResultsQuery(**asking), ResultsPage)
    assert isinstance(found, ResultsPage), found
    return found


def row(instance: str, number: int = 0, **changes: Any) -> ResultRow:
    sums: dict[str, Any] = {
        "results": 3, "succeeded": 2, "failed": 1, "priced": 3, "cost_microcents": 1_000_001 + number,
        "cost": sketch.sketch([1_000_001 + number]), "timed": 3, "latency_ms": 3_000, "latency": sketch.sketch([1000]),
    }  # fmt: skip
    cell: dict[str, Any] = {"day": DAY, "job_type": "fix", "model": "small", "context": {"language": "python"}}
    origin: dict[str, Any] = {"tenant": TENANT, "epoch": "0" * 32, "version": 1, "seq": 1, "event_id": digest(instance)}
    return ResultRow(**({"instance": instance} | origin | cell | sums | changes))


async def put(engine: AsyncEngine, rows: Sequence[ResultRow]) -> None:
    async with transaction(engine) as connection:
        await central_results.upsert(connection, rows)


async def everything(client: Client, **asking: Any) -> list[Any]:
    found: list[Any] = []
    after = ""
    while True:
        page = await results(client, after=after, **asking)
        found += page.results
        if not page.next:
            return found
        after = page.next


async def test_results_are_the_sums_of_all_and_only_of_enough_instances(client: Client, engine: AsyncEngine) -> None:
    await put(engine, [row(name, number) for number, name in enumerate(CREW)])
    await put(engine, [row(name, model="secret") for name in CREW[:2]])
    await put(engine, [row(name, model="untold", results=0, succeeded=0, failed=0) for name in CREW])
    (found,) = await everything(client)
    assert (found.day, found.job_type, found.model, found.context) == (DAY, "fix", "small", {"language": "python"})
    assert found.instances == 3
    names = [name for name in ResultSums.__struct_fields__ if name not in ("cost", "latency")]
    async with transaction(engine) as connection:
        sums = ", ".join(f"sum({name})" for name in names)
        wanted = (
            await connection.execute(text(f"SELECT {sums} FROM result_states WHERE model = 'small'"))  # noqa: S608 - names of ours
        ).one()
    assert [getattr(found.sums, name) for name in names] == list(wanted)
    assert found.sums.cost_microcents == 3_000_006
    assert (sketch.size(found.sums.cost), sketch.size(found.sums.latency)) == (3, 3)


async def test_who_is_set_aside_is_no_instance(client: Client, engine: AsyncEngine) -> None:
    await put(engine, [row(name) for name in CREW])
    assert len(await everything(client)) == 1
    async with transaction(engine) as connection:
        await connection.execute(
            text("INSERT INTO instance_trust (tenant, instance, trust, z, facts) VALUES ('default', 'cyd', 0, 9, 1)")
        )
    assert await everything(client) == []


async def test_results_come_in_pages_each_cell_once(
    client: Client, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [DAY + timedelta(days=number) for number in range(3)]
    contexts = [{}, {"task": "bugfix"}, {"task": "bugfix", "language": "go"}]
    rows = [row(name, day=day, context=context) for name in CREW for day in days for context in contexts]
    await put(engine, rows)
    wanted = {(day, encode(context)) for day in days for context in contexts}

    async def listed(**asking: Any) -> list[tuple[date, bytes]]:
        return [(one.day, encode(one.context)) for one in await everything(client, **asking)]

    for limit in (1, 2, 500):
        found = await listed(limit=limit)
        assert (len(found), set(found)) == (9, wanted)
    monkeypatch.setattr(results_module, "PAGE_BYTES_MAX", 10)
    assert len((await results(client)).results) == 1
    assert set(await listed()) == wanted


async def test_a_page_reads_so_many_rows_and_no_more(client: Client, engine: AsyncEngine) -> None:
    many = [f"ann-{number}" for number in range(1_500)]
    await put(engine, [row(name, model=model) for model in ("a", "b", "c") for name in many])
    first = await results(client)
    assert [one.model for one in first.results] == ["a", "b"]
    assert [(one.model, one.instances) for one in await everything(client)] == [("a", 1500), ("b", 1500), ("c", 1500)]


async def test_since_leaves_out_what_was_told(client: Client, engine: AsyncEngine) -> None:
    await put(engine, [row(name, model=model) for name in CREW for model in ("old", "new")])
    async with transaction(engine) as connection:
        await connection.execute(text("UPDATE result_states SET received_at = now() - interval '1 day'"))
    before = await results(client)
    assert {one.model for one in before.results} == {"old", "new"}
    lag = (datetime.now(UTC) - before.asked_at).total_seconds()
    assert regional_results.TRANSACTION_SECONDS_MAX - 1 < lag < regional_results.TRANSACTION_SECONDS_MAX + 60
    assert (await results(client, since=before.asked_at)).results == ()
    await put(engine, [row("ann", model="new", version=2, results=4)])
    (found,) = (await results(client, since=before.asked_at)).results
    assert (found.model, found.instances, found.sums.results) == ("new", 3, 10)


async def test_sums_that_are_no_counts_are_left_out(client: Client, engine: AsyncEngine) -> None:
    await put(engine, [row(name, model="lied-of", results=COUNT_MAX) for name in CREW])
    await put(engine, [row(name, model="true") for name in CREW])
    assert [one.model for one in await everything(client, limit=1)] == ["true"]


@pytest.mark.parametrize(
    "after", ["x", "[]", '["2026-03-14","fix","small",{"a":"\\u0000"}]', '["tomorrow","a","b",{}]', '[1,2,3,"{}"]']
)
async def test_a_cursor_that_is_none_is_refused(client: Client, after: str) -> None:
    refused = await asked(client, subjects.RESULTS_QUERY, ResultsQuery(after=after), ResultsPage)
    assert (refused.code, "`after`" in refused.message) == (ErrorCode.INVALID_REQUEST, True)


async def test_what_a_pinned_tenant_knows_does_not_leave(client: Client, engine: AsyncEngine) -> None:
    await put(engine, [row(name) for name in CREW])
    for primary in ("eu", "us"):
        await pinned(engine, primary)
        refused = await asked(client, subjects.RESULTS_QUERY, ResultsQuery(), ResultsPage)
        assert (refused.code, "pinned" in refused.message) == (ErrorCode.UNAUTHORIZED, True)
    async with transaction(engine) as connection:
        await pins.drop(connection, TENANT)
    assert len(await everything(client)) == 1
