"""How fast events leave an instance: in envelopes, as the relay sends them, against one message for each event.

Every message that is acknowledged is on the disk (`sync_interval: always`). `publish` sends events that are ready, the
relay takes them out of the outbox of a real database. The limit is what the client alone can send without JetStream.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from bench.events import SENDER, SOURCE, envelopes, numbered
from bench.report import interleaved, print_expectation, print_machine, print_rates, ratio
from bench.servers import nats_server, spoke_database
from centralcloud.ingest.stream import reconcile
from instance.config import InstanceSettings
from instance.speaker import enrol
from instance.store import outbox
from instance.store.identity import Identity
from instance.sync.uplink import Uplink
from schemas import headers, subjects
from schemas.codec import decode
from schemas.envelope import Envelope
from shared.bus import Bus, settled
from shared.database import transaction
from shared.lease import Lease
from shared.metrics import Metrics
from shared.publisher import WindowPublisher
from tests.support.lifecycle import started
from tests.support.patterns import TOPIC
from tests.support.wait import eventually

ROUNDS: Final = 5
EVENTS: Final = 10_000
SINGLE_EVENTS: Final = 1000
SINGLE_WINDOW: Final = 64
RATIO_MIN: Final = 10.0
SINGLE: Final = "one JetStream message per event, window of 64"
PUBLISH: Final = "envelopes of 100 events, publish"
RELAY: Final = "envelopes of 100 events, relay from the outbox"
PUBLISH_SECONDS: Final = 60.0
_EVENTS: Final = numbered(range(EVENTS))


def main() -> None:
    """Print the table."""
    asyncio.run(_main())


async def _main() -> None:
    print_machine()
    async with spoke_database() as engine, _sender(engine) as sender:
        rounds = await interleaved(
            ROUNDS,
            {
                SINGLE: sender.publish_singles,
                PUBLISH: sender.publish_envelopes,
                RELAY: sender.relay,
                "limit: core NATS, one message per event": sender.core_singles,
                "limit: core NATS, envelopes of 100 events": sender.core_envelopes,
            },
        )
    print_rates(rounds, "events/s", dict.fromkeys(rounds, SINGLE))
    for name in (PUBLISH, RELAY):
        found = ratio(rounds, name, SINGLE)
        print_expectation(f"{name}: {found:.1f} times single messages, expected >= {RATIO_MIN}", met=found >= RATIO_MIN)


@asynccontextmanager
async def _sender(engine: AsyncEngine) -> AsyncIterator[Sender]:
    with nats_server() as server:
        metrics = Metrics()
        bus = Bus([server.url], client_name="bench", inbox_prefix=subjects.inbox_prefix(SENDER), metrics=metrics)
        singles, publisher = WindowPublisher(bus, window=SINGLE_WINDOW), WindowPublisher(bus)
        identity = await enrol(engine, InstanceSettings(instance_id=SENDER.instance, nats_url=server.url))
        lease = Lease(engine, "instance", holder="bench")
        async with started(lease, bus):
            await asyncio.wait_for(bus.connected.wait(), 10)
            await reconcile(bus.jetstream(), replicas=1)
            yield Sender(engine, bus, lease, identity, metrics, singles, publisher)


@dataclass
class Sender:
    """An instance with events to send; every measurement checks what has arrived, and returns events per second."""

    engine: AsyncEngine
    bus: Bus
    lease: Lease
    identity: Identity
    metrics: Metrics
    singles: WindowPublisher
    publisher: WindowPublisher

    async def publish_singles(self) -> float:
        """Each event is one message with an id of its own."""
        epoch = outbox.next_epoch()
        started_at = time.perf_counter()
        await asyncio.gather(
            *(self._publish(self.singles, f"{epoch}.{event.seq}", event.body) for event in _EVENTS[:SINGLE_EVENTS])
        )
        seconds = time.perf_counter() - started_at
        await self._arrived(messages=SINGLE_EVENTS)
        return SINGLE_EVENTS / seconds

    async def publish_envelopes(self) -> float:
        """Pack and publish as the relay does, without its database."""
        epoch = outbox.next_epoch()
        started_at = time.perf_counter()
        await asyncio.gather(
            *(
                self._publish(self.publisher, parcel.message_id(SENDER.instance, epoch), envelope)
                for parcel, envelope in envelopes(_EVENTS)
            )
        )
        seconds = time.perf_counter() - started_at
        await self._envelopes_arrived()
        return EVENTS / seconds

    async def relay(self) -> float:
        """From committed rows of the outbox to acknowledged envelopes, by the service itself."""
        async with transaction(self.engine) as connection:
            await outbox.append(connection, [(event.topic, event.body) for event in _EVENTS])
        before = self._sent()
        uplink = Uplink(self.engine, self.bus, self.lease, self.identity, SOURCE, self.metrics)
        uplink.admitted.set()
        started_at = time.perf_counter()
        async with started(uplink):
            await eventually(lambda: self._sent() == before + EVENTS, timeout_seconds=60, what="everything sent")
            seconds = time.perf_counter() - started_at
        await self._envelopes_arrived()
        async with transaction(self.engine) as connection:
            standing = await outbox.get(connection)
            assert await outbox.confirm(connection, standing.epoch, standing.head) == EVENTS
            await outbox.prune(connection, standing.head)
        return EVENTS / seconds

    async def core_singles(self) -> float:
        """Each event is one message nobody keeps."""
        return await self._core([event.body for event in _EVENTS])

    async def core_envelopes(self) -> float:
        """The same bytes in envelopes, packed beforehand."""
        return await self._core([envelope for _, envelope in envelopes(_EVENTS)])

    async def _core(self, payloads: list[bytes]) -> float:
        client = self.bus.client
        sent_before = client.stats["out_msgs"]
        started_at = time.perf_counter()
        for payload in payloads:
            await client.publish("bench.core", payload)
        await settled(client)
        seconds = time.perf_counter() - started_at
        assert client.stats["out_msgs"] == sent_before + len(payloads)
        return EVENTS / seconds

    async def _publish(self, publisher: WindowPublisher, message_id: str, payload: bytes) -> None:
        message_headers = {headers.MESSAGE_ID: message_id, headers.EXPECTED_STREAM: subjects.STREAM}
        await publisher.publish(subjects.learned(TOPIC, SENDER), payload, message_headers, PUBLISH_SECONDS)

    def _sent(self) -> int:
        return int(self.metrics.registry.get_sample_value("flocklore_events_sent_total") or 0)

    async def _envelopes_arrived(self) -> None:
        """Raise `AssertionError` unless the stream holds every event once, and empty it."""
        jetstream = self.bus.jetstream()
        state = (await jetstream.stream_info(subjects.STREAM)).state
        arrived = [
            bytes(event)
            for seq in range(state.first_seq, state.last_seq + 1)
            for event in decode((await jetstream.get_msg(subjects.STREAM, seq)).data or b"", Envelope).data.events
        ]
        assert sorted(arrived) == sorted(event.body for event in _EVENTS)
        await jetstream.purge_stream(subjects.STREAM)

    async def _arrived(self, messages: int) -> None:
        """Raise `AssertionError` unless the stream holds so many messages, and empty it."""
        jetstream = self.bus.jetstream()
        assert (await jetstream.stream_info(subjects.STREAM)).state.messages == messages
        await jetstream.purge_stream(subjects.STREAM)
