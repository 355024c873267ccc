from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.embedded.nodes import NODES, cluster, running_urls

KNOWN = "nats-cluster.json"


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield int(listening.getsockname()[1])


def kept(state: Path) -> dict[str, object]:
    """What is known of the cluster, after it was to be started."""
    servers = cluster(state, lambda node: state / f"{node}.log", port=4222)
    assert [server.directory for server in servers] == [state / node for node in NODES]
    return dict(json.loads((state / KNOWN).read_bytes()))


def test_a_cluster_is_who_it_was_wherever_it_is_moved(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    known = kept(here)
    here.rename(there)
    assert kept(there) == known


def test_two_clusters_are_not_called_the_same(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    assert kept(tmp_path / "one")["name"] != kept(tmp_path / "two")["name"]


def test_a_route_that_is_taken_is_passed_over_and_no_two_are_the_same(tmp_path: Path, taken: int) -> None:
    (tmp_path / KNOWN).write_text(json.dumps({"name": "flock", "route_ports": [taken, taken + 1, taken + 1]}))
    known = kept(tmp_path)
    ports = known["route_ports"]
    assert known["name"] == "flock"
    assert isinstance(ports, list)
    assert taken not in ports
    assert ports == sorted(set(ports))


def test_where_nothing_was_started_nothing_runs(tmp_path: Path) -> None:
    assert running_urls(tmp_path) == []
