from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.aggregate import _Run, aggregate, rebuild
from centralcloud.learning.fleet import observed_fleet
from centralcloud.learning.merge import merge_all
from centralcloud.learning.observation import LANGUAGE_KIND, Observation
from centralcloud.store import changes, insights, intake
from schemas.codec import encode
from schemas.insights import Insight
from shared.database import transaction
from tests.support.databases import central_engine
from tests.support.observed import TENANT, digest, observation, observe, rows_of, shared_by
from tests.support.wait import eventually


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with central_engine(database_url) as engine:
        yield engine


async def stored(engine: AsyncEngine, tenant: str = TENANT) -> dict[str, Insight]:
    async with transaction(engine) as connection:
        found = await insights.changed_since(connection, tenant, 0, await insights.head(connection, tenant), 10_000)
    return {one.id: one for one in found}


async def rebuild_marks(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        await changes.mark_everything(connection, TENANT)


async def waiting(engine: AsyncEngine) -> int:
    async with transaction(engine) as connection:
        return await changes.waiting(connection, TENANT)


def bodies(found: dict[str, Insight]) -> bytes:
    """Everything but the versions, as bytes."""
    return encode({name: structs.replace(one, version=0) for name, one in found.items()})


async def test_a_pattern_two_instances_share_becomes_an_insight(engine: AsyncEngine) -> None:
    name = await shared_by(engine, "loop", ["ann", "bob"])
    await shared_by(engine, "only here", ["cyd"])
    result = await aggregate(engine, TENANT)
    found = await stored(engine)
    assert (result.changed, result.head, list(found)) == (1, 1, [name])
    assert (found[name].instances, found[name].rate, found[name].version) == (2, 0.6667, 1)
    assert await waiting(engine) == 0


async def test_an_unchanged_fleet_gives_no_new_versions(engine: AsyncEngine) -> None:
    await shared_by(engine, "loop", ["ann", "bob"])
    await aggregate(engine, TENANT)
    await shared_by(engine, "loop", ["ann", "bob"])
    again = await aggregate(engine, TENANT)
    assert (again.changed, again.head) == (0, 1)


async def test_versions_are_consecutive_over_batches_and_history_keeps_them_all(engine: AsyncEngine) -> None:
    for number in range(7):
        await shared_by(engine, f"pattern {number}", ["ann", "bob"])
    await aggregate(engine, TENANT, batch=3)
    await shared_by(engine, "pattern 3", ["ann", "bob", "cyd"])
    result = await aggregate(engine, TENANT, batch=3)
    assert (result.previous_head, result.head) == (7, 14)  # a third repository moves the rate of all seven
    async with transaction(engine) as connection:
        versions = (await connection.execute(text("SELECT version FROM insight_history ORDER BY version"))).scalars()
        assert list(versions) == list(range(1, 15))


async def test_too_few_left_revokes_and_enough_again_restores(engine: AsyncEngine) -> None:
    name = await shared_by(engine, "loop", ["ann", "bob"])
    await aggregate(engine, TENANT)
    before = await stored(engine)
    gone = observation("loop", "bob", "repository of bob", forgotten=True, version=2)
    await observe(engine, gone, observation("other", "bob", "repository of bob"))
    assert (await aggregate(engine, TENANT)).revoked == 1
    assert (await stored(engine))[name].state == "revoked"
    await observe(engine, structs.replace(gone, forgotten=False, version=3))
    await aggregate(engine, TENANT)
    assert bodies(await stored(engine)) == bodies(before)


async def test_new_only_is_prompt_and_leaves_standing_insights_alone(engine: AsyncEngine) -> None:
    old = await shared_by(engine, "old", ["ann", "bob", "dan"])
    await aggregate(engine, TENANT)
    await shared_by(engine, "old", ["cyd"])
    new = await shared_by(engine, "new", ["ann", "cyd"])
    await shared_by(engine, "lonely", ["cyd"])
    result = await aggregate(engine, TENANT, "new")
    found = await stored(engine)
    assert (result.changed, found[old].version, found[new].version) == (1, 1, 2)
    assert await waiting(engine) == 2  # the old one, and the new one to be measured again
    await aggregate(engine, TENANT)
    assert (await stored(engine))[old].instances == 4


async def test_winning_the_third_instance_is_news_and_changing_counts_are_not(engine: AsyncEngine) -> None:
    young = await shared_by(engine, "young", ["ann", "bob"])
    await aggregate(engine, TENANT, "new")
    await observe(engine, observation("young", "ann", "repository of ann", files=99, version=2))
    assert (await aggregate(engine, TENANT, "new")).changed == 0
    await shared_by(engine, "young", ["cyd"])
    assert (await aggregate(engine, TENANT, "new")).changed == 1
    assert (await stored(engine))[young].instances == 3


async def test_a_fleet_that_returns_to_what_it_was_leaves_no_stale_insight(engine: AsyncEngine) -> None:
    await shared_by(engine, "old", ["ann", "bob"])
    await aggregate(engine, TENANT)
    await shared_by(engine, "passing", ["cyd"])
    await shared_by(engine, "new", ["ann", "bob"])
    await aggregate(engine, TENANT, "new")  # measured against three repositories
    await observe(engine, observation("passing", "cyd", "repository of cyd", forgotten=True, version=2))
    await aggregate(engine, TENANT)  # the stored digest is that of two, and so is the fleet's
    assert {one.rate for one in (await stored(engine)).values()} == {1.0}


async def test_versions_and_mean_shares_of_files_come_through_the_database(engine: AsyncEngine) -> None:
    for name, release in (("ann", "2.1"), ("bob", "2.1"), ("cyd", "")):
        place = f"repository of {name}"
        package = {"kind": "technology.dependency", "language": "pypi", "view": "", "name": "requests"}
        size = {"kind": LANGUAGE_KIND, "language": "", "view": "", "name": "python"}
        await observe(
            engine,
            observation("requests", name, place, release=release, **package),
            observation("python", name, place, files=20, **size),
            observation("loop", name, place, files=5),
        )
    await aggregate(engine, TENANT)
    found = await stored(engine)
    assert found[digest("requests")].versions == {"2.1": 2}
    assert (found[digest("loop")].file_rate, found[digest("loop")].file_repositories) == (0.25, 3)
    assert (found[digest("python")].name, found[digest("python")].rate) == ("python", 1.0)


async def test_tenants_do_not_see_each_other(engine: AsyncEngine) -> None:
    await shared_by(engine, "loop", ["ann"], tenant="blue")
    await shared_by(engine, "loop", ["bob"], tenant="green")
    await shared_by(engine, "loop", ["cyd", "dan"], tenant="green")
    assert (await aggregate(engine, "blue")).changed == 0
    assert (await aggregate(engine, "green")).changed == 1
    assert await stored(engine, "blue") == {}
    assert (await stored(engine, "green"))[digest("loop")].instances == 3


async def test_aggregations_at_once_give_each_version_once(engine: AsyncEngine) -> None:
    for number in range(20):
        await shared_by(engine, f"pattern {number}", ["ann", "bob"])
    results = await asyncio.gather(*(aggregate(engine, TENANT, scope, batch=4) for scope in ("all", "new", "all")))
    assert sum(one.changed for one in results) == 20
    assert sorted(one.version for one in (await stored(engine)).values()) == list(range(1, 21))


async def test_a_change_committed_while_its_pattern_is_merged_is_not_lost(engine: AsyncEngine) -> None:
    await shared_by(engine, "loop", ["ann", "bob"])
    async with engine.begin() as aggregation:
        taken = await changes.take(aggregation, TENANT, after=changes.FIRST, limit=10)
        late = asyncio.create_task(shared_by(engine, "loop", ["cyd"]))
        await _blocked(engine)
        await changes.settle(aggregation, TENANT, taken)
    await late
    assert await waiting(engine) == 1


async def test_a_change_not_yet_committed_is_left_for_later(engine: AsyncEngine) -> None:
    await shared_by(engine, "loop", ["ann", "bob"])
    newer = observation("loop", "ann", "repository of ann", version=2, files=7)
    async with engine.begin() as ingest:
        await intake.upsert_observations(ingest, rows_of([newer]))
        assert (await aggregate(engine, TENANT)).changed == 0
    await aggregate(engine, TENANT)
    assert (await stored(engine))[digest("loop")].files == 8


async def test_hubs_that_read_the_fleet_at_different_times_leave_no_stale_insight(engine: AsyncEngine) -> None:
    for number in range(4):
        await shared_by(engine, f"pattern {number}", ["ann", "bob"])
    slow = _Run(engine, TENANT, "all", batch=1)
    await slow.merge_batch()
    await shared_by(engine, "another", ["cyd"])
    await aggregate(engine, TENANT)
    await rebuild_marks(engine)
    while await slow.merge_batch():
        pass
    assert {one.rate for one in (await stored(engine)).values()} == {0.6667}


async def _blocked(engine: AsyncEngine) -> None:
    """Wait until some transaction waits for another."""

    async def check() -> int:
        async with transaction(engine) as connection:
            found = await connection.execute(
                text(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                    "AND wait_event_type = 'Lock'"
                )
            )
            return int(found.scalar_one())

    await eventually(check, what="a transaction that waits for a lock")


def _language(pattern: str, instance: str) -> str:
    """Honest instances agree on a pattern; dan does not on the first."""
    return {"p1": "go" if instance == "dan" else "python", "p2": "python", "p3": ""}[pattern]


reports = st.builds(
    lambda pattern, instance, repository, files, forgotten: observation(
        pattern, instance, repository, language=_language(pattern, instance), files=files, forgotten=forgotten
    ),
    st.sampled_from(["p1", "p2", "p3"]),
    st.sampled_from(["ann", "bob", "cyd", "dan"]),
    st.sampled_from(["r1", "r2", "r3"]),
    st.integers(0, 5),
    st.sampled_from([False, False, False, True]),
)
sizes = st.builds(
    lambda instance, repository, files: observation(
        "size", instance, repository, kind=LANGUAGE_KIND, language="", view="", name="python", files=files
    ),
    st.sampled_from(["ann", "bob", "cyd", "dan"]),
    st.sampled_from(["r1", "r2", "r3"]),
    st.sampled_from([0, 7, 100, 101]),
)
steps = st.lists(
    st.tuples(
        st.lists(st.one_of(reports, reports, sizes), min_size=2, max_size=8), st.sampled_from(["all", "new", ""])
    ),
    min_size=2,
    max_size=8,
)


@given(steps)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_incremental_is_what_a_rebuild_is(
    make_database: Callable[[], str], history: list[tuple[list[Observation], str]]
) -> None:
    asyncio.run(_incremental_is_rebuilt(make_database(), history))


async def overlooked(engine: AsyncEngine) -> int:
    """Count patterns that are not looked at promptly although they have no active insight."""
    statement = """
        SELECT count(*) FROM changed_patterns c WHERE NOT fresh AND NOT EXISTS (
            SELECT FROM insights i WHERE i.tenant = c.tenant AND i.id = c.fingerprint AND i.state = 'active')"""
    async with transaction(engine) as connection:
        return int((await connection.execute(text(statement))).scalar_one())


async def _incremental_is_rebuilt(url: str, history: list[tuple[list[Observation], str]]) -> None:
    said: list[Observation] = []
    async with central_engine(url) as engine:
        for reported, scope in history:
            numbered = [structs.replace(one, version=len(said) + place) for place, one in enumerate(reported, 1)]
            said += numbered
            for one in numbered:
                await observe(engine, one)
            if scope:
                await aggregate(engine, TENANT, scope, batch=2)  # type: ignore[arg-type]
            assert await overlooked(engine) == 0
        await aggregate(engine, TENANT, batch=2)
        incremental = await stored(engine)
        active = {name: one for name, one in incremental.items() if one.state == "active"}
        assert bodies(active) == encode(merge_all(said, observed_fleet(said)))
        assert (await rebuild(engine, TENANT)).changed == 0
        assert encode(await stored(engine)) == encode(incremental)
