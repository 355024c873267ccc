"""Every file of `deploy/` passes the program it is written for, or a validator of its format."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from ruamel.yaml import YAML

from shared.embedded.broker import nats_server_program
from tests.support.processes import REPOSITORY
from tests.support.servers import copied_postgres

DEPLOY: Final = REPOSITORY / "deploy"
KUBERNETES: Final = DEPLOY / "kubernetes"
MANIFESTS: Final = sorted(path.name for path in KUBERNETES.glob("*.yaml") if path.name != "kustomization.yaml")
SBIN: Final = "/usr/sbin:/usr/local/sbin"
"""Where Debian puts what only administrators run; not on everybody's path."""

NATS: Final = {"NATS_NAME": "nats", "NATS_PASSWORD": "a1b2c3"}


def program(name: str) -> str:
    """Find a program of the system, or skip the test that needs it."""
    found = shutil.which(name) or shutil.which(name, path=SBIN)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(*command: str, environment: Mapping[str, str] | None = None, directory: Path) -> tuple[int, str]:
    done = subprocess.run(
        command,
        env=environment,
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def documents(path: Path) -> Sequence[Any]:
    return [document for document in YAML(typ="safe").load_all(path) if document]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a certificate for nobody, in the forms nginx and haproxy want."""
    directory = tmp_path_factory.mktemp("tls")
    key, crt = directory / "tls.key", directory / "tls.crt"
    command = [
        program("openssl"),
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=flocklore",
        "-days",
        "1",
    ]
    subprocess.run([*command, "-keyout", str(key), "-out", str(crt)], capture_output=True, check=True)
    (directory / "tls.pem").write_bytes(crt.read_bytes() + key.read_bytes())
    return directory


def here(name: str, certificate: Path, directory: Path) -> str:
    """Copy a configuration with names that this machine can resolve, and certificates it can read."""
    text = (DEPLOY / name).read_text(encoding="utf-8")
    for known, placed in (
        ("centralcloud-standby:8080", "127.0.0.1:18081"),
        ("centralcloud:8080", "127.0.0.1:18080"),
        ("/etc/nginx/tls", str(certificate)),
        ("/etc/haproxy/tls.pem", str(certificate / "tls.pem")),
    ):
        assert known in text or known.startswith("/etc/"), f"{name} names {known}"
        text = text.replace(known, placed)
    copy = directory / name
    copy.write_text(text, encoding="utf-8")
    return str(copy)


def test_nginx_takes_its_configuration(certificate: Path, tmp_path: Path) -> None:
    configuration = here("nginx.conf", certificate, tmp_path)
    set_here = f"pid {tmp_path}/nginx.pid; error_log stderr;"
    status, said = run(program("nginx"), "-t", "-c", configuration, "-g", set_here, directory=tmp_path)
    assert status == 0, said


def test_haproxy_takes_its_configuration(certificate: Path, tmp_path: Path) -> None:
    status, said = run(program("haproxy"), "-c", "-f", here("haproxy.cfg", certificate, tmp_path), directory=tmp_path)
    assert status == 0, said
    assert "WARNING" not in said


@pytest.mark.parametrize("name", ["nats.conf", "nats-cluster.conf"])
@pytest.mark.parametrize(("password", "valid"), [("a1b2c3", True), ("3abc12", True), (None, False)])
def test_nats_server_takes_its_configuration(name: str, password: str | None, valid: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a table of cases
    environment = NATS | ({"NATS_PASSWORD": password} if password else {})
    if password is None:
        del environment["NATS_PASSWORD"]
    command = (str(nats_server_program()), "-t", "-c", str(DEPLOY / name))
    status, said = run(*command, environment=environment, directory=tmp_path)
    assert (status == 0) is valid, said


def test_nats_server_takes_the_configuration_in_the_manifest(tmp_path: Path) -> None:
    (inside,) = [one for one in documents(KUBERNETES / "nats.yaml") if one["kind"] == "ConfigMap"]
    configuration = tmp_path / "nats.conf"
    configuration.write_text(inside["data"]["nats.conf"], encoding="utf-8")
    command = (str(nats_server_program()), "-t", "-c", str(configuration))
    status, said = run(*command, environment=NATS, directory=tmp_path)
    assert status == 0, said


def test_postgres_takes_its_settings(initialised: Path, scratch: Path) -> None:
    postgres = copied_postgres(initialised, scratch / "postgres")
    configuration = postgres.directory / "data" / "postgresql.conf"
    with configuration.open("a", encoding="utf-8") as file:
        file.write((DEPLOY / "postgresql.conf").read_text(encoding="utf-8"))
    postgres.start()
    try:
        with psycopg.connect(postgres.dsn("postgres")) as connection:
            rows = connection.execute("SELECT name, error FROM pg_file_settings WHERE error IS NOT NULL").fetchall()
            assert rows == []
            assert connection.execute("SHOW wal_level").fetchone() == ("logical",)
    finally:
        postgres.stop()


@pytest.mark.parametrize("name", MANIFESTS)
def test_kubernetes_knows_every_field(name: str, tmp_path: Path) -> None:
    command = (sys.executable, "-m", "kubernetes_validate", "--strict", str(KUBERNETES / name))
    status, said = run(*command, directory=tmp_path)
    assert status == 0, said


def test_manifests_agree_with_each_other() -> None:
    every = [one for name in MANIFESTS for one in documents(KUBERNETES / name)]
    (customized,) = documents(KUBERNETES / "kustomization.yaml")
    assert sorted(customized["resources"]) == MANIFESTS
    for service in (one for one in every if one["kind"] == "Service"):
        wanted = service["spec"]["selector"].items()
        labels = [pods["metadata"]["labels"] for pods in map(pods_of, every) if pods]
        assert [wanted <= given.items() for given in labels].count(True) == 1, service["metadata"]["name"]
    for container in (container for pods in map(pods_of, every) if pods for container in pods["spec"]["containers"]):
        probes = {name: container[name]["httpGet"] for name in ("livenessProbe", "readinessProbe", "startupProbe")}
        ports = {port["name"] for port in container["ports"]}
        assert {probe["port"] for probe in probes.values()} <= ports
        if container["image"].startswith("flocklore"):
            assert probes["livenessProbe"]["path"] == "/health/live", "a database that is away is no reason to restart"
            assert probes["readinessProbe"]["path"] == "/health/ready"


def pods_of(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a manifest says of the pods it makes; empty for one that makes none."""
    template: Mapping[str, Any] = manifest.get("spec", {}).get("template", {})
    return template


def test_systemd_takes_its_units(tmp_path: Path) -> None:
    for unit in (DEPLOY / "systemd").glob("*.service"):
        text = unit.read_text(encoding="utf-8")
        assert "ExecStart=/opt/flocklore/bin/flocklore " in text
        (tmp_path / unit.name).write_text(
            text.replace("/opt/flocklore/bin/flocklore", sys.executable), encoding="utf-8"
        )
    units = [str(path) for path in tmp_path.iterdir()]
    status, said = run(program("systemd-analyze"), "verify", *units, directory=tmp_path)
    assert (status, said) == (0, "")


def test_hadolint_finds_nothing_in_the_dockerfile(tmp_path: Path) -> None:
    hadolint = str(Path(sys.executable).parent / "hadolint")
    # DL3008: Debian keeps only the newest version of a package, so a pinned one cannot be installed for long.
    status, said = run(hadolint, "--ignore", "DL3008", str(DEPLOY / "Dockerfile"), directory=tmp_path)
    assert (status, said) == (0, "")
