from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.cli import COMMANDS
from mesh.discovery import installed_workspaces
from mesh.plan import (
    Addresses,
    Instance,
    Workspace,
    checkout_environment,
    directory_workspaces,
    name_instances,
    plan_daemons,
)
from mesh.shown import duration
from schemas.names import is_name
from shared.embedded.databases import url_of
from shared.errors import UsageError

STATE = Path("/state")
ADDRESSES = Addresses(STATE, "nats://here:4222", lambda name: f"postgresql://me@db/{name}")


def ids_of(*suggested: str, known: dict[str, str] | None = None) -> list[str]:
    workspaces = [Workspace(f"/{number}/{name}", name, Path("/")) for number, name in enumerate(suggested)]
    return [instance.instance_id for instance in name_instances(workspaces, known or {})[0]]


@pytest.mark.parametrize(
    ("directory", "expected"),
    [
        ("shop", "shop"),
        ("My Project", "my-project"),
        ("__init__", "init"),
        ("node_modules.v2", "node-modules-v2"),
        ("*", "workspace"),
        ("", "workspace"),
        ("Ünïcode", "n-code"),
        ("x" * 100, "x" * 48),
    ],
)
def test_an_instance_is_named_after_its_directory(directory: str, expected: str) -> None:
    assert ids_of(directory) == [expected]


def test_two_directories_of_one_name_are_two_instances() -> None:
    assert ids_of("shop", "shop", "Shop!") == ["shop", "shop-2", "shop-3"]


def test_a_directory_keeps_its_name_whatever_is_named_beside_it() -> None:
    first, second = (Workspace(f"/{parent}/shop", "shop", Path(f"/{parent}/shop")) for parent in "ab")
    _, known = name_instances([first, second], {})
    instances, after = name_instances([second], known)
    assert instances == [Instance("shop-2", Path("/b/shop"))]
    assert after == known
    assert [instance.instance_id for instance in name_instances([second, first], known)[0]] == ["shop-2", "shop"]


@given(st.lists(st.text(max_size=80), max_size=8))
def test_ids_are_valid_and_no_two_share_a_database(names: list[str]) -> None:
    workspaces = [Workspace(str(number), name, Path("/")) for number, name in enumerate(names)]
    instances, _ = name_instances(workspaces, {})
    assert all(is_name(instance.instance_id) for instance in instances)
    databases = {instance.database for instance in instances}
    assert len(databases) == len(names)
    assert all(len(name.encode()) <= 63 for name in databases)


def test_directories_count_once_and_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop").mkdir()
    (tmp_path / "link").symlink_to("shop")
    found = directory_workspaces([Path("shop"), tmp_path / "shop", Path("link")])
    assert found == [Workspace(str(tmp_path / "shop"), "shop", tmp_path / "shop")]


def test_a_directory_no_daemon_could_be_told_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot have ':' in its path"):
        directory_workspaces([tmp_path / "a:b"])


def test_each_daemon_finds_its_own_in_its_environment() -> None:
    inherited = {
        "PATH": "/bin",
        "INSTANCE_ID": "mine",
        "FLOCKLORE_INSTANCE_ID": "mine",
        "FLOCKLORE_DATABASE_URL": "postgresql://elsewhere/x",
        "DATABASE_URL_FILE": "/elsewhere/database.url",
        "FLOCKLORE_NATS_URL_FILE": "/elsewhere/nats.url",
        "NATS_HOST": "elsewhere",
        "FLOCKLORE_WORKSPACE": "/elsewhere",
        "FLOCKLORE_TENANT": "acme",
    }
    hub, spoke = plan_daemons([Instance("my-shop", Path("/shop"))], ADDRESSES, inherited)
    common = {
        "PATH": "/bin",
        "FLOCKLORE_TENANT": "acme",
        "FLOCKLORE_STATE_DIR": "/state",
        "FLOCKLORE_LOG_FORMAT": "json",
        "NATS_URL": "nats://here:4222",
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    }
    assert hub.name == "centralcloud"
    assert hub.command == (sys.executable, "-P", "-m", "centralcloud", "run")
    assert hub.environment == common | {
        "DATABASE_URL": "postgresql://me@db/centralcloud",
        "FLOCKLORE_READY_FILE": "/state/run/centralcloud.ready",
    }
    assert spoke.name == "instance-my-shop"
    assert spoke.command == (sys.executable, "-P", "-m", "instance", "run")
    assert spoke.studies == Path("/shop")
    assert spoke.environment == common | {
        "INSTANCE_ID": "my-shop",
        "DATABASE_URL": "postgresql://me@db/instance_my_shop",
        "FLOCKLORE_WORKSPACE": "/shop",
        "FLOCKLORE_READY_FILE": "/state/run/instance-my-shop.ready",
    }


def test_a_python_path_that_is_there_comes_first() -> None:
    ours = str(Path(__file__).resolve().parents[2])
    assert checkout_environment({"PYTHONPATH": f"/mine{os.pathsep}"})["PYTHONPATH"] == f"/mine{os.pathsep}{ours}"
    assert checkout_environment({"PYTHONPATH": ours})["PYTHONPATH"] == ours


def test_without_directories_there_is_something_to_study() -> None:
    standard, *libraries = installed_workspaces()
    assert standard == Workspace("python:stdlib", "stdlib", Path(sysconfig.get_path("stdlib")))
    assert len({library.key for library in libraries}) == 2
    for library in libraries:
        assert (library.directory / "__init__.py").exists()
        assert library.suggested not in ("pip", "setuptools", "numpy")  # installers, and what is hardly Python


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(None, ""), (0, "0s"), (59.9, "59s"), (60, "1m 0s"), (3599, "59m 59s"), (18_060, "5h 1m"), (187_200, "2d 4h")],
)
def test_durations_for_people(seconds: float | None, expected: str) -> None:
    assert duration(seconds) == expected


def test_a_database_of_an_embedded_server_survives_a_round_trip() -> None:
    assert url_of("postgresql://flocklore@/postgres?host=/s&port=5432", "hub").startswith(
        "postgresql://flocklore@/hub?"
    )


def test_every_command_has_a_summary() -> None:
    assert all(lazy.summary.endswith(".") and ":" in lazy.where for lazy in COMMANDS.values())
