"""Orders nobody honest gives, and honest ones given all at once: refused or carried out, never an error of ours."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import pytest

from centralcloud.aggregate import aggregate
from centralcloud.jobs import REPLAY, Letters
from shared.database import transaction
from shared.jobs import queue
from tests.support.api import Api, api
from tests.support.hostile import TEXTS
from tests.support.hostile_requests import Judge, Requests, ask_all, operations
from tests.support.http import exchange
from tests.support.known import learned, register, take_in
from tests.support.observed import TENANT, digest
from tests.support.patterns import scalar

ORDERS, ORDERS_CHAOS = 200, 10_000
JOBS: Final = 20
AT_ONCE: Final = 24
LEAD: Final = "/admin/"
KNOWN: Final[Mapping[str, Sequence[Any]]] = {"name": ["", "a hub", *TEXTS], "force": [True, False, "true", 1]}


@pytest.fixture
async def hub(database_url: str) -> AsyncIterator[Api]:
    async with api(database_url) as served:
        for name in ("ann", "bob", "cyd"):
            await register(served.engine, name)
            await take_in(served.engine, name, 1, learned("loop", f"repository of {name}"))
        await aggregate(served.engine, TENANT)
        async with transaction(served.engine) as connection:
            await queue.enqueue_many(connection, REPLAY, [Letters(limit) for limit in range(1, JOBS + 1)])
        yield served


async def survives(hub: Api, count: int, seed: int) -> None:
    """Order the lead about where nobody could lead: every order is refused at once."""
    document = (await hub.site.get("/openapi.json")).document
    many = [one for one in operations(document) if one.path.startswith(LEAD)]
    assert len(many) == 2
    made = Requests(many, KNOWN, random.Random(seed))  # noqa: S311 - the same orders every time
    found = await ask_all(hub.site.port, (made.make() for _ in range(count)), Judge(document))
    assert not found.flaws, found.flaws[:5]
    assert {400, 409, 415, 422} <= found.statuses.keys() <= {400, 403, 404, 409, 413, 415, 421, 422}


async def test_the_lead_cannot_be_taken_by_hostile_words(hub: Api) -> None:
    await survives(hub, ORDERS, 1)


@pytest.mark.chaos
async def test_not_by_ten_thousand(hub: Api) -> None:
    await survives(hub, ORDERS_CHAOS, 2)


def _order(chance: random.Random) -> tuple[str, Any]:
    """An order that can be carried out, about one of few things."""
    ids = chance.sample(range(1, JOBS + 3), 10)
    insight, verb = digest("loop"), chance.choice(("revoke", "restore"))
    return chance.choice(
        (
            (f"/api/v1/insights/{insight}/{verb}", {"tenant": TENANT} | ({"reason": "x"} if verb == "revoke" else {})),
            (f"/api/v1/jobs/{chance.choice(('retry', 'cancel'))}", {"ids": ids}),
            (f"/api/v1/queues/default/{chance.choice(('pause', 'resume'))}", {}),
            ("/api/v1/queues/default/scale", {"limit": chance.randint(1, 9)}),
            ("/api/v1/dead-letters/replay", {}),
            (f"/api/v1/schedules/aggregate/{chance.choice(('run', 'enable', 'disable'))}", {}),
        )
    )


async def test_orders_given_at_once_get_in_nobodys_way(hub: Api) -> None:
    chance = random.Random(3)  # noqa: S311 - the same orders every time
    waiting = iter([_order(chance) for _ in range(ORDERS)])
    statuses: Counter[int] = Counter()
    wrong: list[bytes] = []

    async def order_on() -> None:
        for path, told in waiting:
            body, headers = msgspec.json.encode(told), {"Content-Type": "application/json"}
            answer = await asyncio.to_thread(exchange, hub.site.port, "POST", path, body, headers)
            statuses[answer.status] += 1
            if answer.status not in (200, 404, 409):
                wrong.append(answer.body)

    await asyncio.gather(*(order_on() for _ in range(AT_ONCE)))
    assert not wrong, wrong[:5]
    assert statuses[200] > ORDERS // 2, statuses
    found = await scalar(hub.engine, "SELECT count(*) FROM oban_jobs")
    assert isinstance(found, int)
    assert found >= JOBS
