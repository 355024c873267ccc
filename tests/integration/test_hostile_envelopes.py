"""What nobody honest publishes: each message is applied or a dead letter, and honest ones between are there once."""

from __future__ import annotations

import asyncio
import json
import random
import resource
from collections.abc import Callable, Sequence
from typing import Any, Final

import pytest
from nats.aio.client import Client

from schemas import subjects
from schemas.envelope import POSTED_EPOCH
from schemas.headers import MESSAGE_ID
from schemas.subjects import Sender
from shared.embedded.nats import EmbeddedNats
from tests.contract.golden import EVENTS, NAMES, golden
from tests.support.accounted import Message, all_acknowledged, lost
from tests.support.fleet import Hub, hub
from tests.support.hostile import COMPACT, COUNT_MAX, DEEP, VALUES, at_limits, bent, written
from tests.support.patterns import TOPIC, scalar
from tests.support.wire import envelope, event, plain_client

ENVELOPES, ENVELOPES_CHAOS = 500, 10_000
HONEST_EVERY: Final = 10
AT_ONCE: Final = 100
BYTES_MAX: Final = 1_000_000
"""Of more NATS itself relieves us."""

MEMORY_MB_MAX: Final = 200

HONEST: Final = Sender("default", "honest")
SENDERS: Final = ("default.mallory", "default.eve", "other.mallory")
STRANGE_SENDERS: Final = ("default.UPPER", "default.\u00e9", "-.-", "default.a=b", f"default.{'a' * 200}", "$x.y")
EPOCHS: Final = ("a" * 32, "b" * 32, "f" * 32)
SEQUENCES: Final = (1, 2, 3, 50, 2**31, COUNT_MAX - 200, COUNT_MAX)
SNAPSHOT: Final = "instance.snapshot.completed.v1"


class Hostile:
    """Makes messages: golden ones bent, of events at their limits, under strange subjects, sequences and ids."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - the same messages every time
        self._sent: list[Message] = []

    def make(self) -> Message:
        """Return the next message, now and then one that was sent before."""
        chance = self._chance
        if self._sent and chance.random() < 0.05:
            return chance.choice(self._sent)
        sender = chance.choice(STRANGE_SENDERS if chance.random() < 0.05 else SENDERS)
        subject = f"intelligence.{chance.choice(('code.pattern', 'job.result', 'x.y'))}.learned.{sender}"
        headers = {MESSAGE_ID: f"mine.{chance.randrange(1000)}"} if chance.random() < 0.1 else {}
        made = Message(subject, self._body()[:BYTES_MAX], headers)
        self._sent.append(made)
        return made

    def _body(self) -> bytes:
        chance = self._chance
        match chance.randrange(8):
            case 0:
                return written(bent(_golden(chance.choice(NAMES)), chance), chance)
            case 1 | 2:
                return written(bent(self._envelope([self._event()]), chance), chance)
            case 3 | 4:
                events = [bent(self._event(), chance) for _ in range(chance.choice((1, 2, 5)))]
                return json.dumps(self._envelope(events), separators=COMPACT).encode()
            case 5:
                return self._deep()
            case _:
                events = [at_limits(self._event(), chance) for _ in range(chance.choice((1, 5, 100, 101)))]
                return json.dumps(self._envelope(events), separators=COMPACT).encode()

    def _event(self) -> dict[str, Any]:
        """Return a golden event, of few patterns and repositories, so that they contradict and repeat each other."""
        told: dict[str, Any] = _golden(self._chance.choice([name for name in EVENTS if name != SNAPSHOT]))
        for name in ("fingerprint", "repository", "insight"):
            if name in told:
                told[name] = self._chance.choice("0123") * 32
        return told

    def _envelope(self, events: Sequence[Any]) -> dict[str, Any]:
        told: dict[str, Any] = _golden("envelope")
        told["data"] = {
            "epoch": self._chance.choice(EPOCHS),
            "first_seq": self._chance.choice((*SEQUENCES, self._chance.randrange(1, 10_000))),
            "events": list(events),
        }
        if self._chance.random() < 0.1:
            told["data"]["epoch"] = POSTED_EPOCH
            told["metadata"] = {"post": self._chance.choice(VALUES)}
        return told

    def _deep(self) -> bytes:
        deep = self._chance.choice((b"[", b'{"a":')) * DEEP
        return json.dumps(self._envelope(["deep"]), separators=COMPACT).encode().replace(b'"deep"', deep)


def _golden(name: str) -> Any:
    return json.loads(golden(name))


async def publish(client: Client, many: Sequence[Message]) -> list[Message]:
    """Publish at once; returns what the stream has taken, as it takes an id once."""
    jetstream = client.jetstream(timeout=30)
    sending = (jetstream.publish(one.subject, one.body, headers=one.headers or None) for one in many)
    return [one for one, told in zip(many, await asyncio.gather(*sending), strict=True) if not told.duplicate]


async def survives(central: Hub, client: Client, count: int, seed: int) -> None:
    """Send so many hostile messages, and honest ones between; everything is accounted for."""
    hostile, taken, honest = Hostile(seed), [], 0
    memory_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for start in range(0, count, AT_ONCE):
        many = [hostile.make() for _ in range(min(AT_ONCE, count - start))]
        for place in range(HONEST_EVERY, len(many), HONEST_EVERY):
            honest += 1
            many.insert(place, Message(subjects.learned(TOPIC, HONEST), envelope(honest, [event(honest)]), {}))
        taken += await publish(client, many)
    await central.reaches("SELECT wm FROM watermarks WHERE instance = 'honest'", honest, 120)
    await all_acknowledged(client)
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_kb) / 1024
    assert grown_mb < MEMORY_MB_MAX + sum(len(one.body) for one in taken) / 2**20, "beside what is kept to compare"
    assert await scalar(central.engine, _HONEST) == f"{honest} observations, {3 * honest} files"
    assert await scalar(central.engine, "SELECT count(*) FROM dead_letters WHERE instance = 'honest'") == 0
    assert not [one.body[:300] for one in await lost(central.engine, taken)]
    assert central.counted("dead_letters") > count // 4
    assert central.ingest.running


_HONEST: Final = """
    SELECT count(*) || ' observations, ' || sum(files) || ' files' FROM observations WHERE instance = 'honest'
"""


async def test_every_hostile_envelope_is_applied_or_a_dead_letter(
    own_nats: Callable[[], EmbeddedNats], database_url: str
) -> None:
    server = own_nats()
    async with hub(server.url, database_url) as central, plain_client(server.url) as client:
        await central.receives()
        await survives(central, client, ENVELOPES, 1)


@pytest.mark.chaos
async def test_every_one_of_ten_thousand_is(own_nats: Callable[[], EmbeddedNats], database_url: str) -> None:
    server = own_nats()
    async with hub(server.url, database_url) as central, plain_client(server.url) as client:
        await central.receives()
        await survives(central, client, ENVELOPES_CHAOS, 2)
