from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from schemas.names import is_name
from tests.contract.test_docs import parse
from tests.support.compose_file import COMPOSE, document, interpolated
from tests.support.processes import REPOSITORY

NATS = {"nats", "nats-2", "nats-3"}
CENTRALCLOUD = {"centralcloud", "centralcloud-standby"}
INSTANCES = {"dev-laptop-1", "ci-runner-1", "gpu-trainer-1"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return document()


def test_it_follows_the_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_every_name_that_is_used_is_declared(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert services.keys() == {"provision", *NATS, "postgres", *CENTRALCLOUD, *INSTANCES}
    used = set()
    for service in services.values():
        assert service.get("depends_on", {}).keys() <= services.keys()
        assert set(service.get("networks", [])) <= compose["networks"].keys()
        for volume in service.get("volumes", []):
            source = interpolated(volume, {}).partition(":")[0]
            assert source in compose["volumes"] or (REPOSITORY / source).exists(), volume
            used.add(source)
        for name, wanted in service.get("depends_on", {}).items():
            ends = wanted["condition"] == "service_completed_successfully"
            assert ends == (name == "provision")
            assert ends or "healthcheck" in services[name]
    assert compose["volumes"].keys() <= used


def test_it_needs_nothing_from_whoever_starts_it() -> None:
    variables = set(re.findall(r"\$\{(\w+)", COMPOSE.read_text(encoding="utf-8")))
    with_default = set(re.findall(r"\$\{(\w+):-", COMPOSE.read_text(encoding="utf-8")))
    assert variables == with_default == {"NATS_CONFIGURATION", "STREAM_REPLICAS", "CODE_1", "CODE_2", "CODE_3"}


def test_everybody_has_his_own_secrets_alone(compose: dict[str, Any]) -> None:
    """Only the first step, which ends, sees those of others; who has some can write none of them."""
    seen: dict[str, set[str]] = {}
    for name, service in compose["services"].items():
        for volume in service["volumes"]:
            if volume.startswith("secrets") and name != "provision":
                assert volume.endswith(":ro"), volume
                seen.setdefault(volume.partition(":")[0], set()).add(name)
    assert seen == {
        "secrets-nats": NATS,
        "secrets-postgres": {"postgres"},
        "secrets-centralcloud": CENTRALCLOUD,
        **{f"secrets-{name}": {name} for name in INSTANCES},
    }
    first = compose["services"]["provision"]
    targets = dict(volume.split(":") for volume in first["volumes"])
    assert targets.keys() == {"secrets", *seen}
    assert all(targets[f"secrets-{name}"] == f"/secrets/instances/{name}" for name in INSTANCES)
    assert {word.partition("=")[2] for word in first["command"] if word.startswith("--instance")} == INSTANCES
    assert {word.partition("=")[2] for word in first["command"] if word.startswith("--nats-host")} == NATS
    assert (first["network_mode"], first["restart"], first["cap_drop"]) == ("none", "no", ["ALL"])


def test_images_are_pinned_and_secrets_are_not_in_the_file(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert re.search(r":\d+\.\d+\.\d+|:\d+\.\d+-", service["image"]), service["image"]
    dockerfile = (REPOSITORY / "deploy/Dockerfile").read_text(encoding="utf-8")
    assert all(re.search(r":\d+\.\d+\.\d+-", base) for base in re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE))
    text = COMPOSE.read_text(encoding="utf-8")
    assert re.findall(r"\w*(?:PASSWORD|TOKEN|SECRET|DATABASE_URL)\w*(?<!_FILE): .*", text) == []
    assert re.findall(r"//[^/\s]*@", text) == []
    for service in compose["services"].values():
        files = [path for name, path in service.get("environment", {}).items() if name.endswith("_FILE")]
        assert all(path.startswith("/run/secrets/") for path in files)


def test_each_daemon_is_a_command_and_has_a_database_of_its_own(compose: dict[str, Any], tmp_path: Path) -> None:
    parse([word if word != "/secrets" else str(tmp_path) for word in compose["services"]["provision"]["command"]])
    for name in (*CENTRALCLOUD, *INSTANCES):
        service = compose["services"][name]
        parse([word if word != "/code" else str(REPOSITORY) for word in service["command"]])
        assert service["environment"]["DATABASE_URL_FILE"] == "/run/secrets/database.url"
        if name in INSTANCES:
            assert is_name(name)
            assert service["environment"]["INSTANCE_ID"] == name


def test_what_the_image_is_built_from_is_let_in() -> None:
    dockerfile = (REPOSITORY / "deploy/Dockerfile").read_text(encoding="utf-8")
    ignored = (REPOSITORY / "deploy/Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    let_in = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert all((REPOSITORY / name).exists() for name in let_in)
    assert set(re.findall(r"-r (\w+)/", dockerfile)) <= let_in
