"""The stream and its consumer, made and repaired where a server has little room, or another hub is at it, too."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import nats.errors
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext, api
from nats.js.errors import BadRequestError

from centralcloud.ingest import stream
from schemas import subjects
from shared.embedded import broker
from shared.embedded.nats import EmbeddedNats
from shared.embedded.nodes import cluster
from tests.support.wait import eventually
from tests.support.wire import envelope, event, plain_client, send

GIBIBYTE = 1024**3


class Between(JetStreamContext):
    """Has something happen between a look at the stream and one at its consumer."""

    def __init__(self, client: Client, happen: Callable[[], Any]) -> None:
        super().__init__(client, timeout=5)
        self._happen = happen

    async def consumer_info(self, *arguments: Any, **named: Any) -> api.ConsumerInfo:
        """Look, after it has happened."""
        await self._happen()
        found: api.ConsumerInfo = await super().consumer_info(*arguments, **named)
        return found


@pytest.fixture
async def client(own_nats: Callable[[], EmbeddedNats]) -> AsyncIterator[Client]:
    async with plain_client(own_nats().url) as client:
        yield client


async def test_where_a_cluster_has_little_room_the_stream_is_smaller(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "STORE_BYTES_MAX", GIBIBYTE)
    with ExitStack() as stack:
        servers = cluster(scratch, lambda node: scratch / f"{node}.log", port=27_222)
        for server in servers:
            server.start()
            stack.callback(server.stop)
        async with plain_client(servers[0].url) as client:
            jetstream = client.jetstream(timeout=5)

            async def made() -> api.StreamConfig | None:
                with suppress(nats.errors.Error, TimeoutError):
                    await stream.reconcile(jetstream, replicas=3)
                    return (await jetstream.stream_info(subjects.STREAM)).config
                return None

            config = await eventually(made, 30, "a stream")
            assert config is not None
            assert config.num_replicas == 3
            assert GIBIBYTE // 2 <= (config.max_bytes or 0) <= GIBIBYTE
            monkeypatch.setattr(stream, "BYTES_MIN", GIBIBYTE)
            await jetstream.delete_stream(subjects.STREAM)
            with pytest.raises(BadRequestError, match="insufficient storage"):
                await stream.reconcile(jetstream, replicas=3)


async def test_more_replicas_than_servers_do_not_stop_a_stream_that_is_there(client: Client) -> None:
    jetstream = client.jetstream()
    await stream.reconcile(jetstream, replicas=1)
    await stream.reconcile(jetstream, replicas=3)
    assert (await jetstream.stream_info(subjects.STREAM)).config.num_replicas == 1


async def test_what_another_hub_fetches_meanwhile_is_no_reason_to_begin_anew(client: Client) -> None:
    jetstream = client.jetstream()
    await stream.reconcile(jetstream, replicas=1)
    before = await jetstream.consumer_info(subjects.STREAM, stream.CONSUMER)

    async def another_hub_fetches() -> None:
        await send(client, envelope(1, [event(1)]))
        fetching = await jetstream.pull_subscribe_bind(stream.CONSUMER, stream=subjects.STREAM)
        assert len(await fetching.fetch(1, timeout=5)) == 1

    await stream.reconcile(Between(client, another_hub_fetches), replicas=1)
    after = await jetstream.consumer_info(subjects.STREAM, stream.CONSUMER)
    assert after.created == before.created
    assert after.num_ack_pending == 1
