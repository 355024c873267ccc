"""One instance or a thousand: the hub counts each of them once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import nats
from msgspec import Raw

from centralcloud.aggregate import aggregate
from centralcloud.store import insights
from instance.store.outbox import event_identity, next_epoch
from schemas import subjects
from schemas.codec import encode
from schemas.envelope import Batch, Envelope, Source
from schemas.events import CodePatternLearned
from schemas.fingerprint import fingerprint
from schemas.subjects import Sender
from shared.bus import settled
from shared.database import transaction
from shared.embedded.nats import EmbeddedNats
from tests.support.fleet import hub
from tests.support.wait import eventually

INSTANCES = 1000
TEMPLATE = "$1 = logging . getLogger ( __name__ )"


def envelope(number: int) -> bytes:
    """Instance `number` says what it found in its own repository."""
    event = CodePatternLearned(
        **event_identity(),
        fingerprint=fingerprint("python", "statement", TEMPLATE).hex(),
        repository=f"{number:032x}",
        version=1,
        files=2,
        occurrences=3,
        language="python",
        view="statement",
        template=TEMPLATE,
    )
    batch = Batch(epoch=next_epoch(), first_seq=1, events=(Raw(encode(event)),))
    return encode(Envelope(timestamp=datetime.now(UTC), source=Source(instance_id=f"sim-{number}"), data=batch))


async def test_a_thousand_instances_are_a_thousand_votes(
    own_nats: Callable[[], EmbeddedNats], make_database: Callable[[], str]
) -> None:
    server = own_nats()
    async with hub(server.url, make_database()) as central:
        await asyncio.wait_for(central.bus.connected.wait(), 10)
        client = await nats.connect(server.url)
        await eventually(lambda: client.jetstream().streams_info(), what="the stream is made")
        for number in range(INSTANCES):
            subject = subjects.learned(CodePatternLearned.topic, Sender("default", f"sim-{number}"))
            await client.publish(subject, envelope(number))
        await settled(client)
        await client.close()
        await central.reaches("SELECT count(DISTINCT instance) FROM observations", INSTANCES, 30)
        assert (await aggregate(central.engine, "default")).changed == 1
        async with transaction(central.engine) as connection:
            page = await insights.changed_since(connection, "default", since=0, head=1, limit=10)
    (insight,) = page
    assert (insight.instances, insight.repositories, insight.files) == (INSTANCES, INSTANCES, 2 * INSTANCES)
    assert insight.rate == 1.0
    assert insight.confidence > 0.99
