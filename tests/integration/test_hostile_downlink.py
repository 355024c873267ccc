"""A hub that lies or raves: an instance keeps what it has, goes on asking, and applies what a sane hub says next."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from instance import routing
from instance.config import InstanceSettings
from instance.sync.downlink import Downlink
from schemas import subjects
from schemas.codec import MESSAGES, InvalidMessageError, decode, encode
from schemas.insights import Insight, InsightsPage
from schemas.names import COUNT_MAX
from schemas.replies import Response
from schemas.routing_advice import RouteQuery
from schemas.subjects import Sender
from schemas.sync import Receipt
from shared.database import transaction
from shared.embedded.nats import EmbeddedNats
from tests.contract.golden import golden
from tests.support.fleet import Spoke, parts
from tests.support.databases import instance_engine
from tests.support.hostile import TEXTS, at_limits, bent, written
from tests.support.lifecycle import started
from tests.support.patterns import learn, scalar
from tests.support.wait import eventually
from tests.support.wire import plain_client
from shared.lease import Lease

ANSWERS, ANSWERS_CHAOS = 400, 4_000
ME: Final = Sender("default", "one")
REPLIES: Final = {
    subjects.INSIGHTS_QUERY: "insights.reply",
    subjects.ROUTING_QUERY: "routing.reply",
    subjects.CALIBRATION_QUERY: "calibration.reply",
    "intelligence.sync.*.*": "sync.reply",
}
HINTS: Final = {
    subjects.INSIGHTS_AGGREGATED: "insights.aggregated",
    subjects.INSIGHTS_ROUTING: "insights.routing",
    subjects.FLOW: "flow",
    subjects.receipt(ME): "receipt",
}


class RavingHub:
    """Answers whatever is asked with golden replies, bent; counts them by what was asked."""

    def __init__(self, client: Client, seed: int) -> None:
        self.answers = 0
        self.sane = False
        self._client = client
        self._chance = random.Random(seed)  # noqa: S311 - the same answers every time

    async def answer(self, message: Msg) -> None:
        """Answer one question."""
        self.answers += 1
        name = next((name for subject, name in REPLIES.items() if message.subject == subject), "sync.reply")
        await message.respond(_sane(name) if self.sane else self._ravings(name))

    async def hint(self) -> None:
        """Say something nobody asked for."""
        subject = self._chance.choice(list(HINTS))
        await self._client.publish(subject, self._ravings(HINTS[subject]))

    def _ravings(self, name: str) -> bytes:
        told = json.loads(golden(name))
        chance = self._chance
        for place in ("epoch", "rotate_after"):
            if isinstance(told.get("data"), dict) and place in told["data"] and chance.random() < 0.5:
                told["data"][place] = chance.choice(("0" * 32, "f" * 32))
        match chance.randrange(4):
            case 0:
                return written(bent(told, chance), chance)
            case 1:
                return json.dumps(at_limits(told, chance)).encode()
            case _:
                return json.dumps(_with_texts(told, chance)).encode("utf-8", "surrogatepass")
        

def _with_texts(told: Any, chance: random.Random) -> Any:
    """Put strange words where words are."""
    if isinstance(told, dict):
        return {key: value if key in ("type", "id") else _with_texts(value, chance) for key, value in told.items()}
    if isinstance(told, list):
        return [_with_texts(one, chance) for one in told]
    return chance.choice(TEXTS) if isinstance(told, str) and chance.random() < 0.15 else told
