"""What one connection may take of the server, by either way of knowing who is who."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from nats.aio.msg import Msg

from mesh.identities.configuration import PAYLOAD_BYTES_MAX, SUBSCRIPTIONS_MAX
from schemas.subjects import Sender, heartbeat, inbox_prefix
from tests.support.identities import guarded
from tests.support.wait import eventually

BOTH = pytest.mark.parametrize("operator", [False, True], ids=["listed", "signed"])


async def nothing(_message: Msg) -> None:
    """What is heard does not matter here."""


@BOTH
async def test_a_client_has_only_so_many_subscriptions(tmp_path: Path, *, operator: bool) -> None:
    with guarded(tmp_path, operator=operator) as server:
        ann, bob = [await asyncio.to_thread(server.add, name) for name in ("ann", "bob")]
        async with server.client(ann) as greedy, server.client(bob) as other:
            inbox = inbox_prefix(Sender("default", "ann"))
            for number in range(SUBSCRIPTIONS_MAX):
                await greedy.subscribe(f"{inbox}.{number}", cb=nothing)
            await greedy.flush()
            assert greedy.is_connected
            await greedy.subscribe(f"{inbox}.one-more", cb=nothing)
            await eventually(lambda: not greedy.is_connected, what="disconnected")
            assert "maximum subscriptions exceeded" in server.log.read_text()
            await other.flush()


@BOTH
async def test_a_message_has_only_so_many_bytes(tmp_path: Path, *, operator: bool) -> None:
    with guarded(tmp_path, operator=operator) as server:
        ann = await asyncio.to_thread(server.add, "ann")
        async with server.client(ann) as client:
            assert client.max_payload == PAYLOAD_BYTES_MAX
            await client.publish(heartbeat(Sender("default", "ann")), b"x" * PAYLOAD_BYTES_MAX)
            await asyncio.wait_for(client.flush(), 5)
