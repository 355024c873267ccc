"""`flocklore nats` as somebody at a terminal uses it, and what it never says."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.nats_cli import nats
from schemas.subjects import Sender
from shared.errors import Exit
from shared.passport import Passport
from tests.support.commands import document, invoke
from tests.support.identities import Guarded, connected

SECRET = re.compile(r"S[UAO][A-Z2-7]{56}|eyJ|PRIVATE KEY")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOCKLORE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Guarded]:
    server = Guarded(tmp_path / "state" / "identities")
    server.start()
    yield server
    server.stop()


async def enters(server: Guarded, credentials: str, sender: Sender) -> bool:
    """Whether the server lets in who shows these."""
    async with connected(Passport(credentials), server.url, sender):
        return True


def test_from_nothing_to_a_server_with_two_clients(tmp_path: Path) -> None:
    made = document(nats, "init", "--tls", "--host", "0.0.0.0", "--port", "4333", "--host-name", "nats.company.com")
    place = tmp_path / "state" / "identities"
    assert made["directory"] == str(place)
    assert made["url"] == "tls://nats.company.com:4333"
    assert made["files"] == [str(place / "credentials" / "centralcloud.hub.creds")]
    assert f"nats-server -c {place / 'nats.conf'}" in made["server"]
    added = document(nats, "add-instance", "ci-runner-1", "--kind", "read_only")
    assert added["identity"] == "default.ci-runner-1"
    assert added["files"] == [str(place / "credentials" / "default.ci-runner-1.creds")]
    listed = document(nats, "list")
    assert [(one["tenant"], one["name"], one["kind"]) for one in listed] == [
        ("centralcloud", "hub", "centralcloud"),
        ("default", "ci-runner-1", "read_only"),
    ]
    checked = document(nats, "check")
    assert checked["ok"] is True
    assert "nats-server" in invoke(nats, "check").stdout
    assert invoke(nats, "init").exit_code == Exit.USAGE
    assert "nothing is written over" in invoke(nats, "init").output


def test_changes_reach_the_running_server(running: Guarded) -> None:
    (path,) = document(nats, "add-instance", "ann")["files"]
    assert asyncio.run(enters(running, path, Sender("default", "ann")))
    before = Path(path).read_text()
    rotated = document(nats, "rotate", "ann")
    assert "was told" in rotated["server"]
    assert Path(path).read_text() != before
    assert asyncio.run(enters(running, path, Sender("default", "ann")))
    assert document(nats, "revoke", "ann") == {"revoked": "default.ann", "files": [], "server": rotated["server"]}
    assert not Path(path).exists()
    assert [one["name"] for one in document(nats, "list")] == ["hub"]
    (hub,) = document(nats, "rotate", "hub", "--tenant", "centralcloud")["files"]
    assert asyncio.run(enters(running, hub, Sender("centralcloud", "hub")))


def test_what_an_older_release_wrote_is_found_and_renewed(running: Guarded) -> None:
    document(nats, "add-instance", "ann")
    authorization = running.office.directory / "auth.conf"
    right = authorization.read_text()
    authorization.write_text(right.replace("intelligence.query.why", "intelligence.query.old"))
    checked = invoke(nats, "check")
    assert checked.exit_code == Exit.FAILED
    assert "flocklore nats refresh" in checked.stdout
    assert "was told" in document(nats, "refresh")["server"]
    assert authorization.read_text() == right
    assert document(nats, "check")["ok"] is True


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["add-instance", "*"], Exit.USAGE, "cannot be a name"),
        (["add-instance", "a.b"], Exit.USAGE, "cannot be a name"),
        (["add-instance", "a", "--tenant", ">"], Exit.USAGE, "cannot be a tenant"),
        (["add-instance", "a", "--tenant", "centralcloud"], Exit.USAGE, "centralcloud's own"),
        (["add-instance", "a", "--kind", "centralcloud"], Exit.USAGE, "centralcloud"),
        (["add-instance", "a"], Exit.NOT_FOUND, "flocklore nats init"),
        (["revoke", "a"], Exit.NOT_FOUND, "flocklore nats init"),
        (["check"], Exit.NOT_FOUND, "flocklore nats init"),
        (["init", "--host-name", "x"], Exit.USAGE, "--tls"),
        (["init", "--tenant", "*", "--operator"], Exit.USAGE, "cannot be a name"),
    ],
)
def test_what_makes_no_sense_says_what_would(tmp_path: Path, arguments: list[str], code: Exit, said: str) -> None:
    result = invoke(nats, *arguments)
    assert result.exit_code == code, result.output
    assert said in result.output
    assert not (tmp_path / "state" / "identities").exists()


@pytest.mark.parametrize("operator", [[], ["--operator"]], ids=["listed", "signed"])
def test_no_secret_is_ever_printed(tmp_path: Path, operator: list[str]) -> None:
    said = ""
    for arguments in (
        ["init", "--mutual-tls", *operator],
        ["add-instance", "ann"],
        ["add-instance", "eve", "--tenant", "acme"],
        ["add-instance", "ann"],
        ["rotate", "ann"],
        ["list"],
        ["check"],
        ["revoke", "ann"],
        ["refresh"],
    ):
        for form in ([], ["--json"]):
            said += invoke(nats, *arguments, *form).output
    secrets = [path for path in (tmp_path / "state").rglob("*") if path.suffix in {".creds", ".seed", ".key", ".pem"}]
    assert any(SECRET.search(path.read_text()) for path in secrets)
    assert SECRET.search(said) is None
