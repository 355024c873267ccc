"""Signatures of messages, and of one key for the next."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centralcloud.ingest.arrivals import Arrival
from centralcloud.ingest.signatures import Verdict, judge, verified
from schemas.headers import MESSAGE_ID, SIGNATURE, SIGNING_KEY, SUCCESSION
from schemas.signing import LINKS_MAX, envelope_statement
from schemas.subjects import Sender
from shared.signing import Seal, Signer, is_public_key, read, written

ONE, TWO = Sender("default", "one"), Sender("default", "two")
HUB = Signer.new()
SEED = "SUABGFAVCYLRQGI2DMOB2HQ7EAQSEIZEEUTCOKBJFIVSYLJOF4YDCMXRUA"
SUBJECT = "intelligence.code.pattern.learned.default.{}"
headers = st.dictionaries(st.sampled_from([SIGNATURE, SIGNING_KEY, SUCCESSION, MESSAGE_ID]), st.text(max_size=200))


def seal_of(signer: Signer, subject: str, body: bytes, message_id: str = "id") -> Seal:
    found = Seal.of(signer.seal(subject, message_id, body) | {MESSAGE_ID: message_id})
    assert found is not None
    return found


def arrival(sender: Sender, signer: Signer | None, *, first_seq: int = 1) -> Arrival:
    subject, body = SUBJECT.format(sender.instance), b"{}"
    seal = seal_of(signer, subject, body) if signer else None
    return Arrival(sender, "0" * 32, first_seq, (), (), "", subject, body, seal)


def judged(*arrivals: Arrival, known: dict[Sender, str] | None = None, required: bool = False) -> Verdict:
    return judge(verified(arrivals), known or {}, HUB.public, required=required)


def test_what_is_signed_is_the_subject_the_id_and_the_body() -> None:
    statement = envelope_statement("a.b", "id", b"body")
    assert statement == (
        b"flocklore-envelope-v1\na.b\nid\nbfc4d85b5328076166b7e3779b2dde9c0a2dde14eb0c5fc827cc4201d7fdabf1"
    )
    assert Signer(SEED).seal("a.b", "id", b"body") == {
        SIGNING_KEY: "UBA2ROYQA37A3FZ37PA36RUEHINFQKNE4RG6WY5SYHLOII7HK23AMDJA",
        SIGNATURE: "y4i9tQo2jqp_tsVG5Dfx_1EsIRwsm-78ecyvd5-cXnd1ryi8gbX2kWcLNdZWVvE5-sMH05z9qxNH9Vkc9AuHAQ",
    }


@pytest.mark.parametrize("change", ["subject", "body", "id", "key"])
def test_nothing_of_it_can_be_changed(change: str) -> None:
    seal = seal_of(Signer.new(), "a.b", b"body")
    assert seal.fits("a.b", b"body")
    other = {"id": seal._replace(message_id="other"), "key": seal._replace(key=Signer.new().public)}.get(change, seal)
    assert not other.fits("a.c" if change == "subject" else "a.b", b"other" if change == "body" else b"body")


def test_a_key_vouches_for_the_next_of_the_same_instance_alone() -> None:
    first = Signer.new()
    second = first.followed(ONE)
    third = second.followed(ONE)
    seal = seal_of(third, "a.b", b"")
    assert seal.follows(first.public, ONE)
    assert seal.follows(second.public, ONE)
    assert not seal.follows(first.public, TWO)
    assert not seal.follows(Signer.new().public, ONE)
    assert not seal._replace(key=Signer.new().public).follows(first.public, ONE)


def test_a_chain_without_one_of_its_links_is_none() -> None:
    first = Signer.new()
    third = first.followed(ONE).followed(ONE)
    torn = Signer(third.seed, third.succession[:1])
    assert not seal_of(torn, "a.b", b"").follows(first.public, ONE)


def test_only_so_many_keys_are_told_of() -> None:
    signer = Signer.new()
    for _ in range(LINKS_MAX + 3):
        signer = signer.followed(ONE)
    assert len(signer.succession) == LINKS_MAX
    assert read(written(signer.succession)) == signer.succession


def test_a_key_is_known_by_its_checksum_and_shows_no_secret() -> None:
    signer = Signer(SEED)
    assert is_public_key(signer.public)
    assert SEED not in repr(signer)
    assert SEED not in f"{seal_of(signer, 'a.b', b'')}"
    torn = f"{signer.public[:20]}AAAA{signer.public[24:]}"
    for wrong in ("", "U", SEED, torn, signer.public.lower(), "\u00dc" * 56, f"{signer.public}\n"):
        assert not is_public_key(wrong)


@given(headers, st.text(max_size=60), st.binary(max_size=60))
def test_no_header_is_taken_for_a_signature(said: dict[str, str], subject: str, body: bytes) -> None:
    seal = Seal.of(said)
    if seal is not None:
        assert not seal.fits(subject, body)
        assert not seal.follows(Signer(SEED).public, ONE)


def test_who_signed_once_must_go_on_to() -> None:
    mine, other = Signer.new(), Signer.new()
    found = judged(arrival(ONE, None), arrival(ONE, mine), arrival(ONE, None), arrival(ONE, other), arrival(TWO, None))
    assert [reason for _, reason in found.refused] == ["missing", "another key"]
    assert (len(found.taken), found.first) == (3, {ONE: mine.public})


def test_a_signature_of_something_else_is_refused_and_its_key_not_learned() -> None:
    stolen = arrival(TWO, Signer.new()).seal
    found = judged(Arrival(ONE, "0" * 32, 1, (), (), "", SUBJECT.format("one"), b"{}", stolen))
    assert ([reason for _, reason in found.refused], found.first) == (["wrong"], {})


def test_nothing_unsigned_is_taken_where_signatures_are_required() -> None:
    assert [reason for _, reason in judged(arrival(ONE, None), required=True).refused] == ["missing"]


def test_hubs_vouch_for_whom_they_take_in_and_are_not_taken_for_him() -> None:
    mine = Signer.new()
    found = judged(arrival(ONE, HUB), arrival(ONE, mine), arrival(ONE, HUB), required=True)
    assert (found.refused, found.first, len(found.taken)) == ([], {ONE: mine.public}, 3)


def test_a_key_follows_another_and_the_old_one_is_worth_nothing_from_then_on() -> None:
    old = Signer.new()
    new = old.followed(ONE)
    found = judged(arrival(ONE, old), arrival(ONE, new), arrival(ONE, old), known={ONE: old.public})
    assert found.followed == [(ONE, old.public, new.public)]
    assert [reason for _, reason in found.refused] == ["another key"]
