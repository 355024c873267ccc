"""The directory of identities: secret, whole, and checked."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from mesh.identities.inspection import inspect
from mesh.identities.office import Office, found
from mesh.identities.permissions import identity
from mesh.identities.registry import Server
from mesh.identities.server import running
from shared.embedded.ports import LOOPBACK
from shared.errors import ConfigurationError, UsageError

BOTH = pytest.mark.parametrize("operator", [False, True], ids=["listed", "signed"])


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    done = found(tmp_path / "identities", Server(LOOPBACK, 4222))
    before = {path: path.read_bytes() for path in (tmp_path / "identities").rglob("*") if path.is_file()}
    assert [path.name for path in done.files] == ["centralcloud.hub.creds"]
    with pytest.raises(UsageError, match="not empty"):
        found(tmp_path / "identities", Server(LOOPBACK, 4222))
    assert before == {path: path.read_bytes() for path in (tmp_path / "identities").rglob("*") if path.is_file()}


def test_what_fails_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="openssl"):
        found(tmp_path / "identities", Server(LOOPBACK, 4222, (LOOPBACK,), tls=True))
    assert not (tmp_path / "identities").exists()


@BOTH
def test_every_file_is_its_owners_alone(tmp_path: Path, *, operator: bool) -> None:
    before = os.umask(0)
    try:
        found(
            tmp_path / "identities", Server(LOOPBACK, 4222, (LOOPBACK,), mutual=True, tls=True), with_operator=operator
        )
        Office(tmp_path / "identities").add(identity("default", "ann", "instance"))
    finally:
        os.umask(before)
    for path in [tmp_path / "identities", *(tmp_path / "identities").rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


@BOTH
def test_what_is_checked_and_how_it_is_mended(tmp_path: Path, *, operator: bool) -> None:
    directory = tmp_path / "identities"
    found(directory, Server(LOOPBACK, 4222, (LOOPBACK,), tls=True), with_operator=operator)
    office = Office(directory)
    assert {one.check: one.level for one in inspect(office)} == {
        "secrecy": "ok", "identities": "ok", "nats.conf": "ok", "encryption": "ok", "server": "warning"
    }  # fmt: skip
    office.credentials(identity("centralcloud", "default" if operator else "hub", "centralcloud")).chmod(0o644)
    (directory / "auth.conf").write_text("nonsense {")
    wrong = {one.check for one in inspect(office) if one.level == "error"}
    assert wrong >= {"secrecy", "nats.conf"}
    office.refresh()
    assert {one.check for one in inspect(office) if one.level == "error"} == {"secrecy"}


def test_a_server_for_others_that_does_not_encrypt_is_warned_of(tmp_path: Path) -> None:
    found(tmp_path / "identities", Server("0.0.0.0", 4222))
    assert {one.check for one in inspect(Office(tmp_path / "identities")) if one.level == "warning"} == {
        "encryption",
        "server",
    }


def test_no_stranger_is_signalled(tmp_path: Path) -> None:
    found(tmp_path / "identities", Server(LOOPBACK, 4222))
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        (tmp_path / "identities" / "nats.pid").write_text(str(stranger.pid))
        assert running(tmp_path / "identities") is None
        done = Office(tmp_path / "identities").add(identity("default", "ann", "instance"))
        assert "no server runs" in done.server
        assert stranger.poll() is None
    finally:
        stranger.send_signal(signal.SIGTERM)
        stranger.wait()
