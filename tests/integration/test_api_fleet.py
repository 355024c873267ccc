"""The fleet over HTTP: overview, charts, instances and what happened with them; no number stands for no data."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.aggregate import aggregate
from centralcloud.quarantine import quarantine
from centralcloud.schedules import take_samples, tend_registry
from centralcloud.store.samples import Sample
from centralcloud.web.overview import rates
from shared.database import transaction
from tests.support.api import Api, api
from tests.support.known import beat, learned, opinion, register, reported, results, take_in
from tests.support.observed import TENANT


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Api]:
    async with api(database_url) as served_api:
        yield served_api


async def fill(engine: AsyncEngine) -> None:
    """Two instances share a pattern; one says what it has studied, what its people think, and what jobs cost."""
    await register(engine, "ann", "bob")
    await take_in(engine, "ann", 1, learned("loop", "a"), learned("own", "a"), reported({"python": 7, "go": 2}))
    await take_in(engine, "bob", 1, learned("loop", "b"))
    await aggregate(engine, TENANT)
    await take_in(engine, "ann", 4, opinion("loop"), results("small", [1_000_000] * 4, 3))


async def test_nothing_is_null_or_empty_and_never_a_number_that_was_not_measured(served: Api) -> None:
    found = await served.get("/overview")
    nothing = ("patterns", "repositories", "observations", "counted_at", "leader", "last_activity")
    assert [found[name] for name in nothing] == [None] * len(nothing)
    assert found["rates"] == {"seconds": None, "events": None, "insights": None, "applied": None}
    assert (found["instances"], found["adoption"]["share"], found["adoption"]["p50_seconds"]) == ({}, None, None)
    assert await served.get("/instances") == {"items": [], "next": None}
    chart = await served.get("/series?name=learned")
    assert chart["unit"] == "per minute"
    assert set(chart["values"]) == {None}
    await served.get("/instances/nobody", status=404)


async def test_the_overview_says_what_the_tables_say(served: Api) -> None:
    await fill(served.engine)
    await take_samples(served.engine)
    await beat(served.engine, "ann", 1)
    found = await served.get("/overview")
    assert (found["instances"], found["known_instances"]) == ({"online": 2}, 2)
    assert (found["patterns"], found["repositories"], found["observations"]) == (2, 2, 3)
    assert (found["insights"], found["insight_version"], found["accepted"], found["rejected"]) == (1, 1, 1, 0)
    adoption = found["adoption"]
    assert (adoption["instances"], adoption["up_to_date"], adoption["share"]) == (2, 1, 0.5)
    assert 0 < adoption["p50_seconds"] == adoption["p95_seconds"] < 60
    await quarantine(served.engine, TENANT, "bob", "cloned")
    found = await served.get("/overview")
    assert (found["quarantined"], found["set_aside"], found["insights"]) == (1, 0, 0)
    assert (await served.get("/statistics"))["patterns"]["total"] == 2


async def test_instances_are_listed_with_what_they_say_of_themselves(served: Api) -> None:
    await fill(served.engine)
    ann, bob = (await served.get("/instances"))["items"]
    assert (ann["instance_id"], ann["status"], ann["codebases"], ann["languages"]) == (
        "ann",
        "online",
        2,
        {"python": 7, "go": 2},
    )
    assert (ann["lag"], ann["insight_lag"], ann["patterns"]) == (2, 1, 4)
    assert ann["seconds_since_heartbeat"] < 30
    assert (bob["languages"], bob["patterns"], bob["reported_at"]) == (None, None, None)
    assert [one["instance_id"] for one in await served.every("/instances", 1)] == ["ann", "bob"]
    assert [one["instance_id"] for one in (await served.get("/instances?q=HOST-b"))["items"]] == ["bob"]
    assert (await served.get("/instances?status=offline,paused"))["items"] == []


async def test_a_thousand_instances_are_listed(served: Api) -> None:
    names = [f"i{number:04}" for number in range(1_000)]
    await register(served.engine, *names)
    began = time.monotonic()
    whole = await served.get("/instances?limit=1000")
    assert time.monotonic() - began < 2  # 0.02 s where nothing else runs
    assert [one["instance_id"] for one in whole["items"]] == names
    assert whole["next"] is None
    assert [one["instance_id"] for one in await served.every("/instances", 400)] == names
    assert (await served.get("/overview"))["instances"] == {"online": 1_000}


async def test_one_instance_in_full(served: Api) -> None:
    await fill(served.engine)
    found = await served.get("/instances/ann")
    assert found["known"] == [
        {"kind": "code.pattern", "language": "python", "patterns": 2, "files": 6, "shared": 1},
    ]
    assert len(found["newest"]) == 2
    assert [one["received"] for one in found["lineages"]] == [5]
    assert found["opinions"] == {"accepted": 1, "rejected": 0, "withdrawn": 0}
    assert found["work"] == {"results": 4, "succeeded": 3, "failed": 1, "cost_cents": 4.0}
    assert (await served.get("/instances/bob"))["work"]["cost_cents"] is None


async def test_the_timeline_tells_what_happened_with_an_instance(served: Api) -> None:
    await fill(served.engine)
    await quarantine(served.engine, TENANT, "ann", "cloned")
    wanted = [
        ("instance", {"status": "online", "was": "online", "quarantined": True}),
        ("learned", {"events": 2, "opinions": 1, "results": 1}),
        ("learned", {"events": 3, "patterns": 2}),
        ("instance", {"status": "online", "quarantined": False}),
    ]

    await served.told("/instances/ann/timeline", lambda one: (one["kind"], one["data"]), wanted)
    items = await served.every("/instances/ann/timeline", 2)
    assert [(one["kind"], one["data"]) for one in items] == wanted
    assert {one["instance"] for one in items} == {"ann"}
    await served.told("/activity?kinds=insight,leader", lambda one: one["data"]["state"], ["revoked", "active"])
    kinds = {one["kind"] for one in (await served.get("/activity"))["items"]}
    assert kinds == {"instance", "learned", "insight"}
    await served.get("/activity?kinds=gossip", status=400)


async def test_what_a_silent_instance_comes_to_is_told(served: Api) -> None:
    await register(served.engine, "ann")
    async with transaction(served.engine) as connection:
        await connection.execute(text("UPDATE instance_registry SET last_heartbeat = now() - interval '301 seconds'"))
    assert (await served.get("/instances"))["items"][0]["status"] == "offline"
    await tend_registry(served.engine)
    await served.told("/instances/ann/timeline", lambda one: one["data"]["status"], ["offline", "online"])


async def test_charts_are_made_of_samples(served: Api) -> None:
    await fill(served.engine)
    async with transaction(served.engine) as connection:
        for minutes, events in ((10, 100), (9, 160), (8, 160), (2, 400)):
            await connection.execute(
                text("""
                    INSERT INTO samples (tenant, at, events, insight_version, applied, instances, known_insights,
                                         waiting, letters)
                    VALUES ('default', date_trunc('minute', now()) - make_interval(mins => :minutes), :events, 0, 0,
                            :minutes, 0, 0, 0)
                """),
                {"minutes": minutes, "events": events},
            )
    learned_ = await served.get("/series?name=learned&seconds=900&points=15")
    assert learned_["step_seconds"] == 60
    assert [value for value in learned_["values"] if value is not None] == [60.0, 0.0, 40.0]
    assert len(learned_["times"]) == len(learned_["values"])
    assert {later - earlier for earlier, later in zip(learned_["times"], learned_["times"][1:], strict=False)} == {60}
    instances = await served.get("/series?name=instances&seconds=900&points=15")
    assert [value for value in instances["values"] if value is not None] == [10, 9, 8, 2]
    await served.get("/series?name=gossip", status=422)


def test_rates_are_of_what_grew_and_null_where_it_shrank() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    before = Sample(
        at=at, events=100, insight_version=5, applied=50, instances=1, known_insights=1, waiting=0, letters=0
    )
    now = Sample(
        at=at + timedelta(seconds=30),
        events=160, insight_version=5, applied=20, instances=1, known_insights=1, waiting=0, letters=0,
    )  # fmt: skip
    found = rates(before, now)
    assert (found.seconds, found.events, found.insights, found.applied) == (30.0, 120.0, 0.0, None)


async def test_what_takes_long_is_not_counted_again_at_once(served: Api) -> None:
    await fill(served.engine)
    for _ in range(3):
        await take_samples(served.engine)
    async with transaction(served.engine) as connection:
        counted = (await connection.execute(text("SELECT count(counted), count(*) FROM samples"))).one()
    assert tuple(counted) == (1, 3)
