from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
from ruamel.yaml import YAML

from schemas.names import is_name
from shared.embedded.attach import database_name
from tests.contract.test_docs import parse
from tests.support.processes import REPOSITORY

COMPOSE = REPOSITORY / "compose.yaml"
NATS = {"nats", "nats-2", "nats-3"}
CENTRALCLOUD = {"centralcloud", "centralcloud-standby"}
INSTANCES = {"dev-laptop-1", "ci-runner-1", "gpu-trainer-1"}
CONFIGURATION = "${NATS_CONFIGURATION:-nats.conf}"
"""How compose.yaml names the configuration of the first server: another one in a cluster."""


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = YAML(typ="safe").load(COMPOSE)
    return document


def test_it_follows_the_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_every_name_that_is_used_is_declared(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert services.keys() == {*NATS, "postgres", *CENTRALCLOUD, *INSTANCES}
    for service in services.values():
        assert service.get("depends_on", {}).keys() <= services.keys()
        assert set(service["networks"]) <= compose["networks"].keys()
        for volume in service.get("volumes", []):
            source = volume.replace(CONFIGURATION, "nats.conf").partition(":")[0] if not volume.startswith("$") else ""
            assert not source or source in compose["volumes"] or (REPOSITORY / source).is_file(), volume
    assert all(
        "healthcheck" in services[name] for service in services.values() for name in service.get("depends_on", {})
    )


def test_images_are_pinned_and_secrets_are_not_in_the_file(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert re.search(r":\d+\.\d+\.\d+|:\d+\.\d+-", service["image"]), service["image"]
    dockerfile = (REPOSITORY / "deploy/Dockerfile").read_text(encoding="utf-8")
    assert all(re.search(r":\d+\.\d+\.\d+-", base) for base in re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE))
    text = COMPOSE.read_text(encoding="utf-8")
    assert all(value.startswith("${") for value in re.findall(r"PASSWORD: (\S+)", text))
    assert all(value.startswith("${") for value in re.findall(r"//\w+:([^@]+)@", text))
    assert all(value.startswith("${") for value in re.findall(r"TOKEN: (\S+)", text))


def test_each_daemon_is_a_command_and_has_a_database_of_its_own(compose: dict[str, Any]) -> None:
    made = re.findall(r"CREATE DATABASE (\w+);", (REPOSITORY / "deploy/postgres.sql").read_text(encoding="utf-8"))
    used = []
    for name in ("centralcloud", "centralcloud-standby", *sorted(INSTANCES)):
        service = compose["services"][name]
        parse([word if word != "/code" else str(REPOSITORY) for word in service["command"]])
        used.append(service["environment"]["DATABASE_URL"].rsplit("/", 1)[1])
        if name in INSTANCES:
            assert is_name(name)
            assert service["environment"]["INSTANCE_ID"] == name
            assert used[-1] == f"instance_{database_name(name)}"
    assert sorted(set(used)) == sorted(made)
    assert len(used) == len(made) + 1, "two centralclouds share one database, and nobody else does"


def test_what_the_image_is_built_from_is_let_in() -> None:
    dockerfile = (REPOSITORY / "deploy/Dockerfile").read_text(encoding="utf-8")
    ignored = (REPOSITORY / "deploy/Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    let_in = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert all((REPOSITORY / name).exists() for name in let_in)
    assert set(re.findall(r"-r (\w+)/", dockerfile)) <= let_in
