"""Jobs, queues, schedules and results over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from centralcloud.config import SCHEDULES
from centralcloud.jobs import REPLAY, Letters
from centralcloud.routing import publish
from shared import fires
from shared.bus import Bus
from shared.database import transaction
from shared.jobs import queue
from shared.metrics import Metrics
from tests.support.api import Api, api
from tests.support.known import register, results, take_in
from tests.support.observed import TENANT


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Api]:
    async with api(database_url) as served_api:
        yield served_api


async def test_jobs_are_listed_cancelled_and_retried(served: Api) -> None:
    async with transaction(served.engine) as connection:
        await queue.enqueue_many(connection, REPLAY, [Letters(limit) for limit in range(1, 6)])
    listed = await served.every("/jobs", 2)
    assert [one["id"] for one in listed] == [5, 4, 3, 2, 1]
    assert (listed[0]["state"], listed[0]["kind"], listed[0]["took_seconds"]) == ("available", REPLAY.name, None)
    assert await served.post("/jobs/cancel", {"ids": [1, 2, 99]}) == {"done": True, "changed": 2}
    cancelled = await served.get("/jobs?state=cancelled,discarded&queue=default&kind=replay_dead_letters")
    assert [one["id"] for one in cancelled["items"]] == [2, 1]
    assert (await served.post("/jobs/retry", {"ids": [1]}))["changed"] == 1
    found = await served.get("/jobs/1")
    assert (found["job"]["state"], found["args"], found["errors"]) == ("available", {"limit": 1}, [])
    await served.get("/jobs/77", status=404)
    await served.get("/jobs?state=lost", status=400)
    await served.post("/jobs/cancel", {"ids": []}, status=422)


async def test_queues_are_paused_resumed_and_scaled(served: Api) -> None:
    async with transaction(served.engine) as connection:
        await queue.enqueue(connection, REPLAY, Letters())
    await served.post("/queues/default/pause")
    await served.post("/queues/training/scale", {"limit": 0})
    found = {one["name"]: one for one in (await served.get("/queues"))["items"]}
    assert (found["default"]["paused"], found["default"]["jobs"]) == (True, {"available": 1})
    assert found["default"]["oldest_waiting_seconds"] >= 0
    assert (found["training"]["limit_per_worker"], found["training"]["oldest_waiting_seconds"]) == (0, None)
    await served.post("/queues/default/resume")
    assert not (await served.get("/queues"))["items"][0]["paused"]
    await served.post("/queues/nowhere/pause", status=404)
    await served.post("/queues/default/scale", {"limit": -1}, status=422)


async def test_schedules_are_listed_run_and_disabled(served: Api) -> None:
    found = {one["name"]: one for one in (await served.get("/schedules"))["items"]}
    assert set(found) == set(SCHEDULES)
    assert (found["aggregate"]["when"], found["aggregate"]["runs"], found["aggregate"]["last_run"]) == ("3600", 0, None)
    await served.post("/schedules/aggregate/run")
    await served.post("/schedules/statistics/disable")
    assert (await served.post("/schedules/statistics/disable"))["changed"] == 0
    found = {one["name"]: one for one in (await served.get("/schedules"))["items"]}
    assert (found["aggregate"]["is_wanted"], found["statistics"]["enabled"]) == (True, False)
    await served.post("/schedules/statistics/enable")
    assert all(one["enabled"] for one in (await served.get("/schedules"))["items"])
    await served.post("/schedules/nothing/run", status=404)


async def test_what_schedules_and_jobs_come_to_is_in_the_feed(served: Api) -> None:
    async with transaction(served.engine) as connection:
        await queue.enqueue(connection, REPLAY, Letters())
        await queue.cancel(connection, [1])
        for name, error in (("aggregate", None), ("registry", "no disk"), ("leadership", None)):
            await fires.start(connection, name)
            seconds = 3600 if name == "aggregate" else 30
            next_run = datetime.fromtimestamp((await fires.now(connection)).timestamp() + seconds, UTC)
            await fires.finish(connection, name, error, next_run)
    wanted = [("schedule", True), ("schedule", False), ("job", "cancelled")]
    await served.told(
        "/activity", lambda one: (one["kind"], one["data"].get("failed", one["data"].get("state"))), wanted
    )


async def test_results_are_added_up_by_kind_of_job_and_model(served: Api) -> None:
    cents = 1_000_000
    await register(served.engine, "ann", "bob")
    await take_in(served.engine, "ann", 1, results("small", [cents, 3 * cents], 1), results("large", [20 * cents], 1))
    await take_in(
        served.engine, "bob", 1, results("small", [2 * cents] * 2, 2), results("small", [cents], 1, job_type="doc")
    )
    found = await served.get("/results/summary")
    assert found["quantiles"] is True
    small = found["items"][0]
    assert (small["job_type"], small["model"], small["instances"]) == ("fix", "small", 2)
    assert (small["results"], small["succeeded"], small["failed"], small["unlabelled"]) == (4, 3, 1, 0)
    assert (small["cost_cents"], small["cost"]["mean"], small["cost_per_success_cents"]) == (8.0, 2.0, 8 / 3)
    assert small["cost"]["p50"] == pytest.approx(2.0, rel=0.011)
    assert small["latency"]["p95"] == pytest.approx(1000, rel=0.011)
    assert small["success"]["lower"] < 0.75 == small["success"]["value"] < small["success"]["upper"] < 1
    assert (small["tokens"]["input"], small["metered"]) == (400, 4)
    assert (found["total"]["results"], found["total"]["cost_cents"], len(found["items"])) == (6, 29.0, 3)
    assert [(one["results"], one["cost_cents"]) for one in found["days"]] == [(6, 29.0)]
    models = (await served.get("/results/models"))["items"]
    assert [(one["model"], one["results"], one["job_type"]) for one in models] == [("small", 5, ""), ("large", 1, "")]
    assert (await served.get("/results/summary?model=large&instance=bob"))["items"] == []
    assert (await served.get("/results/summary?job_type=doc"))["total"]["results"] == 1


async def test_without_results_nothing_is_known(served: Api) -> None:
    found = await served.get("/results/summary")
    assert (found["items"], found["days"]) == ([], [])
    total = found["total"]
    assert (total["results"], total["success"], total["cost_cents"], total["cost"]) == (
        0,
        None,
        None,
        {"known": 0, "mean": None, "p50": None, "p95": None},
    )
    assert await served.get("/results/routing") == {"items": [], "next": None, "day": None, "digest": None}


async def test_what_instances_are_told_of_models_is_listed(served: Api) -> None:
    await register(served.engine, "ann", "bob")
    for name in ("ann", "bob"):
        said = [results(model, [1_000_000] * 10, 8) for model in ("small", "large")]
        await take_in(served.engine, name, 1, *said)
    bus = Bus(["nats://127.0.0.1:1"], client_name="x", inbox_prefix="_INBOX.x", metrics=Metrics())
    made = await publish(served.engine, bus, TENANT, datetime.now(UTC).date())
    items = await served.every("/results/routing", 1)
    assert [one["model"] for one in items] == [one.model for one in made.priors] == ["large", "small"]
    assert items[0]["success"]["lower"] < 0.8 < items[0]["success"]["upper"]
    assert items[0]["cost_cents"] == pytest.approx(1.0)
    assert [one["model"] for one in (await served.get("/results/routing?model=small"))["items"]] == ["small"]
