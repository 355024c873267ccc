"""The connection to NATS, on servers that are killed, frozen and refuse."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from nats.aio.msg import Msg

from shared.bus import Bus
from shared.embedded.nats import EmbeddedNats
from shared.errors import TransientError, UnreachableError
from shared.metrics import Metrics
from shared.publisher import WindowPublisher
from tests.support.lifecycle import started, stress
from tests.support.wait import eventually

OwnNats = Callable[[], EmbeddedNats]


def bus_to(url: str) -> Bus:
    return Bus([url], client_name="test", inbox_prefix="_INBOX.test.one", metrics=Metrics())


async def test_it_starts_without_a_server_and_says_so() -> None:
    bus = bus_to("nats://127.0.0.1:9")
    async with started(bus):
        assert not await bus.hint("x", b"")
        with pytest.raises(UnreachableError, match="check NATS_URL"):
            await bus.request("x", b"")


async def test_requests_are_answered_and_nobody_there_is_told_from_silence(nats_server: EmbeddedNats) -> None:
    async def echo(message: Msg) -> None:
        await message.respond(message.data)

    async def mute(message: Msg) -> None:
        pass

    bus = bus_to(nats_server.url)
    bus.subscribe("test.echo", echo)
    bus.subscribe("test.mute", mute)
    async with started(bus):
        await asyncio.wait_for(bus.connected.wait(), 5)
        assert await bus.request("test.echo", b"hello") == b"hello"
        with pytest.raises(UnreachableError, match="nobody answers"):
            await bus.request("test.nobody", b"")
        with pytest.raises(UnreachableError, match=r"within 0.1 s"):
            await bus.request("test.mute", b"", timeout_seconds=0.1)


async def test_after_a_kill_it_comes_back_with_its_subscriptions(own_nats: OwnNats) -> None:
    server = own_nats()
    heard: list[bytes] = []

    async def hear(message: Msg) -> None:
        heard.append(message.data)

    bus = bus_to(server.url)
    bus.subscribe("test.word", hear)
    async with started(bus):
        await asyncio.wait_for(bus.connected.wait(), 5)
        _kill(server)
        await eventually(lambda: not bus.connected.is_set())
        await asyncio.to_thread(server.start)
        await eventually(bus.connected.is_set, 15)
        await bus.hint("test.word", b"again")
        await eventually(lambda: heard == [b"again"])


async def test_a_client_that_closed_for_good_is_replaced(nats_server: EmbeddedNats) -> None:
    bus = bus_to(nats_server.url)
    async with started(bus):
        await asyncio.wait_for(bus.connected.wait(), 5)
        first = bus.client
        await first.close()  # what an authorization violation does to it
        await eventually(lambda: bus.connected.is_set() and bus.client is not first)


async def test_publishes_in_flight_fail_at_once_when_the_server_dies(own_nats: OwnNats) -> None:
    server = own_nats()
    bus = bus_to(server.url)
    publisher = WindowPublisher(bus, window=50)
    async with started(bus):
        await asyncio.wait_for(bus.connected.wait(), 5)
        await bus.jetstream().add_stream(name="T", subjects=["t.*"])
        assert (await publisher.publish("t.a", b"1", {})).seq == 1
        await _freeze(server)
        flying = [asyncio.create_task(publisher.publish("t.a", b"x", {}, 60)) for _ in range(50)]
        await eventually(lambda: publisher.in_flight == 50)
        _kill(server)
        outcomes = await asyncio.wait_for(asyncio.gather(*flying, return_exceptions=True), 5)
        assert all(isinstance(outcome, UnreachableError) for outcome in outcomes)
        assert publisher.in_flight == 0


async def test_no_stream_a_refusal_and_a_frozen_server_are_told_apart(own_nats: OwnNats) -> None:
    server = own_nats()
    bus = bus_to(server.url)
    publisher = WindowPublisher(bus)
    async with started(bus):
        await asyncio.wait_for(bus.connected.wait(), 5)
        with pytest.raises(UnreachableError, match="no stream"):
            await publisher.publish("nowhere.a", b"1", {})
        await bus.jetstream().add_stream(name="T", subjects=["t.*"], max_msgs=1, discard="new")
        await publisher.publish("t.a", b"1", {})
        with pytest.raises(TransientError, match="maximum messages"):
            await publisher.publish("t.a", b"2", {})
        await _freeze(server)
        with pytest.raises(UnreachableError, match="timeout"):
            await publisher.publish("t.a", b"3", {}, 0.2)
        _signal(server, signal.SIGCONT)


async def test_its_lifecycle(nats_server: EmbeddedNats) -> None:
    await stress(bus_to(nats_server.url))


def _kill(server: EmbeddedNats) -> None:
    assert server.child is not None
    server.child.kill()


async def _freeze(server: EmbeddedNats) -> None:
    """Stop every thread of it: what the signal finds at work goes on for a moment."""
    _signal(server, signal.SIGSTOP)
    assert server.child is not None
    threads = Path(f"/proc/{server.child.pid}/task")

    def is_frozen() -> bool:
        states = [(one / "stat").read_text().rpartition(")")[2].split()[0] for one in threads.iterdir()]
        return set(states) == {"T"}

    await eventually(is_frozen, what="the server is frozen")


def _signal(server: EmbeddedNats, number: signal.Signals) -> None:
    assert server.child is not None
    os.kill(server.child.pid, number)
