"""What nobody honest says of itself: no word of it stops a hub from hearing the others, nor is all of it kept."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any, Final

import pytest
from nats.aio.client import Client
from structlog.testing import capture_logs

from centralcloud.ingest.presence import HOLDERS_MAX, Presence
from schemas import subjects
from schemas.codec import encode
from schemas.subjects import Sender
from schemas.sync import SyncRequest
from shared.bus import settled
from shared.embedded.nats import EmbeddedNats
from tests.contract.golden import golden
from tests.support.asking import hub_bus
from tests.support.databases import central_engine
from tests.support.fleet import Hub, hub
from tests.support.hostile import TEXTS, at_limits, bent, written
from tests.support.observed import TENANT
from tests.support.patterns import scalar
from tests.support.wait import eventually
from tests.support.wire import plain_client

WORDS, WORDS_CHAOS = 500, 10_000
FLOOD: Final = 500
TIMES: Final = 3
HONEST: Final = Sender(TENANT, "honest")
HOLDER: Final = "a" * 32
BYTES_MAX: Final = 900_000
SENDERS: Final = ("default.mallory", "default.eve", "other.mallory", "default.UPPER", "-.-", "default.\u00e9", "a.b.c")
REPLIES: Final = ("", "_INBOX.default.mallory.x", "_INBOX.>", "_INBOX.*.*", "intelligence.flow", "_INBOX.", "\u00e9")
KINDS: Final = {
    "sync.request": "intelligence.sync",
    "heartbeat": subjects.HEARTBEATS.removesuffix(".*.*"),
    "goodbye": subjects.GOODBYES.removesuffix(".*.*"),
}


class Hostile:
    """Says what instances say, bent."""

    def __init__(self, client: Client, seed: int) -> None:
        self._client = client
        self._chance = random.Random(seed)  # noqa: S311 - the same words every time

    async def say(self) -> None:
        """Say one thing."""
        chance = self._chance
        name = chance.choice(list(KINDS))
        reply = chance.choice(REPLIES) if chance.random() < 0.5 else ""
        headers = self._headers() if chance.random() < 0.3 else None
        subject = f"{KINDS[name]}.{chance.choice(SENDERS)}"
        await self._client.publish(subject, self._body(name)[:BYTES_MAX], reply, headers)

    def _headers(self) -> dict[str, str]:
        words = [one for one in TEXTS if one.isprintable() and one.isascii() and one.strip()]
        return {
            self._chance.choice(("correlation-id", "ce-id", "traceparent")): self._chance.choice((*words, "x" * 90_000))
        }

    def _body(self, name: str) -> bytes:
        told: dict[str, Any] = json.loads(golden(name))
        told["holder"] = self._chance.choice("0123") * 32
        if name == "heartbeat" and self._chance.random() < 0.1:
            told["capabilities"] = ["x" * 4000] * 200
        match self._chance.randrange(3):
            case 0:
                return written(bent(told, self._chance), self._chance)
            case 1:
                return json.dumps(at_limits(told, self._chance)).encode()
            case _:
                return json.dumps(told).encode()


async def says_it_lives(client: Client, load: int) -> None:
    """Say a heartbeat of an honest instance."""
    told = json.loads(golden("heartbeat")) | {"holder": HOLDER, "load": load}
    await client.publish(subjects.heartbeat(HONEST), json.dumps(told).encode())


async def survives(central: Hub, client: Client, count: int, seed: int) -> None:
    """Say so much; the honest one is heard before, between and after."""
    request = encode(SyncRequest(epoch=HOLDER, head=1, holder=HOLDER))
    await client.request(subjects.sync(HONEST), request, timeout=10)
    hostile = Hostile(client, seed)
    with capture_logs() as logs:
        for load in range(1, TIMES + 1):
            for _ in range(count // TIMES):
                await hostile.say()
            await settled(client)
            await says_it_lives(client, load)
            await central.reaches("SELECT load FROM instance_registry WHERE instance_id = 'honest'", load, 60)
        await client.request(subjects.sync(HONEST), request, timeout=10)
    wrong = [one for one in logs if one["log_level"] == "error"]
    assert not wrong, wrong[:3]
    assert await scalar(central.engine, "SELECT status FROM instance_registry WHERE instance_id = 'honest'") == "online"
    assert await scalar(central.engine, "SELECT count(*) > 1 FROM instance_registry"), "some of it can be read"


async def test_whatever_is_said_the_honest_are_heard(own_nats: Callable[[], EmbeddedNats], database_url: str) -> None:
    url = own_nats().url
    async with hub(url, database_url) as central, plain_client(url) as client:
        await central.receives()
        await survives(central, client, WORDS, 1)


@pytest.mark.chaos
async def test_after_ten_thousand_words_still(own_nats: Callable[[], EmbeddedNats], database_url: str) -> None:
    url = own_nats().url
    async with hub(url, database_url) as central, plain_client(url) as client:
        await central.receives()
        await survives(central, client, WORDS_CHAOS, 2)


async def test_of_who_comes_under_many_names_the_last_few_are_remembered(
    own_nats: Callable[[], EmbeddedNats], database_url: str
) -> None:
    """A hub that does not get to write, as while its database is away, does not grow by who floods it."""
    heard: list[Presence] = []
    async with central_engine(database_url) as engine:
        url = own_nats().url
        async with hub_bus(url, lambda bus: heard.append(Presence(engine, bus))), plain_client(url) as client:
            await says_it_lives(client, 1)
            told = json.loads(golden("heartbeat"))
            for number in range(FLOOD):
                body = json.dumps(told | {"holder": f"{number:032x}"}).encode()
                await client.publish(subjects.heartbeat(Sender(TENANT, "mallory")), body)
            await settled(client)
            await eventually(lambda: heard[0].waiting >= 1 + HOLDERS_MAX)
            await says_it_lives(client, 2)
            await settled(client)
            assert heard[0].waiting == 1 + HOLDERS_MAX
