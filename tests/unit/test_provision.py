from __future__ import annotations

import itertools
import json
import os
import re
import signal
import ssl
from pathlib import Path
from typing import Final

import msgspec
import pytest
from click.testing import CliRunner

from centralcloud.store.tenancy import ROLE
from mesh.cli import flocklore
from mesh.identities import certificates
from mesh.identities.keys import key_of
from mesh.identities.office import Office, found
from mesh.identities.registry import Server
from mesh.provision.databases import TENANT_ROLE, databases_script, instance_databases, owned_url
from mesh.provision.making import IDENTITIES, Deployment, provide
from mesh.provision.words import WORDS_FILE, Words
from shared.embedded.ports import LOOPBACK
from shared.errors import ConfigurationError, Exit, NotFoundError, UsageError

POSTGRES: Final = "postgresql://postgres"
TWO: Final = Deployment(["ann", "bob"], ["nats", "nats-2"], POSTGRES)


def texts(directory: Path) -> dict[str, str]:
    """Every file but locks and what is unfinished, by its path."""
    files = (path for path in directory.rglob("*") if path.is_file() and path.name != "lock" and path.name[0] != ".")
    return {str(path.relative_to(directory)): path.read_text(encoding="utf-8") for path in files}


@pytest.fixture
def made(tmp_path: Path) -> Path:
    directory = tmp_path / "secrets"
    provide(directory, TWO)
    return directory


def test_each_part_has_what_it_needs_and_no_more(made: Path) -> None:
    handed = {name for name in texts(made) if not name.startswith(IDENTITIES)} - {WORDS_FILE}
    daemon = {"nats.creds", "ca.pem", "database.url", "http.token"}
    assert handed == {
        *(f"nats/{name}" for name in ("auth.conf", "routes.conf", "server.pem", "server.key", "ca.pem")),
        *(f"postgres/{name}" for name in ("password", "databases.sql")),
        *(f"centralcloud/{name}" for name in daemon | {"http-read.token"}),
        *(f"instances/{instance}/{name}" for instance in ("ann", "bob") for name in daemon),
    }
    secrets = {name: text.strip() for name, text in texts(made).items() if name in handed and "ca.pem" not in name}
    assert len(set(secrets.values())) == len(secrets), "no two have the same secret"


def test_only_its_owner_gets_that_far(made: Path) -> None:
    assert made.stat().st_mode & 0o777 == 0o700
    for path in made.rglob("*"):
        kept = path.parent == made or IDENTITIES in path.parts
        modes = (0o700 if IDENTITIES in path.parts else 0o755) if path.is_dir() else (0o600 if kept else 0o444)
        assert path.stat().st_mode & 0o777 == modes, path


def test_again_it_changes_nothing(made: Path) -> None:
    before = texts(made)
    done = provide(made, TWO)
    assert (done.admitted, done.certified) == ((), False)
    assert texts(made) == before


def test_what_is_new_is_added_and_the_rest_stays(made: Path) -> None:
    before = texts(made)
    done = provide(made, Deployment(["ann", "cat"], ["nats", "nats-2"], POSTGRES))
    assert done.admitted == ("default.cat",)
    after = texts(made)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {
        "identities/auth.conf", "identities/registry.json", "nats/auth.conf", "postgres/databases.sql", WORDS_FILE
    }  # fmt: skip
    assert "instance_bob" in after["postgres/databases.sql"], "who is not named is not forgotten"


def test_a_word_that_was_taken_out_is_chosen_anew(made: Path) -> None:
    before = texts(made)
    words = msgspec.json.decode(before[WORDS_FILE], type=Words)
    left = {name: word for name, word in words.databases.items() if name != "instance_ann"}
    kept = msgspec.structs.replace(words, databases=left)
    (made / WORDS_FILE).write_bytes(msgspec.json.encode(kept))
    provide(made, TWO)
    after = texts(made)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {WORDS_FILE, "postgres/databases.sql", "instances/ann/database.url"}
    require_agreement(made)


def test_another_name_and_a_certificate_that_ends_are_signed_for(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = texts(made)
    done = provide(made, TWO._replace(further_names=["hub.example.org"]))
    assert done.certified
    after = texts(made)
    names = Office(made / IDENTITIES).registry.server.names
    assert names == ("nats", "nats-2", "localhost", LOOPBACK, "hub.example.org")
    assert after["nats/server.pem"] != before["nats/server.pem"]
    assert after["nats/ca.pem"] == before["nats/ca.pem"], "who trusted the one trusts the other"
    monkeypatch.setattr("mesh.provision.making.RENEWAL_DAYS", certificates.CERTIFICATE_DAYS + 1)
    assert provide(made, TWO).certified
    assert texts(made)["nats/server.pem"] != after["nats/server.pem"]


def test_killed_at_any_file_it_is_completed_the_next_time(tmp_path: Path) -> None:
    """A process is gone right before the file of this number would have its name; the next one finds what is left."""
    provide(tmp_path / "whole", TWO)
    for moment in (2, 4, 5, 8, 11, 20):
        directory = tmp_path / str(moment)
        child = os.fork()
        if child == 0:
            provide_until(directory, moment)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
        provide(directory, TWO)
        assert texts(directory).keys() == texts(tmp_path / "whole").keys()
        require_agreement(directory)


def provide_until(directory: Path, moment: int) -> None:
    replace, left = Path.replace, itertools.count(moment, -1)

    def dies(self: Path, target: Path) -> Path:
        if next(left) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return replace(self, target)

    Path.replace = dies  # type: ignore[assignment,method-assign]
    try:
        provide(directory, TWO)
    finally:
        os._exit(0)


def require_agreement(directory: Path) -> None:
    """What one part was handed is what the other expects."""
    words = msgspec.json.decode((directory / WORDS_FILE).read_bytes(), type=Words)
    for name in ("ann", "bob"):
        url = (directory / "instances" / name / "database.url").read_text(encoding="utf-8")
        password = words.databases[f"instance_{name}"]
        assert url == f"postgresql://instance_{name}:{password}@postgres/instance_{name}"
        assert (
            f"ALTER ROLE instance_{name} PASSWORD '{password}';" in (directory / "postgres/databases.sql").read_text()
        )
    admitted = json.loads((directory / "nats/auth.conf").read_text(encoding="utf-8"))["authorization"]["users"]
    shown = [*directory.glob("instances/*/nats.creds"), directory / "centralcloud/nats.creds"]
    seeds = [re.search(r"^SU\w+$", path.read_text(encoding="utf-8"), re.MULTILINE) for path in shown]
    assert {user["nkey"] for user in admitted} == {key_of(seed[0]).public for seed in seeds if seed}
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
        directory / "nats/server.pem", directory / "nats/server.key"
    )


@pytest.mark.parametrize(
    ("deployment", "said"),
    [
        (TWO._replace(instances=["a-b", "a_b"]), "choose another name"),
        (TWO._replace(instances=["x" * 60]), "too long"),
        (TWO._replace(instances=["*"]), "cannot be a name"),
        (TWO._replace(instances=["x'; drop"]), "cannot be a name"),
        (TWO._replace(tenant="centralcloud"), "centralcloud's own"),
        (TWO._replace(postgres_url="postgresql://me@db"), "leave the user"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, deployment: Deployment, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        provide(tmp_path / "secrets", deployment)


def test_a_directory_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    mode = tmp_path.stat().st_mode
    with pytest.raises(UsageError, match=r"thesis\.txt"):
        provide(tmp_path, TWO)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    assert tmp_path.stat().st_mode == mode
    (tmp_path / "secrets" / IDENTITIES).mkdir(parents=True)
    (tmp_path / "secrets" / IDENTITIES / "mine").touch()
    with pytest.raises(UsageError, match="mine"):
        provide(tmp_path / "secrets", TWO)
    assert (tmp_path / "secrets" / IDENTITIES / "mine").exists()


def test_identities_made_in_another_way_are_not_handed_out(tmp_path: Path) -> None:
    directory = tmp_path / "secrets"
    directory.mkdir()
    found(directory / IDENTITIES, Server(LOOPBACK, 4222))
    with pytest.raises(UsageError, match="in another way"):
        provide(directory, TWO)


def test_what_was_lost_says_how_to_go_on(made: Path) -> None:
    (made / IDENTITIES / "credentials" / "default.ann.creds").unlink()
    with pytest.raises(NotFoundError, match="rotate"):
        provide(made, TWO)
    (made / WORDS_FILE).write_text("{")
    with pytest.raises(ConfigurationError, match="restore it"):
        provide(made, TWO)


def test_the_url_keeps_what_else_is_said_of_the_server() -> None:
    server = "postgresql://h1:5432,h2:5432?sslmode=verify-full&target_session_attrs=read-write"
    owned = owned_url(server, "centralcloud", "word")
    assert owned.startswith("postgresql://centralcloud:word@h1:5432,h2:5432/centralcloud?")
    assert "sslmode=verify-full" in owned


def test_the_role_of_tenants_is_the_one_that_centralcloud_becomes() -> None:
    assert TENANT_ROLE == ROLE
    assert f"GRANT {ROLE} TO centralcloud;" in databases_script({"centralcloud": "x"})
    assert instance_databases(["a-b"]) == {"a-b": "instance_a_b"}


def test_the_command_says_what_it_did_and_no_secret(tmp_path: Path) -> None:
    arguments = ["provision", str(tmp_path / "secrets"), "--instance", "ann", "--nats-host", "nats"]
    for words in (arguments, [*arguments, "--json"]):
        result = CliRunner().invoke(flocklore, words)
        assert result.exit_code == Exit.OK, result.output
        kept = texts(tmp_path / "secrets").values()
        assert [text for text in kept if text.strip() in result.output] == []
    assert json.loads(result.output)["directories"][-1].endswith("secrets/instances/ann")
