"""What a client shows to NATS: which files are taken, which are refused and how that is said."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from mesh.identities import claims
from mesh.identities.keys import Key, new_key
from mesh.identities.operator import credentials_text
from mesh.identities.permissions import Identity
from schemas.subjects import Sender
from shared.config import Settings
from shared.errors import ConfigurationError
from shared.passport import Passport, client_for, is_refusal, passport_of
from shared.wary import EncryptedClient

ANN = Identity("acme", "ann", "instance")


@pytest.fixture
def key() -> Key:
    return new_key("user")


def written(directory: Path, text: str) -> Passport:
    (directory / "creds").write_text(text)
    return Passport(str(directory / "creds"))


def test_a_seed_alone_is_a_key_the_server_knows(tmp_path: Path, key: Key) -> None:
    passport = written(tmp_path, f"# identity: acme.ann\n# a remark\n{key.seed}\n")
    assert passport.options() == {"nkeys_seed_str": key.seed}
    assert passport.owner() == Sender("acme", "ann")
    assert written(tmp_path, key.seed).options() == {"nkeys_seed_str": key.seed}
    assert written(tmp_path, key.seed).owner() is None


def test_a_token_beside_the_seed_is_a_user_of_an_operator(tmp_path: Path, key: Key) -> None:
    text = credentials_text(claims.user_jwt(new_key("account"), "A" * 56, ANN, key.public, 1), key)
    passport = written(tmp_path, text)
    assert str(passport.options()["user_credentials"]) == text
    assert passport.owner() == Sender("acme", "ann")


def test_the_file_is_read_each_time(tmp_path: Path, key: Key) -> None:
    passport, other = written(tmp_path, key.seed), new_key("user")
    assert passport.options()["nkeys_seed_str"] == key.seed
    written(tmp_path, other.seed)
    assert passport.options()["nkeys_seed_str"] == other.seed


@pytest.mark.parametrize("text", ["", "nonsense", "SUAAA", "-----BEGIN NATS USER JWT-----\neyJx.eyJx.x\n"])
def test_a_file_without_a_seed_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match="nats_credentials: there is no seed"):
        written(tmp_path, text).options()


def test_what_is_not_there_is_named_with_its_setting(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    with pytest.raises(ConfigurationError, match=r"nats_credentials: .*No such file.*add-instance"):
        Passport(nowhere).options()
    with pytest.raises(ConfigurationError, match="nats_tls_ca: "):
        Passport(authority=nowhere).options()
    with pytest.raises(ConfigurationError, match="nats_tls_cert: "):
        Passport(certificate=nowhere).options()


@pytest.mark.parametrize("text", ["# identity: a.b.c", "eyJh.e30.x", "eyJh.eyJuYW1lIjoxfQ.x", "eyJh.e.x"])
def test_who_does_not_say_clearly_who_he_is_is_nobody(tmp_path: Path, text: str) -> None:
    assert written(tmp_path, text).owner() is None


def test_the_credentials_of_another_are_told_at_once(tmp_path: Path, key: Key) -> None:
    passport = written(tmp_path, f"# identity: acme.ann\n{key.seed}\n")
    passport.require_inbox("_INBOX.acme.ann")
    Passport().require_inbox("_INBOX.acme.bob")
    for other in ("_INBOX.acme.bob", "_INBOX.centralcloud.0123"):
        with pytest.raises(ConfigurationError, match=r"is of acme\.ann"):
            passport.require_inbox(other)
    hub = written(tmp_path, f"# identity: centralcloud.hub\n{key.seed}\n")
    hub.require_inbox("_INBOX.centralcloud.0123")
    with pytest.raises(ConfigurationError, match=r"is of centralcloud\.hub"):
        hub.require_inbox("_INBOX.acme.bob")


@pytest.mark.parametrize(
    ("wishes", "refused"),
    [
        ({"nats_url": "nats://nats.company.com:4222"}, True),
        ({"nats_host": "nats.company.com"}, True),
        ({"nats_url": "nats.company.com"}, True),
        ({"nats_url": "nats://127.0.0.1:4222,nats://10.0.0.7"}, True),
        ({"nats_url": "nats://127.0.0.1:4222,nats://localhost,nats://[::1]:4222"}, False),
        ({"nats_url": "nats://user:secret@nats.company.com"}, False),
        ({"nats_url": "nats://nats.company.com", "nats_credentials": "x"}, False),
        ({"nats_url": "tls://nats.company.com", "nats_tls_cert": "x"}, False),
        ({"nats_url": "tls://nats.company.com", "nats_tls_ca": "x"}, True),
        ({}, False),
    ],
)
def test_in_production_nobody_is_spoken_to_without_credentials(wishes: dict[str, Any], *, refused: bool) -> None:
    passport_of(Settings(**wishes))
    if refused:
        with pytest.raises(ConfigurationError, match="flocklore nats init") as said:
            passport_of(Settings(environment="production", **wishes))
        assert "secret" not in str(said.value)
    else:
        passport_of(Settings(environment="production", **wishes))


def test_a_key_needs_its_certificate() -> None:
    with pytest.raises(ConfigurationError, match="nats_tls_key: "):
        passport_of(Settings(nats_tls_key="x"))


def test_a_client_insists_on_tls_where_it_was_told_to() -> None:
    assert isinstance(client_for(Passport(authority="x"), ["nats://a"]), EncryptedClient)
    assert isinstance(client_for(Passport(), ["nats://a", "tls://b"]), EncryptedClient)
    assert not isinstance(client_for(Passport("x"), ["nats://a"]), EncryptedClient)


def test_refusals_are_told_from_other_errors() -> None:
    for text in (
        "nats: 'Authorization Violation'",
        "nats: 'User Authentication Expired'",
        "nats: authorization violation",
    ):
        assert is_refusal(Exception(text))
    assert not is_refusal(Exception("nats: 'Permissions Violation for Publish to \"x\"'"))
    assert is_refusal(ssl.SSLCertVerificationError("unable to get local issuer certificate"))
    assert not is_refusal(ConnectionRefusedError("Connection refused"))
