"""Several nats-servers of this machine's own that are one cluster, and which servers of ours run at all."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from shared.embedded.broker import Reach
from shared.embedded.nats import EmbeddedNats
from shared.embedded.ports import LOOPBACK, free_port

ALONE: Final = "nats"
"""The server that is none of a cluster, and its directory in the state directory."""

NODES: Final = ("nats-1", "nats-2", "nats-3")
"""The servers of a cluster, and their directories."""

ROUTE_PORT: Final = 6222
_FILE: Final = "nats-cluster.json"


class _Cluster(Struct, frozen=True):
    """What must not change: servers that are called otherwise would be others to the streams they keep together."""

    name: str
    route_ports: tuple[int, ...] = ()


def cluster(state: Path, log: Callable[[str], Path], *, port: int) -> list[EmbeddedNats]:
    """The servers of the cluster in this state directory, not started; clients find them at `port` and above.

    Only this machine reaches them. Their name is kept, and so are the ports they find each other at, where these are
    still free.
    """
    known = _known(state / _FILE)
    routes = [f"nats://{LOOPBACK}:{route}" for route in known.route_ports]
    return [
        EmbeddedNats(
            state / node,
            port=port + place,
            log=log(node),
            name=f"{known.name}-{place + 1}",
            reach=Reach(
                cluster={"name": known.name, "listen": f"{LOOPBACK}:{own}", "routes": routes}, disk_sharers=len(NODES)
            ),
        )
        for place, (node, own) in enumerate(zip(NODES, known.route_ports, strict=True))
    ]


def running_servers(state: Path) -> list[EmbeddedNats]:
    """The servers of this state directory that run, whoever started them."""
    servers = (EmbeddedNats(state / name) for name in (ALONE, *NODES))
    return [server for server in servers if server.running()]


def running_urls(state: Path) -> list[str]:
    """Where those servers are."""
    return [server.url for server in running_servers(state)]


def _known(path: Path) -> _Cluster:
    """What the cluster is called and where its servers find each other, written down before they start."""
    try:
        before = msgspec.json.decode(path.read_bytes(), type=_Cluster)
    except FileNotFoundError:
        before = _Cluster(f"flocklore-{secrets.token_hex(6)}")
    known = _Cluster(before.name, tuple(_free_ports(before.route_ports or range(ROUTE_PORT, ROUTE_PORT + len(NODES)))))
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.write_text(json.dumps(msgspec.to_builtins(known)) + "\n", encoding="ascii")
    unfinished.replace(path)
    return known


def _free_ports(preferred: Sequence[int]) -> list[int]:
    """These ports, or the next that are free; no two the same."""
    chosen: list[int] = []
    for port in preferred:
        chosen.append(free_port(max([port, *(taken + 1 for taken in chosen)])))
    return chosen
