"""One tenant lets another see its insights: once both want it, as long as both do, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud import sharing
from centralcloud.aggregate import aggregate
from centralcloud.store import insights
from centralcloud.store import sharing as stored
from centralcloud.store.tenancy import of_tenant
from schemas.insights import Insight
from shared.database import transaction
from shared.embedded.postgres import EmbeddedPostgres
from shared.errors import NotFoundError, UsageError
from tests.support.observed import digest
from tests.support.patterns import scalar
from tests.support.tenants import (
    HERE,
    YONDER,
    accept,
    betrays,
    end,
    everything_of,
    insight,
    offer,
    two_tenants,
)
from tests.support.wait import eventually


@pytest.fixture
async def engine(postgres: EmbeddedPostgres, make_database: Callable[[], str]) -> AsyncIterator[AsyncEngine]:
    async with two_tenants(postgres, make_database()) as engine:
        yield engine


async def seen(engine: AsyncEngine, reader: str = HERE) -> dict[str, list[Insight]]:
    """What a tenant sees of others, by whose it is."""
    async with of_tenant(engine, reader) as connection:
        rows = await connection.execute(text("SELECT owner, CAST(body AS text) FROM shared_insights"))
        found: dict[str, list[Insight]] = {}
        for owner, body in rows:
            found.setdefault(owner, []).append(msgspec.json.decode(body, type=Insight))
    return found


async def test_insights_are_seen_once_both_want_it_and_until_either_does_not(engine: AsyncEngine) -> None:
    for ends in (HERE, YONDER):
        assert await seen(engine) == {}
        assert await offer(engine)
        assert await seen(engine) == {}
        assert await accept(engine)
        assert set(await seen(engine)) == {YONDER}
        assert await seen(engine, YONDER) == {}, "the other direction is another matter"
        assert await seen(engine, "third") == {}
        assert (await offer(engine), await accept(engine)) == (False, False)
        assert await end(engine, ends)
        assert await seen(engine) == {}
        assert not await end(engine, ends)
    assert await offer(engine)
    assert await seen(engine) == {}, "who once accepted is asked again"


async def test_only_what_was_decided_is_shared(engine: AsyncEngine) -> None:
    await offer(engine)
    await accept(engine)
    async with transaction(engine) as connection:
        (original,) = (await insights.of_patterns(connection, YONDER, [insight(YONDER)])).values()
    (shared,) = [one for one in (await seen(engine))[YONDER] if one.id == insight(YONDER)]
    kept = ("name", "template", "kind", "language", "instances", "repositories", "files", "confidence", "version")
    assert [getattr(shared, name) for name in kept] == [getattr(original, name) for name in kept]
    assert (shared.contributors, shared.evidence, shared.cluster) == ((), "", "")
    assert original.contributors
    assert original.evidence
    assert betrays(msgspec.json.encode(shared), YONDER, YONDER, insight(YONDER), digest(f"loop of {YONDER}")) == set()


async def test_nothing_else_of_the_owner_is_seen_or_counted(engine: AsyncEngine) -> None:
    before = [await everything_of(engine, tenant) for tenant in (HERE, YONDER)]
    own = await _own(engine)
    await offer(engine)
    await accept(engine)
    assert await _own(engine) == own
    await aggregate(engine, HERE)
    assert [await everything_of(engine, tenant) for tenant in (HERE, YONDER)] == before
    for table in before[1]:
        async with of_tenant(engine, HERE) as connection:
            rows = (await connection.execute(text(f"SELECT t::text FROM {table} t"))).scalars().all()  # noqa: S608
        assert not [row for row in rows if betrays(row, YONDER)], table


async def _own(engine: AsyncEngine) -> list[int]:
    """What a tenant counts, by statements that forget whose."""
    tables = ("insights", "insight_history", "observations", "instance_registry", "insight_heads")
    async with of_tenant(engine, HERE) as connection:
        return [(await connection.execute(text(f"SELECT count(*) FROM {one}"))).scalar_one() for one in tables]  # noqa: S608


async def test_what_the_owner_takes_back_is_seen_no_more(engine: AsyncEngine) -> None:
    await offer(engine)
    await accept(engine)
    async with transaction(engine) as connection:
        await connection.execute(text("DELETE FROM observations WHERE tenant = 'yonder'"))
        await connection.execute(
            text("INSERT INTO changed_patterns (tenant, fingerprint) SELECT tenant, id FROM insights "
                 "WHERE tenant = 'yonder' ON CONFLICT DO NOTHING")
        )  # fmt: skip
    await aggregate(engine, YONDER)
    assert await seen(engine) == {}


async def test_each_side_writes_its_own_half_alone(engine: AsyncEngine) -> None:
    forged = {
        HERE: [
            "INSERT INTO sharing_offers (owner, reader, by) VALUES ('yonder', 'here', 'me')",
            "INSERT INTO sharing_offers (owner, reader, by) VALUES ('third', 'here', 'me')",
            "INSERT INTO sharing_offers (owner, reader, by) VALUES ('yonder', 'third', 'me')",
        ],
        YONDER: [
            "INSERT INTO sharing_acceptances (owner, reader, by) VALUES ('yonder', 'here', 'me')",
            "INSERT INTO sharing_acceptances (owner, reader, by) VALUES ('yonder', 'third', 'me')",
        ],
    }
    for tenant, statements in forged.items():
        for statement in statements:
            with pytest.raises(ProgrammingError, match="row-level security"):
                async with of_tenant(engine, tenant) as connection:
                    await connection.execute(text(statement))
    with pytest.raises(DBAPIError, match="foreign key"):
        async with of_tenant(engine, HERE) as connection:
            await connection.execute(text("INSERT INTO sharing_acceptances VALUES ('yonder', 'here', 'me')"))
    await offer(engine)
    await offer(engine, "third", "fourth")
    for tenant in (HERE, YONDER):
        for table in ("sharing_offers", "sharing_acceptances"):
            async with of_tenant(engine, tenant) as connection:
                done = await connection.execute(text(f"UPDATE {table} SET owner = 'here', reader = 'third'"))  # noqa: S608
            assert done.rowcount == 0
    async with of_tenant(engine, HERE) as connection:
        assert [one.owner for one in await stored.listed(connection, None, 10)] == [YONDER]
        assert (await connection.execute(text("DELETE FROM sharing_offers WHERE owner = 'third'"))).rowcount == 0


async def test_what_makes_no_sense_is_refused(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFoundError, match="offers nothing"):
        await accept(engine)
    with pytest.raises(UsageError, match="its own insights"):
        await offer(engine, HERE, HERE)
    with pytest.raises(UsageError, match="cannot be a tenant"):
        await offer(engine, HERE, "*")
    monkeypatch.setattr(sharing, "OFFERS_MAX", 2)
    assert await offer(engine, HERE, "one")
    assert await offer(engine, HERE, "two")
    with pytest.raises(UsageError, match="end one first"):
        await offer(engine, HERE, "three")


async def test_an_offer_taken_back_while_it_is_accepted_is_not_accepted(engine: AsyncEngine) -> None:
    await offer(engine)
    async with engine.connect() as ending:
        await stored.end(ending, YONDER, HERE)
        accepting = asyncio.create_task(accept(engine))
        await eventually(lambda: _waits(engine), what="accepting waits for the end")
        await ending.commit()
    with pytest.raises(NotFoundError, match="offers nothing"):
        await accepting
    assert await seen(engine) == {}


async def test_many_that_change_their_minds_at_once_end_as_one_of_them_says(engine: AsyncEngine) -> None:
    async def change(number: int) -> None:
        try:
            match number % 4:
                case 0:
                    await offer(engine)
                case 1:
                    await accept(engine)
                case _:
                    await end(engine, HERE if number % 4 == 2 else YONDER)
        except NotFoundError:
            pass

    await asyncio.gather(*map(change, range(40)))
    offered = await scalar(engine, "SELECT count(*) FROM sharing_offers")
    accepted = await scalar(engine, "SELECT count(*) FROM sharing_acceptances")
    assert (offered, accepted) in {(0, 0), (1, 0), (1, 1)}
    assert bool(await seen(engine)) == bool(accepted)


async def _waits(engine: AsyncEngine) -> bool:
    statement = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    return bool(await scalar(engine, statement))
