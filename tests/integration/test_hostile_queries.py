"""Questions nobody honest asks over NATS: each is answered, and never by an error of ours."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Final

import msgspec
from nats.aio.client import Client

from centralcloud.aggregate import aggregate
from centralcloud.ingest.presence import Presence
from centralcloud.queries.service import Queries
from schemas import subjects
from schemas.replies import ErrorCode
from schemas.subjects import Sender
from shared.bus import Bus
from shared.embedded.nats import EmbeddedNats
from tests.contract.golden import golden
from tests.support.api import api
from tests.support.asking import asker, hub_bus
from tests.support.hostile import bent, written
from tests.support.known import learned, register, take_in
from tests.support.observed import TENANT

QUESTIONS: Final = 600
AT_ONCE: Final = 20
ASKED: Final = {
    subjects.INSIGHTS_QUERY: "insights.query",
    subjects.WHY_QUERY: "why.query",
    subjects.CALIBRATION_QUERY: "calibration.query",
    subjects.ROUTING_QUERY: "routing.query",
    subjects.RECOMMENDATIONS_QUERY: "recommendations.query",
    subjects.INSTANCES_QUERY: "instances.query",
    subjects.STATISTICS_QUERY: "statistics.query",
    subjects.sync(Sender(TENANT, "ann")): "sync.request",
    subjects.sync(Sender(TENANT, "new")): "sync.request",
}
OURS: Final = frozenset({ErrorCode.INTERNAL_ERROR, ErrorCode.SERVICE_UNAVAILABLE, ErrorCode.TIMEOUT})


async def test_no_question_is_an_error_of_ours(nats_server: EmbeddedNats, database_url: str) -> None:
    async with api(database_url) as served:
        for name in ("ann", "bob"):
            await register(served.engine, name)
            await take_in(served.engine, name, 1, learned("loop", f"repository of {name}"))
        await aggregate(served.engine, TENANT)

        def answers(bus: Bus) -> None:
            Queries(served.engine, bus)
            Presence(served.engine, bus)

        async with hub_bus(nats_server.url, answers), asker(nats_server.url) as client:
            chance = random.Random(1)  # noqa: S311 - the same questions every time
            for _ in range(QUESTIONS // AT_ONCE):
                many = [_question(chance) for _ in range(AT_ONCE)]
                codes = await asyncio.gather(*(_ask(client, subject, body) for subject, body in many))
                wrong = [one for one, code in zip(many, codes, strict=True) if code in OURS]
                assert not wrong, wrong[:3]


def _question(chance: random.Random) -> tuple[str, bytes]:
    subject, name = chance.choice(list(ASKED.items()))
    return subject, written(bent(json.loads(golden(name)), chance), chance)


async def _ask(client: Client, subject: str, body: bytes) -> str:
    reply = await client.request(subject, body, timeout=15)
    told = msgspec.json.decode(reply.data)
    assert told["success"] == (told["error"] is None)
    return told["error"]["code"] if told["error"] else ""
