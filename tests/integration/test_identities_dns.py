"""A name that stands for servers that come and go."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest

from shared.bus import Bus
from shared.config import Settings, resolve
from shared.embedded.nats import EmbeddedNats
from shared.metrics import Metrics
from tests.support.lifecycle import started
from tests.support.wait import eventually

NAME = "nats.internal"
NOBODY = "127.0.0.9"
"""An address of this machine where no server is."""


class Names:
    """What the name stands for now, and how often it was looked up."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked = 0

    def look_up(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """Answer for the one name; leave the others to the system."""

        def getaddrinfo(host: str | bytes | None, *arguments: Any, **options: Any) -> Any:
            if host != NAME:
                return real(host, *arguments, **options)
            self.asked += 1
            return [found for address in self.addresses for found in real(address, *arguments, **options)]

        return getaddrinfo


def bus_by_name(server: EmbeddedNats) -> Bus:
    port = server.url.rpartition(":")[2]
    settings = resolve(Settings, "instance", environment={"DNS_CLUSTER_QUERY": NAME, "NATS_PORT": port}).settings
    return Bus(settings.nats_servers, client_name="ann", inbox_prefix="_INBOX.default.ann", metrics=Metrics())


async def test_it_tries_every_address_of_a_name(nats_server: EmbeddedNats, monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(NOBODY, "127.0.0.1")
    monkeypatch.setattr(socket, "getaddrinfo", names.look_up(socket.getaddrinfo))
    bus = bus_by_name(nats_server)
    async with started(bus):
        await asyncio.wait_for(bus.connected.wait(), 5)


async def test_it_looks_the_name_up_again(
    own_nats: Callable[[], EmbeddedNats], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, names = own_nats(), Names(NOBODY)
    monkeypatch.setattr(socket, "getaddrinfo", names.look_up(socket.getaddrinfo))
    bus = bus_by_name(server)
    async with started(bus):
        await eventually(lambda: names.asked > 1)
        assert not bus.connected.is_set()
        names.addresses = ("127.0.0.1",)
        await eventually(bus.connected.is_set, 5, what="connected where the name leads now")
        asked = names.asked
        assert server.child
        server.child.kill()
        await eventually(lambda: not bus.connected.is_set())
        await asyncio.to_thread(server.start)
        await eventually(bus.connected.is_set, 15)
        assert names.asked > asked
