from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec import Raw
from nats.aio.client import Client
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.aggregate import aggregate
from centralcloud.ingest.arrivals import Arrival
from centralcloud.ingest.commit import commit
from centralcloud.learning.observation import LANGUAGE_KIND, Observation
from centralcloud.queries.service import Queries
from centralcloud.store import insights
from instance.store.outbox import event_identity
from schemas import subjects
from schemas.codec import decode, encode, event_hash
from schemas.events import InsightFeedback
from schemas.insights import Insight
from schemas.recommendations import RecommendationsPage, RecommendationsQuery
from schemas.replies import Response
from schemas.subjects import Sender
from shared.database import transaction
from shared.embedded.nats import EmbeddedNats
from tests.support.asking import ask, asker, hub_bus
from tests.support.databases import central_engine
from tests.support.observed import TENANT, digest, observation, observe


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with central_engine(database_url) as engine:
        for name in ("ann", "bob", "cyd"):
            await observe(engine, *fleet(name))
        await observe(engine, language("new", 50), package("new", "click"), observation("common", "new", "of new"))
        await aggregate(engine, TENANT)
        yield engine


@pytest.fixture
async def client(engine: AsyncEngine, nats_server: EmbeddedNats) -> AsyncIterator[Client]:
    async with hub_bus(nats_server.url, lambda bus: Queries(engine, bus)), asker(nats_server.url) as client:
        yield client


def language(instance: str, files: int, name: str = "python") -> Observation:
    return observation(
        name, instance, f"of {instance}", kind=LANGUAGE_KIND, language="", view="", name=name, files=files
    )


def package(instance: str, name: str) -> Observation:
    return observation(
        name, instance, f"of {instance}", kind="technology.dependency", language="pypi", view="", name=name
    )


def fleet(instance: str) -> list[Observation]:
    """What everybody has: a habit common to all, two that are new to some, one that needs a library, one of Go."""
    place = f"of {instance}"
    return [
        language(instance, 100),
        language(instance, 10, "go"),
        package(instance, "requests"),
        package(instance, "click"),
        observation("common", instance, place, files=50),
        observation("usual", instance, place, files=30),
        observation("rare", instance, place, files=2),
        observation("http", instance, place, files=40, template="$1 = requests . get ( $2 )"),
        observation("go habit", instance, place, files=5, language="go"),
        observation(
            "layout", instance, place, kind="architecture.pattern", language="", view="", name="layout.src", files=1
        ),
    ]


async def asked(client: Client, *, explain: bool = False) -> RecommendationsPage:
    query = RecommendationsQuery(instance="new", explain=explain)
    reply = await client.request(subjects.RECOMMENDATIONS_QUERY, encode(query), timeout=5)
    page = decode(reply.data, Response[RecommendationsPage]).data
    assert page is not None
    return page


async def told(engine: AsyncEngine, insight: str, verdict: str, version: int) -> None:
    """Have the new instance say what it thinks, the way ingest hears it."""
    event = InsightFeedback(**event_identity(), insight=insight, version=version, verdict=verdict)  # type: ignore[arg-type]
    raw = encode(event)
    arrival = Arrival(Sender(TENANT, "new"), digest("epoch"), version, (Raw(raw),), (event_hash(raw),))
    async with transaction(engine) as connection:
        await commit(connection, [arrival], [])


async def insight(engine: AsyncEngine, name: str) -> Insight:
    async with transaction(engine) as connection:
        return (await insights.of_patterns(connection, TENANT, [digest(name)]))[digest(name)]


async def test_what_the_fleet_does_ranked_by_expected_use(client: Client) -> None:
    found = (await asked(client)).recommendations
    assert [one.insight.id for one in found] == [digest(name) for name in ("usual", "rare", "layout")]
    assert [one.expected_files for one in found] == [pytest.approx(30 / 100 * 50 * 3 / 4, rel=0.05), 0.75, 0.75]
    assert (found[0].insight.instances, found[0].insight.repositories, found[0].insight.rate) == (3, 3, 0.75)


async def test_why_the_others_are_not_for_it(client: Client) -> None:
    left_out = (await asked(client, explain=True)).not_applicable
    assert {(one.insight_id, one.reason, one.detail) for one in left_out} == {
        (digest("common"), "already_there", ""),
        (digest("http"), "library_not_used", "requests"),
        (digest("go habit"), "other_language", "go"),
    }


async def test_feedback_is_counted_takes_its_rank_and_may_be_withdrawn(client: Client, engine: AsyncEngine) -> None:
    await told(engine, digest("usual"), "rejected", 1)
    assert digest("usual") not in [one.insight.id for one in (await asked(client)).recommendations]
    await aggregate(engine, TENANT)
    after = await insight(engine, "usual")
    assert (after.accepted, after.rejected) == (0, 1)
    await told(engine, digest("usual"), "withdrawn", 2)
    await aggregate(engine, TENANT)
    assert (await insight(engine, "usual")).rejected == 0
    await told(engine, digest("usual"), "accepted", 3)
    await told(engine, digest("usual"), "accepted", 3)
    await aggregate(engine, TENANT)
    assert (await insight(engine, "usual")).accepted == 1


async def test_feedback_is_never_evidence(engine: AsyncEngine) -> None:
    before = await insight(engine, "usual")
    rows = text("SELECT count(*), coalesce(sum(files), 0) FROM observations")
    async with transaction(engine) as connection:
        known = (await connection.execute(rows)).one()
    await told(engine, digest("usual"), "accepted", 1)
    await told(engine, digest("nobody ever saw this"), "accepted", 2)
    await aggregate(engine, TENANT)
    async with transaction(engine) as connection:
        assert (await connection.execute(rows)).one() == known
        assert await insights.of_patterns(connection, TENANT, [digest("nobody ever saw this")]) == {}
    after = await insight(engine, "usual")
    assert (after.instances, after.files, after.rate, after.confidence, after.evidence) == (
        before.instances, before.files, before.rate, before.confidence, before.evidence,
    )  # fmt: skip


async def test_nothing_is_known_of_a_stranger(client: Client) -> None:
    reply = await ask(client, subjects.RECOMMENDATIONS_QUERY, encode(RecommendationsQuery(instance="stranger")))
    assert (reply["error"]["code"], "stranger" in reply["error"]["message"]) == ("NOT_FOUND", True)
