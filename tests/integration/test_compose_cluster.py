"""The profile `cluster` of compose.yaml: three servers of NATS on the secrets of one first step."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from schemas.subjects import Sender
from shared.embedded.broker import nats_server_program
from shared.embedded.children import Child
from shared.embedded.ports import LOOPBACK
from tests.support.composed import CLIENTS, MONITOR, ROUTES, Composed, address, passport, provisioned
from tests.support.http import exchange
from tests.support.identities import connected
from tests.support.wait import eventually_sync

SERVERS: Final = ("nats", "nats-2", "nats-3")
ANN: Final = "dev-laptop-1"


@pytest.fixture(scope="module")
def clustered() -> Iterator[Composed]:
    with provisioned(NATS_CONFIGURATION="nats-cluster.conf") as composed:
        for server in SERVERS:
            composed.start_nats(server)
        eventually_sync(lambda: leaders(composed) & {*SERVERS}, 30, "a cluster with a leader")
        yield composed


def test_three_become_one(clustered: Composed) -> None:
    for server in SERVERS:
        clustered.healthy(server)
        routes = asked(clustered, server, "/routez")["routes"]
        assert {route["remote_name"] for route in routes} == {*SERVERS} - {server}
        assert asked(clustered, server, "/varz")["cluster"]["tls_required"]
    assert len(leaders(clustered)) == 1, "all have the same"


async def test_each_of_them_knows_who_is_who(clustered: Composed) -> None:
    shown, ann = passport(clustered, ANN), Sender("default", ANN)
    for server in SERVERS:
        url = f"tls://{address(clustered, server, CLIENTS)}"
        async with connected(shown, url, ann) as client:
            assert [found.netloc for found in client.servers] == [address(clustered, server, CLIENTS)], "none is told"
        with pytest.raises(AssertionError, match="let in not met"):
            async with connected(shown._replace(credentials=None), url, ann, patience_seconds=0.2):
                pass


def test_a_certificate_alone_makes_nobody_a_server(clustered: Composed, tmp_path: Path) -> None:
    """Whoever was one could say everything."""
    secrets = clustered.file.volume("secrets-nats")
    tls = {"cert_file": "server.pem", "key_file": "server.key", "ca_file": "ca.pem"}
    stranger = {
        "server_name": "stranger",
        "listen": f"{LOOPBACK}:-1",
        "cluster": {
            "name": "flocklore",
            "listen": f"{LOOPBACK}:-1",
            "routes": [f"nats://route:x@{address(clustered, 'nats', ROUTES)}"],
            "tls": {name: str(secrets / file) for name, file in tls.items()},
        },
    }
    configuration, log = tmp_path / "stranger.conf", tmp_path / "log"
    configuration.write_text(json.dumps(stranger), encoding="utf-8")
    command = [str(nats_server_program()), "-c", str(configuration)]
    child = Child.spawn(command, log=log, environment={"PATH": os.defpath})
    try:
        eventually_sync(lambda: "Authorization Violation" in log.read_text(encoding="utf-8"), what="refused")
        neighbours = asked(clustered, "nats", "/routez")["routes"]
        assert {route["remote_name"] for route in neighbours} == {"nats-2", "nats-3"}
    finally:
        child.kill()


def asked(composed: Composed, server: str, path: str) -> Any:
    """What a server tells of itself."""
    return exchange(composed.file.port(server, MONITOR), "GET", path, b"", {}).document


def leaders(composed: Composed) -> set[str]:
    """Who leads, according to each; empty while one knows of none."""
    found = [asked(composed, server, "/jsz").get("meta_cluster", {}).get("leader", "") for server in SERVERS]
    return set(found) if all(found) else set()
