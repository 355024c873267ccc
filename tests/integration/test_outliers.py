"""Who is not believed is set aside, told of, and may be released; who is silent counts less and less."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from centralcloud.aggregate import aggregate, rebuild
from centralcloud.desk import read_instances, read_outliers
from centralcloud.learning.observation import LANGUAGE_KIND, Observation
from centralcloud.quarantine import quarantine, release
from centralcloud.store import gauges, insights, observations
from schemas.insights import Insight
from shared.database import transaction
from tests.support.databases import central_engine
from tests.support.observed import TENANT, digest, observation, observe, shared_by

HONEST = [f"one-{number}" for number in range(12)]
FACTS = 40


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with central_engine(database_url) as engine:
        yield engine


def reports(instance: str, files: int, facts: range = range(FACTS)) -> list[Observation]:
    """Say that an instance has 100 files of Python, so many of them with each fact."""
    size = observation(
        "python", instance, f"of {instance}", kind=LANGUAGE_KIND, language="", view="", name="python", files=100
    )
    return [size, *(observation(f"fact {fact}", instance, f"of {instance}", files=files) for fact in facts)]


async def attacked(engine: AsyncEngine) -> None:
    for name in HONEST:
        await observe(engine, *reports(name, 5, range(FACTS // 2)))
    await observe(engine, *reports("mallory", 100, range(FACTS // 2, FACTS)))
    await observe(engine, *reports("one-0", 1, range(FACTS // 2, FACTS)))


async def stored(engine: AsyncEngine) -> dict[str, Insight]:
    async with transaction(engine) as connection:
        found = await insights.changed_since(connection, TENANT, 0, await insights.head(connection, TENANT), 1_000)
    return {one.id: one for one in found}


async def test_an_outlier_is_set_aside_with_a_warning_and_shown(engine: AsyncEngine) -> None:
    await attacked(engine)
    await heard(engine, "mallory", 0)
    with capture_logs() as logs:
        await aggregate(engine, TENANT)
    assert [(one["event"], one["instance"]) for one in logs if one["log_level"] == "warning"] == [
        ("instance set aside", "mallory")
    ]
    (outlier,) = await read_outliers(engine, TENANT)
    assert (outlier.instance, outlier.trust, outlier.facts, outlier.set_aside) == ("mallory", 0.0, FACTS, True)
    (row,) = [one for one in await read_instances(engine, TENANT) if one.instance_id == "mallory"]
    assert (row.trust, row.quarantined) == (0.0, False)
    assert row.reason.startswith(f"disagrees with the fleet on {FACTS} patterns, z = ")


async def test_nothing_it_says_counts(engine: AsyncEngine) -> None:
    await attacked(engine)
    await aggregate(engine, TENANT)
    found = await stored(engine)
    assert {name for name, one in found.items() if one.state == "active"} == {
        digest("python"), *(digest(f"fact {fact}") for fact in range(FACTS // 2)),
    }  # fmt: skip
    assert all("mallory" not in one.contributors for one in found.values())
    assert found[digest("fact 0")].rate == 1.0
    async with transaction(engine) as connection:
        evidence = await observations.evidence(connection, TENANT, digest(f"fact {FACTS - 1}"), 10)
    assert [(one.instance, one.trusted) for one in evidence] == [("one-0", True), ("mallory", False)]


async def test_a_release_holds_against_the_judgement_until_quarantine(engine: AsyncEngine) -> None:
    await attacked(engine)
    await aggregate(engine, TENANT)
    await release(engine, TENANT, "mallory")
    assert (await stored(engine))[digest(f"fact {FACTS - 1}")].contributors == ("mallory", "one-0")
    assert (await rebuild(engine, TENANT)).changed == 0
    assert [one.set_aside for one in await read_outliers(engine, TENANT)] == [False]
    await quarantine(engine, TENANT, "mallory", "a liar after all")
    assert (await stored(engine))[digest(f"fact {FACTS - 1}")].state == "revoked"


async def test_who_comes_to_say_what_the_others_say_is_believed_again(engine: AsyncEngine) -> None:
    await attacked(engine)
    await aggregate(engine, TENANT)
    for fact in range(FACTS):
        said = observation(f"fact {fact}", "mallory", "of mallory", version=2, files=5, forgotten=fact >= FACTS // 2)
        await observe(engine, said)
    with capture_logs() as logs:
        await aggregate(engine, TENANT)
    assert [one["event"] for one in logs if one["log_level"] == "warning"] == ["instance believed again"]
    assert await read_outliers(engine, TENANT) == []
    assert (await stored(engine))[digest("fact 0")].instances == 13


async def test_judging_again_changes_nothing(engine: AsyncEngine) -> None:
    await attacked(engine)
    await aggregate(engine, TENANT)
    with capture_logs() as logs:
        assert (await aggregate(engine, TENANT)).changed == 0
        assert (await rebuild(engine, TENANT)).changed == 0
    assert [one for one in logs if one["log_level"] == "warning"] == []


async def test_long_silence_weighs_less(engine: AsyncEngine) -> None:
    await observe(engine, observation("loop", "ann", "a"), observation("loop", "bob", "b"))
    await observe(engine, observation("other", "cyd", "c"), observation("other", "dan", "d"))
    await aggregate(engine, TENANT, half_life_days=70)
    assert (await stored(engine))[digest("loop")].rate == 0.5
    for name, weeks in (("ann", 11), ("bob", 11), ("cyd", 0), ("dan", 1)):
        await heard(engine, name, weeks)
    assert (await aggregate(engine, TENANT, half_life_days=70)).changed == 2
    assert (await stored(engine))[digest("loop")].rate == round(1 / 3, 4)  # 0.5 + 0.5 of 0.5 + 0.5 + 1 + 1
    assert (await aggregate(engine, TENANT, half_life_days=70)).changed == 0


async def heard(engine: AsyncEngine, instance: str, weeks: int) -> None:
    """Have an instance last heard so many calendar weeks ago."""
    async with transaction(engine) as connection:
        await connection.execute(
            text("INSERT INTO instance_registry (tenant, instance_id, status, holder, last_heartbeat) "
                 "VALUES (:tenant, :name, 'online', 'h', clock_timestamp() - make_interval(weeks => :weeks))"),
            {"tenant": TENANT, "name": instance, "weeks": weeks},
        )  # fmt: skip


async def test_who_is_set_aside_and_comes_back_is_in_the_feed_and_counted(engine: AsyncEngine) -> None:
    await attacked(engine)
    await aggregate(engine, TENANT)
    async with transaction(engine) as connection:
        assert await gauges.distrusted(connection) == {(TENANT, "quarantine"): 0, (TENANT, "set_aside"): 1}
    await release(engine, TENANT, "mallory")
    async with transaction(engine) as connection:
        assert await gauges.distrusted(connection) == {(TENANT, "quarantine"): 0, (TENANT, "set_aside"): 0}
        told = await connection.execute(
            text("SELECT instance, data->>'set_aside' FROM activity WHERE data ? 'set_aside' ORDER BY id")
        )
        assert told.all() == [("mallory", "true"), ("mallory", "false")]


async def test_so_many_instances_as_are_asked_for_and_believed_make_an_insight(engine: AsyncEngine) -> None:
    await attacked(engine)
    await shared_by(engine, "of three", ["one-1", "one-2", "mallory"])
    await aggregate(engine, TENANT)
    assert (await stored(engine))[digest("of three")].state == "active"
    await aggregate(engine, TENANT, instances_min=3)
    found = await stored(engine)
    assert found[digest("of three")].state == "revoked"  # of the three one is set aside
    assert found[digest("fact 0")].state == "active"
    assert (await aggregate(engine, TENANT, instances_min=3)).changed == 0
    assert (await aggregate(engine, TENANT)).changed == 1
    assert (await stored(engine))[digest("of three")].state == "active"
