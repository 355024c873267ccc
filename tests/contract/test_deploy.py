"""Every file of `deploy/` passes the program it is written for, or a validator of its format."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from mesh.cli import flocklore
from shared.embedded.broker import nats_server_program
from shared.errors import Exit
from tests.support.processes import REPOSITORY
from tests.support.servers import copied_postgres

DEPLOY: Final = REPOSITORY / "deploy"
KUBERNETES: Final = DEPLOY / "kubernetes"
MANIFESTS: Final = sorted(path.name for path in KUBERNETES.glob("*.yaml") if path.name != "kustomization.yaml")
SBIN: Final = "/usr/sbin:/usr/local/sbin"
"""Where Debian puts what only administrators run; not on everybody's path."""

NATS: Final = {"NATS_NAME": "nats"}


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


@pytest.fixture(scope="module")
def handed_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command in kustomization.yaml makes."""
    directory = tmp_path_factory.mktemp("provision") / "secrets"
    words = commanded("flocklore")
    done = CliRunner().invoke(flocklore, [word if word != "secrets" else str(directory) for word in words[1:]])
    assert done.exit_code == Exit.OK, done.output
    return directory


def commanded(program: str) -> list[str]:
    """The words of a command that the comment of kustomization.yaml says to run."""
    text = (KUBERNETES / "kustomization.yaml").read_text(encoding="utf-8").replace("\\\n#", "")
    (line,) = re.findall(rf"^#   ({program} .*)$", text, re.MULTILINE)
    return shlex.split(line)


@pytest.mark.parametrize("name", ["nats.conf", "nats-cluster.conf"])
@pytest.mark.parametrize("provisioned", [True, False])
def test_nats_server_takes_its_configuration(name: str, provisioned: bool, handed_out: Path, tmp_path: Path) -> None:  # noqa: FBT001 - a table of cases
    if provisioned:
        (tmp_path / "secrets").symlink_to(handed_out / "nats")
    status, said = nats_takes((DEPLOY / name).read_text(encoding="utf-8"), tmp_path)
    assert (status == 0) is provisioned, said


def test_nats_server_takes_the_configuration_in_the_manifest(handed_out: Path, tmp_path: Path) -> None:
    (inside,) = [one for one in documents(KUBERNETES / "nats.yaml") if one["kind"] == "ConfigMap"]
    for file in (handed_out / "nats").iterdir():  # a projected volume: both in one directory
        (tmp_path / file.name).symlink_to(file)
    status, said = nats_takes(inside["data"]["nats.conf"], tmp_path)
    assert status == 0, said


def nats_takes(text: str, directory: Path) -> tuple[int, str]:
    """Have nats-server read a configuration that expects to be in /etc/nats."""
    configuration = directory / "nats.conf"
    configuration.write_text(text.replace("/etc/nats", str(directory)), encoding="utf-8")
    command = (str(nats_server_program()), "-t", "-c", str(configuration))
    return run(*command, environment=NATS, directory=directory)


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


def test_every_file_that_a_pod_reads_is_in_the_secret_it_mounts(handed_out: Path) -> None:
    text = (KUBERNETES / "kustomization.yaml").read_text(encoding="utf-8")
    pairs = re.search(r"^#   for s in (.*); do$", text, re.MULTILINE)
    assert pairs is not None
    places = dict(pair.split("=") for pair in pairs[1].split())
    secrets = {f"flocklore-{name}": handed_out / place for name, place in places.items()}
    read = set()
    for pods in filter(None, map(pods_of, (one for name in MANIFESTS for one in documents(KUBERNETES / name)))):
        (container,) = pods["spec"]["containers"]
        mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        volumes = {volume["name"]: volume["secret"] for volume in pods["spec"]["volumes"] if "secret" in volume}
        for name, secret in volumes.items():
            assert secret["defaultMode"] == 0o440
            assert "fsGroup" in pods["spec"]["securityContext"], "else a file of root's is none that it can read"
            values = [variable["value"] for variable in container["env"] if "value" in variable]
            for path in (value for value in values if value.startswith(f"{mounted[name]}/")):
                read.add(path)
                assert (secrets[secret["secretName"]] / path.removeprefix(f"{mounted[name]}/")).is_file(), path
    assert len(read) == 5
    everything = "".join((KUBERNETES / name).read_text(encoding="utf-8") for name in MANIFESTS)
    assert "secretKeyRef" not in everything, "an environment is in every crash report"
    assert set(re.findall(r"(?:secretName|secret: {name): ([\w-]+)", everything)) == secrets.keys()


def test_servers_of_nats_are_called_what_their_certificate_says(handed_out: Path) -> None:
    (servers,) = [one for one in documents(KUBERNETES / "nats.yaml") if one["kind"] == "StatefulSet"]
    hosts = {f"nats-{number}.{servers['spec']['serviceName']}" for number in range(servers["spec"]["replicas"])}
    manifests = "".join((KUBERNETES / name).read_text(encoding="utf-8") for name in MANIFESTS)
    assert set(re.findall(r"tls://([\w.-]+):4222", manifests)) == hosts
    routes = (handed_out / "nats" / "routes.conf").read_text(encoding="utf-8")
    assert set(re.findall(r"@([\w.-]+):6222", routes)) == hosts
    shown = ("x509", "-in", str(handed_out / "nats" / "server.pem"), "-noout", "-ext", "subjectAltName")
    _, said = run(program("openssl"), *shown, directory=handed_out)
    assert hosts <= set(re.findall(r"DNS:([\w.-]+)", said))


@pytest.mark.parametrize("unit", sorted((DEPLOY / "systemd").glob("*.service")), ids=lambda path: path.stem)
def test_units_load_the_credentials_they_name(unit: Path, handed_out: Path) -> None:
    text = unit.read_text(encoding="utf-8")
    loaded = dict(re.findall(r"^LoadCredential=([\w.-]+):(\S+)$", text, re.MULTILINE))
    assert set(re.findall(r"=%d/([\w.-]+)", text)) == loaded.keys()
    place = handed_out / ("centralcloud" if "centralcloud" in unit.name else "instances/ci-runner-0")
    assert all(Path(path).name == name and (place / name).is_file() for name, path in loaded.items())


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
