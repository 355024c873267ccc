"""Whatever is asked of the described APIs, the answer is one they describe, and never an error of ours."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.aggregate import aggregate
from centralcloud.config import CentralcloudSettings
from centralcloud.daemon import build
from centralcloud.ingest.arrivals import DeadLetter, Lineage
from centralcloud.ingest.commit import commit
from centralcloud.jobs import REPLAY, Letters
from shared.database import connect_engine, transaction
from shared.embedded.nats import EmbeddedNats
from shared.jobs import queue
from shared.web.server import WebServer
from tests.support.daemons import codebase, member
from tests.support.hostile_requests import Asked, Judge, Requests, ask_all, operations, place
from tests.support.http import Site
from tests.support.known import learned, opinion, register, reported, results, take_in
from tests.support.lifecycle import started
from tests.support.observed import TENANT, digest
from tests.support.wire import EPOCH

BEYOND: Final = (
    (2**63,), (-(2**64),), (10**30,), ("\0",), (1, "\0"), (2**63, "x"), (2**63, 1), (1, 2**63), (1, 10**30),
    ("2026-01-01T00:00:00Z", 2**63), ("2026-01-01T00:00:00Z", "\0"), ("2026-01-01T00:00:00", 1),
    ("0001-01-01T00:00:00+23:59", 1), ("0001-01-01T00:00:00+23:59", "x"), ("9999-12-31T23:59:59-23:59", "x"),
)  # fmt: skip
"""Places in lists that PostgreSQL has no values for."""

REQUESTS, REQUESTS_CHAOS = 600, 10_000
AnyCase = Case[Any]
AnyOperation = APIOperation[Any, Any, Any, Any]

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
GENTLY: Final = hypothesis.settings(
    max_examples=2,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
"""A few of each operation: the requests made by hand are the many."""

STREAM: Final = "/api/v1/events"
SHARED: Final = "/api/v1/sharing/from/"
"""Refused to everybody here, as no other tenant shares anything."""
LEAD: Final = "/admin/"
"""A change of the lead takes up to half a minute: it is asked for by hand."""

TOKEN: Final = "the token of ann"
KNOWN: Final[Mapping[str, Sequence[Any]]] = {
    "tenant": [TENANT],
    "instance": ["ann", "bob"],
    "id": [1, 5, digest("loop")],
    "insight": [digest("loop")],
    "fingerprint": [digest("loop")],
    "queue": ["default"],
    "name": ["aggregate", "learned", "insights"],
    "job_type": ["fix"],
    "limit": [1, 2, 1000],
    "sort": ["newest", "support"],
}


async def fill(engine: AsyncEngine) -> None:
    """Have something of every kind to be asked for."""
    for name in ("ann", "bob", "cyd"):
        await register(engine, name)
        await take_in(engine, name, 1, *(learned(one, f"repository of {name}") for one in ("loop", "twin", name)))
        await take_in(engine, name, 4, results("small", [100, 200], 1), opinion("loop"), reported({"python": 10}))
    await aggregate(engine, TENANT)
    letters = [
        DeadLetter("a.b", b"\xff\x00", "unreadable"),
        DeadLetter("", b"x", "bad", Lineage(TENANT, "ann", EPOCH), 7),
    ]
    async with transaction(engine) as connection:
        await queue.enqueue_many(connection, REPLAY, [Letters(limit) for limit in range(1, 6)])
        await commit(connection, [], letters)


@asynccontextmanager
async def _hub(nats_url: str, database_url: str) -> AsyncIterator[Site]:
    settings = CentralcloudSettings(
        nats_url=nats_url, database_url=database_url, http_port=0, http_requests_per_second=100_000.0,
        ingest_tokens={"ann": TOKEN},
    )  # fmt: skip
    async with build(settings) as services, started(*services):
        engine = connect_engine(database_url, application="test")
        try:
            await fill(engine)
        finally:
            await engine.dispose()
        yield Site(next(service.port for service in services if isinstance(service, WebServer)))


@pytest.fixture
async def hub(own_nats: Callable[[], EmbeddedNats], database_url: str) -> AsyncIterator[Site]:
    async with _hub(own_nats().url, database_url) as site:
        yield site


async def described(site: Site) -> dict[str, Any]:
    document: dict[str, Any] = (await site.get("/openapi.json")).document
    return document


async def survives(site: Site, count: int, seed: int) -> None:
    """Ask for so much; everything is answered as described, and most of it refused."""
    document = await described(site)
    requests_made = Requests(operations(document, [STREAM, LEAD]), KNOWN, random.Random(seed))  # noqa: S311
    found = await ask_all(site.port, (requests_made.make() for _ in range(count)), Judge(document))
    assert not found.flaws, found.flaws[:10]
    assert found.statuses.total() == count
    assert {200, 400, 415, 421, 422} <= found.statuses.keys(), found.statuses
    assert (await site.get("/health")).status == 200


async def test_nothing_that_can_be_asked_of_centralcloud_is_an_error_of_ours(hub: Site) -> None:
    await survives(hub, REQUESTS, 1)


@pytest.mark.chaos
async def test_not_in_ten_thousand_requests(hub: Site) -> None:
    await survives(hub, REQUESTS_CHAOS, 2)


async def test_nothing_that_can_be_asked_of_an_instance_is(
    nats_server: EmbeddedNats, database_url: str, tmp_path: Path
) -> None:
    workspace = codebase(tmp_path / "desk", {"Makefile": "all:\n"})
    limits = {"http_port": 0, "http_requests_per_second": 100_000.0}
    async with member(nats_server.url, database_url, workspace, **limits) as daemon:
        site = Site(daemon.part(WebServer).port)
        await survives(site, REQUESTS, 3)
        assert (await site.get(f"/api/v1/jobs?after={2**63}")).status == 422


async def test_no_place_in_a_list_is(hub: Site) -> None:
    document = await described(hub)
    lists = [
        one
        for one in operations(document, [STREAM, SHARED])
        if any(parameter["name"] == "after" for parameter in one.told["parameters"])
    ]
    assert len(lists) >= 8
    asked = [
        Asked(one, f"{one.path.replace('{instance}', 'ann')}?after={place(*parts)}{more}", b"", {})
        for one in lists
        for parts in BEYOND
        for more in ("", "&sort=newest" if one.path.endswith(("patterns", "insights")) else "")
    ]
    found = await ask_all(hub.port, asked, Judge(document))
    assert not found.flaws, found.flaws[:10]
    assert found.statuses.keys() <= {200, 400}


@pytest.mark.filterwarnings("ignore:Do not use the `random` module")  # the server does, for jitter, in its own thread
async def test_what_schemathesis_makes_of_the_description_is_answered_as_described(hub: Site) -> None:
    """Every operation with what its schema allows, and with what it does not."""
    flaws = await asyncio.to_thread(_examine, f"http://127.0.0.1:{hub.port}", await described(hub))
    assert not flaws, flaws[:10]


def _examine(url: str, document: dict[str, Any]) -> list[str]:
    flaws: list[str] = []
    with requests.Session() as session:

        def ask(case: AnyCase) -> None:
            answer = case.call(base_url=url, session=session, timeout=20)
            try:
                case.validate_response(answer, checks=CHECKS)
            except FailureGroup as group:
                flaws.append(f"{case.method} {answer.request.url}: {group.exceptions}")

        for found in schemathesis.openapi.from_dict(document).get_all_operations():
            assert isinstance(found, Ok)
            operation = found.ok()
            if not operation.path.startswith((STREAM, LEAD)):
                _examine_one(operation, ask)
    return flaws


def _examine_one(operation: AnyOperation, ask: Callable[[AnyCase], None]) -> None:
    """Ask for what the schema allows; and for what it does not, where it says anything."""
    takes = operation.query or operation.path_parameters or operation.body
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE) if takes else (GenerationMode.POSITIVE,):
        cases = operation.as_strategy(generation_mode=mode)
        GENTLY(hypothesis.given(case=cases)(ask))()
