from __future__ import annotations

from pathlib import Path

import pytest

from mesh.front import Chosen, Front
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


def fronts(state: Path, asked: int | None = None) -> tuple[Front, Front]:
    """Of a primary and its standby."""
    chosen = Chosen()
    return Front(state, Settings(http_port=asked), chosen), Front(state, Settings(http_port=asked), chosen, place=1)


@pytest.mark.parametrize("asked", [None, 0, 29_180])
def test_two_hubs_answer_on_two_ports(tmp_path: Path, asked: int | None) -> None:
    primary, standby = fronts(tmp_path, asked)
    assert (primary.url, standby.url) == (None, None)
    assert primary.choose() != standby.choose()
    assert primary.url != standby.url


def test_each_of_two_hubs_keeps_its_port_unless_the_other_has_it(tmp_path: Path) -> None:
    before = [front.choose() for front in fronts(tmp_path)]
    assert [front.choose() for front in fronts(tmp_path)] == before
    (tmp_path / "http-standby.json").write_bytes((tmp_path / "http.json").read_bytes())
    primary, standby = fronts(tmp_path)
    assert standby.choose() == before[0]
    assert primary.choose() > before[0]
    assert standby.choose() == before[0]
