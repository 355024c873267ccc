"""What one tenant sees of another: nothing, whichever way it asks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.config import CentralcloudSettings
from centralcloud.queries.service import Queries
from centralcloud.store.tenancy import ROLE, of_tenant, prepare
from centralcloud.web.api import READS, Row
from schemas import subjects
from schemas.insights import InstancesPage, InstancesQuery
from schemas.subjects import Sender
from shared import client
from shared.database import transaction
from shared.embedded.nats import EmbeddedNats
from shared.errors import ConfigurationError, PermanentError
from shared.web.guard import Guard, guard_of
from tests.support.api import Api, Listener, api
from tests.support.asking import hub_bus
from tests.support.databases import central_engine
from tests.support.http import Answer
from tests.support.patterns import scalar

_HEARD = text("""
    INSERT INTO instance_registry (tenant, instance_id, status, holder) VALUES (:tenant, :instance, 'online', 'me')
""")
_KEPT_BY_TENANT = """
    SELECT table_name FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
     WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' AND column_name IN ('tenant', 'tenant_id')
"""
_BETWEEN_TENANTS = {"sharing_offers", "sharing_acceptances"}
"""Rows that name two."""

_KEPT_APART = "SELECT relname FROM pg_class WHERE relrowsecurity AND relnamespace = current_schema()::regnamespace"


@pytest.fixture
async def engine(make_database: Callable[[], str]) -> AsyncIterator[AsyncEngine]:
    async with central_engine(make_database()) as engine:
        async with transaction(engine) as connection:
            for tenant in ("here", "yonder"):
                await connection.execute(_HEARD, {"tenant": tenant, "instance": f"ann-{tenant}"})
        yield engine


async def test_every_table_that_has_tenants_keeps_them_apart(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        kept = set((await connection.execute(text(_KEPT_BY_TENANT))).scalars())
        apart = set((await connection.execute(text(_KEPT_APART))).scalars())
    assert kept == apart - _BETWEEN_TENANTS
    assert {"observations", "insights", "instance_registry", "activity"} <= kept


async def test_a_statement_that_forgets_whose_rows_it_wants_finds_no_others(engine: AsyncEngine) -> None:
    assert await scalar(engine, "SELECT count(*) FROM instance_registry") == 2
    for view in ("instance_registry", "instances"):
        async with of_tenant(engine, "here") as connection:
            rows = (await connection.execute(text(f"SELECT tenant FROM {view}"))).scalars().all()  # noqa: S608 - two names
        assert rows == ["here"], view
    async with of_tenant(engine, "nobody") as connection:
        assert (await connection.execute(text("SELECT count(*) FROM instance_registry"))).scalar_one() == 0


async def test_nothing_is_written_for_another(engine: AsyncEngine) -> None:
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with of_tenant(engine, "here") as connection:
            await connection.execute(
                text("INSERT INTO instance_registry (tenant, instance_id) VALUES ('yonder', 'bob')")
            )
    async with of_tenant(engine, "here") as connection:
        done = await connection.execute(text("UPDATE instance_registry SET hostname = 'mine'"))
        assert done.rowcount == 1
        done = await connection.execute(text("DELETE FROM instance_registry WHERE tenant = 'yonder'"))
        assert done.rowcount == 0


async def test_what_is_not_of_a_tenant_cannot_be_touched(engine: AsyncEngine) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with of_tenant(engine, "here") as connection:
            await connection.execute(text("SELECT * FROM workers"))


async def test_the_next_transaction_of_the_connection_is_nobody_s(engine: AsyncEngine) -> None:
    async with of_tenant(engine, "here") as connection:
        assert (await connection.execute(text("SELECT current_user"))).scalar_one() == ROLE
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT current_user"))).scalar_one() != ROLE


async def test_two_hubs_prepare_at_once(make_database: Callable[[], str]) -> None:
    async with central_engine(make_database()) as one, central_engine(make_database()) as other:
        await asyncio.gather(prepare(one), prepare(one), prepare(other))
        async with of_tenant(other, "here") as connection:
            assert (await connection.execute(text("SELECT count(*) FROM insights"))).scalar_one() == 0


@pytest.fixture
async def shown(make_database: Callable[[], str]) -> AsyncIterator[Api]:
    """The HTTP API with two tenants on it, each with a token, and the operator's."""
    guard = Guard(token="operator", tenant_tokens={"here": "mine", "yonder": "theirs"}, requests_per_second=10_000)
    async with api(make_database(), guard=guard) as shown:
        async with transaction(shown.engine) as connection:
            for tenant in ("here", "yonder"):
                await connection.execute(_HEARD, {"tenant": tenant, "instance": f"ann-{tenant}"})
        yield shown


async def ask(shown: Api, path: str, token: str) -> Answer:
    return await shown.site.get(f"/api/v1{path}", Authorization=f"Bearer {token}")


async def names(answer: Answer) -> list[str]:
    assert answer.status == HTTPStatus.OK, answer.body
    return [one["instance_id"] for one in answer.document["items"]]


async def test_a_token_of_a_tenant_shows_that_tenant_whatever_is_asked(shown: Api) -> None:
    assert await names(await ask(shown, "/instances", "mine")) == ["ann-here"]
    assert await names(await ask(shown, "/instances?tenant=here", "mine")) == ["ann-here"]
    foreign = await ask(shown, "/instances?tenant=yonder", "mine")
    assert (foreign.status, foreign.code) == (HTTPStatus.FORBIDDEN, "UNAUTHORIZED")
    assert (await ask(shown, "/instances/ann-yonder", "mine")).status == HTTPStatus.NOT_FOUND
    assert await names(await ask(shown, "/instances?tenant=yonder", "operator")) == ["ann-yonder"]
    assert (await ask(shown, "/instances", "nobody")).status == HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize("row", READS, ids=lambda row: row.path)
async def test_everything_a_tenant_may_ask_is_answered_by_its_role(shown: Api, row: Row) -> None:
    path = re.sub(r"{(fingerprint|id)}", "0" * 32, row.path.replace("{instance}", "ann-here"))
    path += "?name=learned" if "name" in row.query.__struct_fields__ else ""
    answer = await ask(shown, path, "mine")
    assert answer.status == (HTTPStatus.NOT_FOUND if "0" * 32 in path else HTTPStatus.OK), answer.body
    assert b"yonder" not in answer.body


async def test_what_is_centralcloud_s_own_is_the_operator_s(shown: Api) -> None:
    for path in ("/jobs", "/workers", "/locks", "/schedules", "/leader"):
        assert (await ask(shown, path, "mine")).status == HTTPStatus.FORBIDDEN, path
        assert (await ask(shown, path, "operator")).status == HTTPStatus.OK, path
    told = await shown.site.post("/admin/orchestrator/stop", Authorization="Bearer mine")
    assert told.status == HTTPStatus.FORBIDDEN


async def test_a_change_of_another_s_insight_is_refused_and_changes_nothing(shown: Api) -> None:
    path = f"/api/v1/insights/{'1' * 32}/revoke"
    told = await shown.site.post(path, {"tenant": "yonder", "reason": "x"}, Authorization="Bearer mine")
    assert told.status == HTTPStatus.FORBIDDEN
    told = await shown.site.post(path, {"reason": "x"}, Authorization="Bearer mine")
    assert told.status == HTTPStatus.NOT_FOUND


async def test_the_feed_of_a_tenant_is_its_own(shown: Api) -> None:
    mine = {"Authorization": "Bearer mine"}
    listener = await asyncio.to_thread(Listener, shown.site.port, "/api/v1/events", mine)
    try:
        async with transaction(shown.engine) as connection:
            await connection.execute(text("UPDATE instance_registry SET status = 'draining'"))
        (event,) = await listener.take(1)
        assert (event.data["tenant"], event.data["instance"]) == ("here", "ann-here")
    finally:
        listener.close()
    refused = await asyncio.to_thread(Listener, shown.site.port, "/api/v1/events?tenant=yonder", mine)
    assert refused.status == HTTPStatus.FORBIDDEN
    refused.close()


async def test_over_nats_a_question_is_answered_with_what_its_tenant_has(
    engine: AsyncEngine, nats_server: EmbeddedNats
) -> None:
    async def instances(tenant: str, asker: Sender) -> list[str]:
        query = InstancesQuery(tenant=tenant)
        page = await client.ask([nats_server.url], subjects.INSTANCES_QUERY, query, InstancesPage, sender=asker)
        return [one.instance_id for one in page.instances]

    async with hub_bus(nats_server.url, lambda bus: Queries(engine, bus)):
        assert await instances("here", Sender("here", "ann")) == ["ann-here"]
        with pytest.raises(PermanentError, match="not one of tenant yonder"):
            await instances("yonder", Sender("here", "ann"))


def test_tokens_of_tenants_need_one_of_the_operator() -> None:
    with pytest.raises(ConfigurationError, match="tenant_tokens"):
        guard_of(CentralcloudSettings(), {"here": "mine"})
