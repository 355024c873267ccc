"""Numbers and times as large as the wire allows: a few liars stop nothing, and every answer stays one that is read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import msgspec
import pytest
from msgspec import structs
from nats.aio.client import Client
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.aggregate import aggregate, rebuild
from centralcloud.calibrate import calibrate
from centralcloud.queries.service import Queries
from centralcloud.routing import publish
from schemas import subjects
from schemas.codec import MESSAGES, decode, encode
from schemas.events import DataSchemaLearned, Event, LanguageLearned, ResultsLearned, StatisticsReported
from schemas.names import COUNT_MAX
from schemas.results import INDEX_MAX, ResultSums, Sketch
from schemas.subjects import Sender
from schemas.sync import SyncRequest
from shared.bus import Bus
from shared.database import transaction
from shared.embedded.nats import EmbeddedNats
from shared.results import flaw
from tests.support.api import Api, api
from tests.support.asking import hub_bus
from tests.support.fleet import hub
from tests.support.hostile_requests import Asked, Judge, ask_all, operations
from tests.support.known import learned, opinion, register, take_in
from tests.support.observed import TENANT, digest
from tests.support.patterns import scalar
from tests.support.wire import plain_client

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
NAMES: Final = ("ann", "bob", "cyd")
HOLDER: Final = "a" * 32
QUERIES: Final = ("insights", "routing", "instances", "statistics", "calibration")
"""Whose whole answer is read by instances, and has to be one that they can read."""


def everything(name: str) -> list[Event]:
    """What one instance says, as much of everything as can be said."""
    files = {size: digest(f"{name} {size}") for size in (0, 1, COUNT_MAX)}
    said: list[Event] = [
        structs.replace(learned(pattern, ""), repository=key, files=size, occurrences=size, version=COUNT_MAX)
        for pattern in ("loop", "twin")
        for size, key in files.items()
    ]
    said += [
        LanguageLearned(
            id=digest("l"), time=NOW, fingerprint=digest("python"), repository=key, version=1, files=COUNT_MAX - size,
            occurrences=COUNT_MAX, name="python",
        )
        for size, key in files.items()
    ]  # fmt: skip
    said.append(
        DataSchemaLearned(
            id=digest("d"), time=NOW, fingerprint=digest("table"), repository=files[1], version=1, files=COUNT_MAX,
            occurrences=COUNT_MAX, columns=COUNT_MAX, keys=COUNT_MAX, indexes=COUNT_MAX,
        )
    )  # fmt: skip
    said.append(
        StatisticsReported(
            id=digest("s"), time=NOW, version=COUNT_MAX, repositories=COUNT_MAX, files=COUNT_MAX, bytes=COUNT_MAX,
            patterns=COUNT_MAX, languages={"": COUNT_MAX, "x" * 4096: COUNT_MAX}, insights_applied=COUNT_MAX,
        )
    )  # fmt: skip
    today = datetime.now(UTC).date()
    days = [*(today - timedelta(days=age) for age in range(3)), date(1, 1, 1), date(9999, 12, 31)]
    said += [_results(day, results) for day in days for results in (1, COUNT_MAX)]
    return [*said, opinion("loop")]


def _results(day: date, results: int) -> ResultsLearned:
    sums = ResultSums(
        results=results, succeeded=results, priced=results, cost_microcents=COUNT_MAX, cost=Sketch(zeros=results),
        metered=results, input_tokens=COUNT_MAX, timed=results, latency_ms=COUNT_MAX,
        latency_ms_squared=float(COUNT_MAX) ** 2, latency=Sketch(buckets=((INDEX_MAX, results),)),
    )  # fmt: skip
    return ResultsLearned(
        id=digest("r"), time=NOW, day=day, job_type=f"of-{results}", model="m", version=COUNT_MAX, sums=sums
    )


@dataclass
class Lied:
    """A hub to which liars have said everything."""

    api: Api
    engine: AsyncEngine
    bus: Bus
    client: Client


@pytest.fixture
async def lied(nats_server: EmbeddedNats, database_url: str) -> AsyncIterator[Lied]:
    async with api(database_url) as served:
        await register(served.engine, *NAMES)
        for name in NAMES:
            await take_in(served.engine, name, 1, *everything(name))
        assert await scalar(served.engine, "SELECT count(*) FROM dead_letters") == 0
        async with (
            hub_bus(nats_server.url, lambda bus: Queries(served.engine, bus)) as bus,
            plain_client(nats_server.url) as client,
        ):
            yield Lied(served, served.engine, bus, client)


async def test_what_liars_say_is_merged_and_what_comes_of_it_can_be_read(lied: Lied) -> None:
    await aggregate(lied.engine, TENANT)
    await rebuild(lied.engine, TENANT)
    await publish(lied.engine, lied.bus, TENANT, datetime.now(UTC).date())
    await calibrate(lied.engine, TENANT)
    assert await scalar(lied.engine, "SELECT count(*) FROM insights WHERE state = 'active'")
    for name in QUERIES:
        query = encode({"tenant": TENANT})
        reply = await lied.client.request(f"intelligence.query.{name}", query, timeout=5)
        assert decode(reply.data, MESSAGES[f"{name}.reply"]).success, name
    insight = (await lied.api.get(f"/insights/{digest('loop')}"))["insight"]
    assert insight["files"] == COUNT_MAX


async def test_every_page_shows_what_liars_say(lied: Lied) -> None:
    await aggregate(lied.engine, TENANT)
    await publish(lied.engine, lied.bus, TENANT, datetime.now(UTC).date())
    document = (await lied.api.site.get("/openapi.json")).document
    many = [
        Asked(one, path, b"", {})
        for one in operations(document, ["/api/v1/events", "/api/v1/streams"])
        if one.method == "GET"
        for path in _filled(one.path)
    ]
    found = await ask_all(lied.api.site.port, many, Judge(document))
    assert not found.flaws
    assert found.statuses.keys() <= {200, 403, 404}
    assert found.statuses[200] > len(many) * 3 // 4


def _filled(path: str) -> list[str]:
    """Give the addresses of what there is."""
    if path.endswith("/series"):
        return [f"{path}?name={name}" for name in ("learned", "applied", "patterns")]
    if path == "/api/v1/patterns":
        return [path, f"{path}?sort=newest", f"{path}?instance=ann"]
    path = path.replace("{instance}", "ann").replace("{fingerprint}", digest("loop")).replace("{owner}", "theirs")
    return [path.replace("{id}", "1" if "/jobs/" in path else digest("loop"))]


async def test_a_thousand_times_the_largest_number_is_still_a_number(lied: Lied) -> None:
    """So many of the largest numbers are more than a bigint holds."""
    async with transaction(lied.engine) as connection:
        await connection.execute(text(_MORE_RESULTS), {"day": datetime.now(UTC).date()})
        await connection.execute(text(_MORE_OBSERVATIONS))
        await connection.execute(text(_MORE_INSTANCES))
    await aggregate(lied.engine, TENANT)
    await publish(lied.engine, lied.bus, TENANT, datetime.now(UTC).date())
    assert (await lied.api.get("/results/summary"))["total"]["results"] == COUNT_MAX
    assert (await lied.api.get("/instances/ann"))["known"][0]["files"] == COUNT_MAX
    for path in ("/results/models", "/overview", "/patterns", "/patterns?instance=ann", "/statistics"):
        await lied.api.get(path)


_MORE_RESULTS: Final = """
    INSERT INTO result_states
    SELECT (jsonb_populate_record(r, jsonb_build_object('job_type', 'more-' || n))).*
      FROM result_states r, generate_series(1, 1100) n WHERE r.day = :day AND r.instance = 'ann' AND r.results > 1
"""
_MORE_OBSERVATIONS: Final = """
    INSERT INTO observations
    SELECT (jsonb_populate_record(o, jsonb_build_object('repository', md5(n::text)))).*
      FROM observations o, generate_series(1, 1100) n
     WHERE o.instance = 'ann' AND o.files = 9007199254740991 AND o.kind = 'code.pattern'
"""
_MORE_INSTANCES: Final = """
    INSERT INTO instance_registry
    SELECT (jsonb_populate_record(r, jsonb_build_object('instance_id', 'x' || n, 'insight_version',
                                                        9007199254740991))).*
      FROM instance_registry r, generate_series(1, 1100) n WHERE r.instance_id = 'ann'
"""

STARTS: Final = (
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "2026-01-01T00:00:00+23:59",
)


async def test_no_heartbeat_stops_those_of_others(own_nats: Callable[[], EmbeddedNats], database_url: str) -> None:
    url = own_nats().url
    async with hub(url, database_url) as central, plain_client(url) as client, api(database_url) as served:
        await central.receives()
        for place, start in enumerate((*STARTS, "2026-01-01T00:00:00Z")):
            sender = Sender(TENANT, f"number-{place}")
            request = SyncRequest(epoch=HOLDER, head=COUNT_MAX, holder=HOLDER)
            await client.request(subjects.sync(sender), encode(request), timeout=5)
            await client.publish(subjects.heartbeat(sender), _heartbeat(start))
        heard = f"SELECT count(*) FROM instance_registry WHERE load = {COUNT_MAX}"  # noqa: S608
        await central.reaches(heard, len(STARTS) + 1)
        items = (await served.get("/instances"))["items"]
        assert [one["started_at"] for one in items] == [None] * 4 + ["2025-12-31T00:01:00Z", "2026-01-01T00:00:00Z"]


def _heartbeat(start: str) -> bytes:
    told: dict[str, Any] = {"time": start, "holder": HOLDER, "started": start, "load": COUNT_MAX, "pid": COUNT_MAX}
    return msgspec.json.encode({"type": "system.heartbeat.v1", **told})


async def test_squares_that_no_durations_have_are_told_apart() -> None:
    sums = ResultSums(results=2, timed=2, latency_ms=10, latency_ms_squared=144.0)
    assert flaw(sums) is None, "10 ms may have been 11.9 before each was rounded"
    assert "squares" in (flaw(structs.replace(sums, latency_ms_squared=1e308)) or "")
