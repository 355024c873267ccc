"""A hub that lies or raves: an instance keeps what it has, goes on asking, and applies what a sane hub says next."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from sqlalchemy.ext.asyncio import AsyncEngine

from instance import routing
from instance.config import InstanceSettings
from instance.store import insights, outbox
from instance.sync.downlink import Downlink
from instance.sync.receipts import Receipts
from schemas import subjects
from schemas.codec import encode
from schemas.insights import Insight, InsightsPage
from schemas.names import COUNT_MAX
from schemas.routing_advice import RouteQuery
from schemas.subjects import Sender
from shared.database import transaction
from shared.embedded.nats import EmbeddedNats
from shared.errors import ContractError
from shared.lease import Lease
from tests.contract.golden import golden
from tests.support.databases import instance_engine
from tests.support.fleet import parts
from tests.support.hostile import TEXTS, at_limits, bent, written
from tests.support.lifecycle import started
from tests.support.patterns import learn, scalar
from tests.support.wait import eventually
from tests.support.wire import plain_client

ANSWERS, ANSWERS_CHAOS = 300, 3_000
HEARD: Final = 20
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

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
SANE: Final = Insight(
    id="5" * 32, kind="code.pattern", state="active", instances=3, repositories=3, files=9, occurrences=9, rate=1.0,
    confidence=0.5, version=COUNT_MAX,
)  # fmt: skip
PAGE: Final = InsightsPage(head=COUNT_MAX, insights=(SANE,), complete=True)


class RavingHub:
    """Answers whatever is asked with golden replies, bent; counts them by what was asked."""

    def __init__(self, client: Client, seed: int) -> None:
        self.answers = 0
        self.page: InsightsPage | None = None
        """What it says of insights, and nothing wrong of anything else; None: it raves."""
        self.receipt: dict[str, Any] | None = None
        """What it says has arrived, while it is sane; None: what the golden reply says."""
        self._client = client
        self._chance = random.Random(seed)  # noqa: S311 - the same answers every time

    async def answer(self, message: Msg) -> None:
        """Answer one question."""
        self.answers += 1
        name = next((name for subject, name in REPLIES.items() if message.subject == subject), "sync.reply")
        await message.respond(self._ravings(name) if self.page is None else self._sane(name, self.page))

    async def hint(self) -> None:
        """Say something nobody asked for."""
        subject = self._chance.choice(list(HINTS))
        await self._client.publish(subject, self._ravings(HINTS[subject]))

    def _sane(self, name: str, page: InsightsPage) -> bytes:
        said: dict[str, Any] = {"insights.reply": page}
        if self.receipt is not None:
            said["sync.reply"] = {"type": "intelligence.receipt.v1", **self.receipt}
        if name not in said:
            return golden(name)
        told = {"type": "response", "timestamp": NOW, "correlation_id": "", "success": True, "data": said[name]}
        return encode(told)

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
                return json.dumps(_with_texts(told, chance)).encode()


def _with_texts(told: Any, chance: random.Random) -> Any:
    """Put strange words where words are."""
    if isinstance(told, dict):
        return {key: value if key in ("type", "id") else _with_texts(value, chance) for key, value in told.items()}
    if isinstance(told, list):
        return [_with_texts(one, chance) for one in told]
    return chance.choice(TEXTS) if isinstance(told, str) and chance.random() < 0.15 else told


@dataclass
class Listening:
    """An instance that hears a raving hub."""

    engine: AsyncEngine
    downlink: Downlink
    receipts: Receipts
    hub: RavingHub


@pytest.fixture
async def listening(nats_server: EmbeddedNats, database_url: str) -> AsyncIterator[Listening]:
    async with instance_engine(database_url) as engine, plain_client(nats_server.url) as client:
        raving = RavingHub(client, 1)
        for subject in REPLIES:
            await client.subscribe(subject, cb=raving.answer)
        lease = Lease(engine, "instance", holder="a test", ttl_seconds=10)
        async with started(lease):
            one = await parts(engine, nats_server.url, ME.instance, lease, 1.0, 0.05)
            downlink = Downlink(engine, one.bus, ME.tenant, one.metrics, ask_seconds=0.05)
            async with started(one.bus, one.receipts, one.uplink, downlink):
                yield Listening(engine, downlink, one.receipts, raving)


async def survives(one: Listening, answers: int) -> None:
    """Hear so many answers, and as many hints; then believe a sane hub again."""
    await learn(one.engine, range(5))

    async def heard() -> bool:
        await one.hub.hint()
        return one.hub.answers >= answers

    await eventually(heard, 120, what="heard")
    assert one.downlink.running
    assert one.receipts.running
    await believes(one)
    async with transaction(one.engine) as connection:
        await routing.answer(
            connection, InstanceSettings(), RouteQuery(job_type="fix-tests", incumbent=("small",)), by="test"
        )
        assert SANE in [held.insight for held in await insights.active(connection, limit=1000)]


async def believes(one: Listening) -> None:
    """Have the hub be sane again, and wait until what it says is applied."""
    one.hub.page = PAGE
    applied = f"SELECT count(*) FROM insights WHERE id = '{SANE.id}' AND state = 'active'"  # noqa: S608
    await eventually(lambda: _is(one.engine, applied, 1), 20, what="a sane insight")


async def _is(engine: AsyncEngine, statement: str, wanted: object) -> bool:
    return await scalar(engine, statement) == wanted


async def test_an_instance_outlives_a_hub_that_raves(listening: Listening) -> None:
    await survives(listening, ANSWERS)


@pytest.mark.chaos
async def test_it_does_for_long(listening: Listening) -> None:
    await survives(listening, ANSWERS_CHAOS)


async def test_a_page_that_promises_more_and_says_nothing_is_not_believed(listening: Listening) -> None:
    listening.hub.page = InsightsPage(head=COUNT_MAX, insights=(), complete=False)
    await eventually(lambda: listening.hub.answers >= HEARD, what="heard")
    assert listening.downlink.running
    await believes(listening)


@pytest.mark.parametrize("told", [{"gaps": [[-(2**70), -1]]}, {"rotate_after": "f" * 32}], ids=["gap", "epoch"])
async def test_a_receipt_of_what_cannot_be_is_not_acted_on(listening: Listening, told: dict[str, Any]) -> None:
    await believes(listening)
    await eventually(lambda: listening.hub.answers >= HEARD, what="no ravings on their way")
    async with transaction(listening.engine) as connection:
        before = await outbox.get(connection)
    listening.hub.receipt = {"epoch": before.epoch, "wm": 0, **told}
    heard = listening.hub.answers
    await eventually(lambda: listening.hub.answers >= heard + HEARD, what="heard")
    assert listening.receipts.running
    async with transaction(listening.engine) as connection:
        assert (await outbox.get(connection)).epoch == before.epoch


def test_no_epoch_comes_after_the_last() -> None:
    last = "f" * 32
    with pytest.raises(ContractError, match=last):
        outbox.next_epoch(last)
    assert len(outbox.next_epoch("f" * 11 + "e" * 21)) == 32
