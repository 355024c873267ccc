from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from nats.aio.client import Client
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.aggregate import aggregate
from centralcloud.queries import answers
from centralcloud.queries.service import Queries
from schemas import subjects
from schemas.codec import decode, encode
from schemas.insights import InsightsPage, InsightsQuery, Provenance, WhyQuery
from schemas.replies import Response
from shared.database import transaction
from shared.embedded.nats import EmbeddedNats
from shared.embedded.postgres import EmbeddedPostgres
from tests.support.asking import ask, asker, hub_bus
from tests.support.databases import central_engine
from tests.support.observed import TENANT, digest, shared_by


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with central_engine(database_url) as engine:
        yield engine


@pytest.fixture
async def client(engine: AsyncEngine, nats_server: EmbeddedNats) -> AsyncIterator[Client]:
    async with hub_bus(nats_server.url, lambda bus: Queries(engine, bus)), asker(nats_server.url) as client:
        yield client


async def insights_of(client: Client, query: InsightsQuery, subject: str = subjects.INSIGHTS_QUERY) -> InsightsPage:
    reply = await client.request(subject, encode(query), timeout=5)
    page = decode(reply.data, Response[InsightsPage]).data
    assert page is not None
    return page


async def test_a_reply_is_an_object_with_the_askers_correlation_id(client: Client) -> None:
    found = await ask(client, subjects.INSIGHTS_QUERY, b"{}", {"correlation-id": "mine"})
    assert (found["type"], found["success"], found["correlation_id"]) == ("response", True, "mine")
    assert found["data"] == {"head": 0, "insights": [], "complete": True}


@pytest.mark.parametrize("subject", [subjects.INSIGHTS_QUERY, subjects.CACHE_SYNC_REQUEST])
async def test_pages_lead_to_everything_changed_since(client: Client, engine: AsyncEngine, subject: str) -> None:
    for number in range(5):
        await shared_by(engine, f"pattern {number}", ["ann", "bob"])
    await aggregate(engine, TENANT)
    first = await insights_of(client, InsightsQuery(since=1, limit=3), subject)
    rest = await insights_of(client, InsightsQuery(since=first.insights[-1].version, limit=3), subject)
    assert ([one.version for one in first.insights], first.complete, first.head) == ([2, 3, 4], False, 5)
    assert ([one.version for one in rest.insights], rest.complete) == ([5], True)


async def test_a_page_fits_into_a_message(client: Client, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        await shared_by(engine, f"pattern {number}", ["ann", "bob"])
    await aggregate(engine, TENANT)
    monkeypatch.setattr(answers, "PAGE_BYTES_MAX", 10)
    page = await insights_of(client, InsightsQuery())
    assert ([one.version for one in page.insights], page.complete) == ([1], False)


async def test_why_leads_down_to_the_event(client: Client, engine: AsyncEngine) -> None:
    name = await shared_by(engine, "loop", ["ann", "bob"])
    await aggregate(engine, TENANT)
    await shared_by(engine, "loop", ["cyd"])
    await aggregate(engine, TENANT)
    reply = await client.request(subjects.WHY_QUERY, encode(WhyQuery(insight_id=name)), timeout=5)
    found = decode(reply.data, Response[Provenance]).data
    assert found is not None
    assert [(one.instance, one.event_id, one.trusted) for one in found.observations] == [
        (instance, "0" * 32, True) for instance in ("ann", "bob", "cyd")
    ]
    assert [(one.version, one.instances) for one in found.history] == [(1, 2), (2, 3)]


async def test_unknown_unreadable_and_foreign_requests_are_refused(client: Client) -> None:
    unknown = await ask(client, subjects.WHY_QUERY, encode(WhyQuery(insight_id=digest("nobody knows"))))
    unreadable = await ask(client, subjects.INSIGHTS_QUERY, b'{"since": "yesterday"}')
    not_json = await ask(client, subjects.INSTANCES_QUERY, b"\xff")
    foreign = await ask(client, subjects.STATISTICS_QUERY, b'{"tenant": "another"}')
    codes = [reply["error"]["code"] for reply in (unknown, unreadable, not_json, foreign)]
    assert codes == ["NOT_FOUND", "INVALID_REQUEST", "INVALID_REQUEST", "UNAUTHORIZED"]
    assert "$.since" in unreadable["error"]["message"]


async def test_instances_and_their_ladder(client: Client, engine: AsyncEngine) -> None:
    await shared_by(engine, "loop", ["ann"])
    async with transaction(engine) as connection:
        await connection.execute(
            text("""
                INSERT INTO instance_registry (tenant, instance_id, status, holder, last_heartbeat)
                SELECT 'default', name, 'online', 'h', clock_timestamp() - make_interval(secs => silence)
                  FROM (VALUES ('ann', 0), ('bob', 31), ('cyd', 61), ('dan', 301)) AS v (name, silence)
            """)
        )
    found = (await ask(client, subjects.INSTANCES_QUERY, b"{}"))["data"]["instances"]
    assert [(one["instance_id"], one["status"], one["observations"]) for one in found] == [
        ("ann", "online", 1),
        ("bob", "suspect", 0),
        ("cyd", "inactive", 0),
        ("dan", "offline", 0),
    ]


async def test_without_a_database_the_answer_says_so(
    own_postgres: Callable[[], EmbeddedPostgres], nats_server: EmbeddedNats
) -> None:
    postgres = own_postgres()
    async with (
        central_engine(postgres.dsn("postgres")) as engine,
        hub_bus(nats_server.url, lambda bus: Queries(engine, bus)),
        asker(nats_server.url) as client,
    ):
        assert (await ask(client, subjects.INSIGHTS_QUERY, b"{}"))["success"]
        postgres.stop()
        error = (await ask(client, subjects.INSIGHTS_QUERY, b"{}"))["error"]
    assert (error["code"], error["retryable"]) == ("SERVICE_UNAVAILABLE", True)
