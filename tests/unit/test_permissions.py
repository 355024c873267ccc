"""Names, permissions and the files made of them, without a server."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import nkeys
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.identities import claims
from mesh.identities.configuration import allowed, server_configuration, users_configuration
from mesh.identities.keys import key_of, new_key
from mesh.identities.permissions import Identity, Kind, Permissions, identity, permissions, topics
from mesh.identities.registry import Member, Registry, Server, decode, encode
from schemas.channels import CHANNELS
from schemas.events import AnyEvent
from schemas.names import NAME_PATTERN, is_name
from schemas.subjects import Sender, learned, sender_of
from shared.errors import ConfigurationError, NotFoundError, UsageError

NAMES = st.from_regex(NAME_PATTERN, fullmatch=True).filter(lambda name: is_name(name) and name != "centralcloud")
KINDS: tuple[Kind, ...] = ("instance", "delegate", "read_only", "observer")
NOW = 1_700_000_000


@pytest.mark.parametrize(
    "name", ["*", ">", "", "a.b", "a b", "A", "-a", "_a", "a" * 64, "a*", "ä", "a\n", "{{name()}}", "$SYS"]
)
def test_a_name_that_could_be_more_than_a_name_is_refused(name: str) -> None:
    for tenant, who in ((name, "ann"), ("acme", name)):
        with pytest.raises(UsageError, match="cannot be a"):
            identity(tenant, who, "instance")


@given(st.text(max_size=70))
def test_whatever_is_an_identity_is_a_token(name: str) -> None:
    try:
        one = identity("acme", name, "instance")
    except UsageError:
        return
    assert sender_of(f"x.y.{one.tenant}.{one.name}") == Sender("acme", name)


def test_the_tenant_of_centralcloud_is_nobody_elses() -> None:
    with pytest.raises(UsageError, match="centralcloud's own"):
        identity("centralcloud", "ann", "instance")
    with pytest.raises(UsageError, match="centralcloud's own"):
        identity("acme", "hub", "centralcloud")


@given(NAMES, NAMES, st.sampled_from(KINDS))
def test_no_client_has_a_wildcard_where_it_could_be_somebody(tenant: str, name: str, kind: Kind) -> None:
    spoken = permissions(identity(tenant, name, kind))
    own = {tenant, name}
    # What is said is named to the last token, but where nobody but centralcloud, or oneself, hears it.
    assert all("*" not in subject for subject in spoken.publish)
    inbox = [f"_INBOX.{tenant}.{name}.>"]
    beside = {"instance": inbox, "delegate": inbox, "observer": ["$SRV.>"], "read_only": []}[kind]
    assert [subject for subject in spoken.publish if ">" in subject] == beside
    for channel in CHANNELS:
        if "{instance}" in channel.address:
            stem = channel.address.split("{")[0]
            heard = [subject for subject in spoken.subscribe if subject.startswith(stem) and stem != "intelligence."]
            assert all(own <= set(subject.split(".")) for subject in heard)


def test_every_topic_may_be_spoken_of() -> None:
    known = {kind.topic for kind in AnyEvent.__args__ if hasattr(kind, "topic")}
    assert known == set(topics())
    spoken = permissions(identity("acme", "ann", "instance")).publish
    assert {learned(topic, Sender("acme", "ann")) for topic in known} <= set(spoken)


def test_who_may_say_nothing_is_denied_everything() -> None:
    assert allowed(Permissions((), ("a",))) == {"publish": {"deny": [">"]}, "subscribe": {"allow": ["a"]}}


def test_centralcloud_may_neither_delete_nor_empty_the_stream() -> None:
    spoken = permissions(identity("centralcloud", "hub", "centralcloud")).publish
    assert not [subject for subject in spoken if "PURGE" in subject or "STREAM.DELETE" in subject or subject == "$JS.>"]


def test_keys_are_those_of_nats_and_hide_their_seed() -> None:
    key = new_key("user")
    assert key.public.startswith("U")
    assert key.seed not in f"{key} {key!r}"
    assert key_of(key.seed) == key
    assert nkeys.from_seed(key.seed.encode()).verify(b"word", key.sign(b"word"))
    assert new_key("user") != key


def test_a_token_says_what_was_signed_and_no_more() -> None:
    signer, user = new_key("account"), new_key("user")
    one = identity("acme", "ann", "instance")
    token = claims.user_jwt(signer, "A" * 56, one, user.public, NOW, NOW + 60)
    header, payload, signature = (base64.urlsafe_b64decode(part + "==") for part in token.split("."))
    assert json.loads(header) == {"typ": "JWT", "alg": "ed25519-nkey"}
    said = json.loads(payload)
    assert (said["sub"], said["iss"], said["name"], said["exp"]) == (user.public, signer.public, "ann", NOW + 60)
    # What it may do is its signer's: a permission of its own would be refused by the server.
    assert set(said["nats"]) == {"type", "version", "issuer_account", "tags"}
    assert nkeys.from_seed(signer.seed.encode()).verify(token.rpartition(".")[0].encode(), signature)
    assert token == claims.user_jwt(signer, "A" * 56, one, user.public, NOW, NOW + 60)


def test_an_account_names_permissions_once_for_all_users() -> None:
    operator, account = new_key("operator"), new_key("account")
    token = claims.account_jwt(operator, "acme", account.public, {"instance": new_key("account").public}, {}, NOW)
    (scope,) = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["nats"]["signing_keys"]
    assert "system.heartbeat.acme.{{name()}}" in scope["template"]["pub"]["allow"]
    assert "_INBOX.acme.{{name()}}.>" in scope["template"]["sub"]["allow"]


def member(name: str, kind: Kind = "instance") -> Member:
    return Member("acme", name, kind, new_key("user").public, datetime(2026, 1, 1, tzinfo=UTC))


def test_the_registry_keeps_who_is_there() -> None:
    ann, bob = member("ann"), member("bob", "read_only")
    known = Registry(Server()).with_member(bob).with_member(ann)
    assert known.members == (ann, bob)
    assert decode(encode(known).encode()) == known
    assert known.find("acme", "bob") == bob
    assert known.without(ann).members == (bob,)
    with pytest.raises(NotFoundError, match=r"acme\.cat"):
        known.find("acme", "cat")
    with pytest.raises(UsageError, match="rotate"):
        known.with_member(member("ann"))
    with pytest.raises(ConfigurationError, match="backup"):
        decode(b"{}")
    forged = encode(known).replace('"ann"', '"*"')
    with pytest.raises(ConfigurationError, match="backup"):
        decode(forged.encode())


def test_the_configuration_lists_public_keys_and_the_server_encrypts_if_told() -> None:
    ann = member("ann")
    (user,) = json.loads(users_configuration(Registry(Server(), (ann,))))["authorization"]["users"]
    assert user["nkey"] == ann.public_key
    assert user["permissions"] == allowed(permissions(Identity("acme", "ann", "instance")))


def test_a_server_is_reached_by_its_first_name() -> None:
    assert Server().url == "nats://127.0.0.1:4222"
    assert Server("0.0.0.0", 4333, ("nats.company.com", "localhost"), tls=True).url == "tls://nats.company.com:4333"
    assert Server("0.0.0.0").url == "nats://127.0.0.1:4222"
    written = server_configuration(Server("0.0.0.0", tls=True, mutual=True, names=("a",)), Path('/a "b"'))
    assert 'listen: "0.0.0.0:4222"' in written
    assert "verify: true" in written
    assert '"/a \\"b\\"/tls/server.pem"' in written
    assert "sync_interval: always" in written
