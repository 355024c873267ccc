"""`flocklore up --profile cluster`: what leads is killed, and all arrives, once; no other profile is harmed."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from shared.embedded.nodes import NODES
from tests.chaos.verdict import judge
from tests.support.clustered import HUBS, INSTANCES, PARTS, Clustered, asking, longest_gap, offering
from tests.support.daemons import in_two_files
from tests.support.mesh import new_mesh
from tests.support.real_mesh import real_mesh, repository
from tests.support.servers import copied_postgres, scratch_directory

IDIOM = """
import contextlib
import os
import signal


def ask_to_stop(process):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(os.getpgid(process.pid), signal.SIGHUP)
"""
TEMPLATE = "os . killpg ( os . getpgid ( $1 . pid ) , signal . SIGHUP )"
HELD = "SELECT count(*) FROM insights WHERE state = 'active' AND body->>'template' = %s"
WHO = "SELECT concat_ws(' ', tenant, instance_id, (SELECT epoch FROM uplink)) FROM identity"


@pytest.fixture(scope="module")
def directories(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    work = tmp_path_factory.mktemp("work")
    return [repository(work / name, in_two_files(IDIOM)) for name in INSTANCES]


@pytest.fixture(scope="module")
def clustered(initialised: Path, directories: list[Path]) -> Iterator[Clustered]:
    with scratch_directory() as state, real_mesh(state, initialised) as mesh:
        done = mesh.run("up", "--profile", "cluster", "--detach", *directories)
        assert done.returncode == 0, done.stderr
        yield Clustered(mesh)
        mesh.run("down")


async def test_three_servers_hold_what_two_hubs_share(clustered: Clustered) -> None:
    mesh = clustered.mesh
    found = mesh.ask("status")
    assert found["ready"] is True
    assert [part["name"] for part in found["parts"]] == list(PARTS)
    hubs = [part["address"] for part in found["parts"] if part["name"] in HUBS]
    assert found["dashboard"] == hubs[0] == mesh.ask("open")["url"]
    assert [await asyncio.to_thread(_health, url) for url in hubs] == [200, 200]
    where = await clustered.in_step()
    names = {peer.name for peer in where.replicas or []} | {where.leader}
    assert len(names) == len(NODES)
    assert (await clustered.leader())[0] in HUBS
    for name in INSTANCES:
        mesh.reaches(f"instance_{name}", HELD, TEMPLATE)
    assert mesh.ask("centralcloud", "statistics")["active_instances"] == len(INSTANCES)


async def test_what_leads_is_killed_and_everything_arrives_once(clustered: Clustered) -> None:
    where = await clustered.in_step()
    hub, epoch = await clustered.leader()
    async with (
        offering(clustered, seed=1) as offered,
        asking([clustered.part(node).address or "" for node in NODES]) as asked,
    ):
        await clustered.heard_from_all(time.time())
        killed_at = time.time()
        ended = [clustered.send(name, signal.SIGKILL) for name in (_node(where.leader), hub)]
        for before in ended:
            await clustered.back(before)
        await clustered.heard_from_all(time.time())
        over = time.time()
    assert offered.events > 0
    await clustered.settled()
    verdict = judge(clustered.hub_url, clustered.databases)
    assert (verdict.lost, verdict.double) == (0, 0)
    assert verdict.standing > 0
    assert (await clustered.leader(epoch))[1] > epoch
    assert longest_gap(clustered.commits(), killed_at, over) < 30
    assert longest_gap(asked.answered, killed_at, over) < 10


async def test_the_other_profile_goes_on_with_the_same_data(clustered: Clustered, directories: list[Path]) -> None:
    mesh = clustered.mesh
    before = [mesh.value(f"instance_{name}", WHO) for name in INSTANCES]
    assert mesh.ask("down")["stopped"] is True
    assert mesh.all_gone()
    done = await asyncio.to_thread(mesh.run, "up", "--detach", *directories)
    assert done.returncode == 0, done.stderr
    async with offering(clustered, seed=2):
        await clustered.heard_from_all(time.time())
    await clustered.settled()
    verdict = judge(clustered.hub_url, clustered.databases)
    assert (verdict.lost, verdict.double) == (0, 0)
    assert [mesh.value(f"instance_{name}", WHO) for name in INSTANCES] == before


def test_a_standby_stops_before_its_primary_and_the_servers_last(
    scratch: Path, initialised: Path, tmp_path: Path
) -> None:
    (tmp_path / "shop").mkdir()
    with new_mesh(scratch) as mesh:
        copied_postgres(initialised, scratch / "postgres")
        with mesh.up("--profile", "cluster", tmp_path / "shop") as process:
            again = mesh.run("up", "--profile", "single", tmp_path / "shop")
            assert again.returncode == 3
            assert "nats-1, nats-2, nats-3, centralcloud, centralcloud-standby, instance-shop" in again.stderr
            assert mesh.run("down").returncode == 0
            assert process.wait(1) == 0
        assert mesh.all_gone()
        stopped = (scratch / "stopped").read_text().splitlines()
    assert stopped == [f"{name} with servers" for name in ("shop", "centralcloud-standby", "centralcloud")]


def _health(url: str) -> int:
    with urlopen(f"{url}/health") as answer:  # noqa: S310 - of our own
        return int(answer.status)


def _node(server: str | None) -> str:
    """The part that is this server."""
    assert server is not None
    return NODES[int(server.rpartition("-")[2]) - 1]
