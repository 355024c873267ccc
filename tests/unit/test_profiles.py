from __future__ import annotations

from pathlib import Path

import pytest

from mesh.front import Front
from mesh.plan import CENTRALCLOUD, Addresses, Instance, plan_daemons
from mesh.profiles import CLUSTER, PROFILES, SINGLE, STANDBY
from shared.config import Settings

ADDRESSES = Addresses(Path("/state"), "nats://a:1,nats://b:2,nats://c:3", lambda name: f"postgresql://me@db/{name}")


def test_one_hub_is_called_as_before_and_told_nothing_more() -> None:
    (hub,) = SINGLE.hubs
    assert (hub.name, hub.told) == (CENTRALCLOUD, {})
    assert list(PROFILES) == ["single", "cluster"]


def test_two_hubs_know_who_they_are_whatever_was_inherited() -> None:
    inherited = {"WORKER_ID": "mine", "FLOCKLORE_ORCHESTRATOR_ROLE": "standby", "FLOCKLORE_STREAM_REPLICAS": "1"}
    primary, standby, spoke = plan_daemons(
        [Instance("shop", Path("/shop"))], ADDRESSES, inherited, CLUSTER.hubs_with(3)
    )
    for plan, name, role in ((primary, CENTRALCLOUD, "primary"), (standby, STANDBY, "standby")):
        told = plan.environment
        assert plan.name == name
        assert plan.ready_file == Path(f"/state/run/{name}.ready")
        assert (told["WORKER_ID"], told["ORCHESTRATOR_ROLE"]) == (name, role)
        assert told["FLOCKLORE_STREAM_REPLICAS"] == "3"
        assert "FLOCKLORE_ORCHESTRATOR_ROLE" not in told
        assert told["DATABASE_URL"] == "postgresql://me@db/centralcloud"
        assert told["NATS_URL"] == "nats://a:1,nats://b:2,nats://c:3"
    assert spoke.name == "instance-shop"
    assert spoke.environment["WORKER_ID"] == "mine"


@pytest.mark.parametrize("asked", [None, 29_180])
def test_two_hubs_answer_on_two_ports_and_each_keeps_its_own(tmp_path: Path, asked: int | None) -> None:
    def choose() -> list[int]:
        return [Front(tmp_path, Settings(http_port=asked), place).choose() for place in range(2)]

    first, second = choose()
    assert first < second
    assert choose() == [first, second]
