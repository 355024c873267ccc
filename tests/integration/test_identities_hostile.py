"""What somebody with credentials may still try: bytes that deafen, and questions whose answers hit others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from nats.aio.msg import Msg
from nats.js.api import StorageType

from shared.bus import Bus, settled
from shared.embedded.nats import EmbeddedNats
from shared.metrics import Metrics
from tests.support.lifecycle import started
from tests.support.wait import eventually
from tests.support.wire import plain_client


def with_headers(headers: bytes) -> bytes:
    """The bytes of a message with this in the place of headers."""
    return b"HPUB hostile.a %d %d\r\n%bx\r\n" % (len(headers), len(headers) + 1, headers)


HEADERS = [
    b"NATS/1.0 \xff\r\n\r\n",
    b"NATS/1.0 503 \xff\r\n\r\n",
    b"NATS/1.0 503\r\n\xff:\xff\r\n\r\n",
    b"NATS/1.0\r\n\xff:\xff\r\n\r\n",
    b"NATS/1.0",
    b"\xff\xff\xff",
    b"NATS/1.0 404 No Messages\r\n\r\n",
    b"NATS/1.0\r\nStatus: 503\r\n\r\n",
    b"NATS/1.0\r\nstatus: 408\r\nDescription: Request Timeout\r\n\r\n",
]
SUBJECTS = [b"PUB hostile.a \xff\xfe 1\r\nx\r\n", b"PUB hostile.\xff 1\r\nx\r\n"]
"""What nats-server passes on, and keeps."""


@asynccontextmanager
async def listening(url: str, heard: list[bytes], *, answer: bytes = b"") -> AsyncIterator[Bus]:
    """A bus that hears everything below `hostile.`, and answers if it is to."""

    async def hear(message: Msg) -> None:
        heard.append(message.data)
        if answer and message.reply:
            await message.respond(answer)

    bus = Bus([url], client_name="hub", inbox_prefix="_INBOX.centralcloud.hostile", metrics=Metrics())
    bus.subscribe("hostile.*", hear)
    async with started(bus):
        await asyncio.wait_for(bus.connected.wait(), 5)
        yield bus


async def say(url: str, *words: bytes) -> None:
    """Say this to the server byte for byte, and wait until it has read it."""
    host, _, port = url.removeprefix("nats://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b'CONNECT {"verbose":false,"headers":true}\r\n' + b"".join(words) + b"PING\r\n")
    while (line := await reader.readline()) != b"PONG\r\n":
        assert line.startswith(b"INFO"), line
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("garbage", [*SUBJECTS, *map(with_headers, HEADERS)])
async def test_no_bytes_deafen_who_listens(nats_server: EmbeddedNats, garbage: bytes) -> None:
    heard: list[bytes] = []
    async with listening(nats_server.url, heard) as bus:
        client = bus.client
        await say(nats_server.url, garbage, b"PUB hostile.a 4\r\nwell\r\n")
        await eventually(lambda: b"well" in heard, 5, what="what came after it is heard")
        assert bus.client is client
        await settled(client)


@pytest.mark.parametrize("garbage", [*map(with_headers, HEADERS)])
async def test_no_bytes_in_a_stream_stop_who_fetches(nats_server: EmbeddedNats, garbage: bytes) -> None:
    async with listening(nats_server.url, []) as bus:
        jetstream = bus.jetstream()
        await jetstream.add_stream(name="HOSTILE", subjects=["hostile.*"], storage=StorageType.MEMORY)
        try:
            await say(nats_server.url, garbage, b"PUB hostile.a 4\r\nwell\r\n")
            subscription = await jetstream.pull_subscribe("hostile.*", durable="hub")
            fetched = [message.data for message in await subscription.fetch(2, timeout=5)]
            assert fetched[-1] == b"well"
            assert len(fetched) == 2
        finally:
            await jetstream.delete_stream("HOSTILE")


async def test_nobody_has_us_speak_to_others(nats_server: EmbeddedNats) -> None:
    heard: list[bytes] = []
    async with listening(nats_server.url, heard, answer=b"yes"), plain_client(nats_server.url) as client:
        others = await client.subscribe("intelligence.receipt.default.hostile")
        mine = await client.subscribe("_INBOX.default.hostile.1")
        await settled(client)
        await client.publish("hostile.a", b"sly", reply="intelligence.receipt.default.hostile")
        await client.publish("hostile.a", b"fair", reply="_INBOX.default.hostile.1")
        assert (await mine.next_msg(timeout=5)).data == b"yes"
        await settled(client)
        assert heard == [b"fair"]
        assert others.pending_msgs == 0
