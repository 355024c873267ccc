from __future__ import annotations

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import MESSAGES, InvalidMessageError, decode, decode_event, encode, event_hash
from schemas.envelope import EVENTS_MAX, Envelope
from schemas.export import generated_files, json_schema
from schemas.names import is_name
from schemas.subjects import STREAM_SUBJECT, Sender, Topic, learned, sender_of
from tests.contract.golden import EVENTS, NAMES, PACKAGE, golden, message_name
from tests.contract.strategies import messages

SNEAKY_NAMES = ["*", ">", "a.b", "A", "Builder", "", "a" * 64, "abc\n", "-a", "_a", "a b", "é", "a*", "a>"]


def validator(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json_schema(name))


def contains(whole: Any, part: Any) -> bool:
    """Whether every field of `part` stands in `whole`, which may have more of them."""
    if isinstance(part, dict):
        return all(key in whole and contains(whole[key], value) for key, value in part.items())
    if isinstance(part, list):
        return len(whole) == len(part) and all(map(contains, whole, part))
    return bool(whole == part)


def test_every_message_and_event_has_a_golden_message() -> None:
    assert sorted(path.stem for path in (PACKAGE / "golden").iterdir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_golden_messages_decode_and_encode_canonically(name: str) -> None:
    value = decode(golden(name), MESSAGES[message_name(name)])
    canonical = encode(value)
    assert contains(json.loads(canonical), json.loads(golden(name)))
    assert encode(decode(canonical, MESSAGES[message_name(name)])) == canonical
    if name in EVENTS:
        assert type(decode_event(golden(name))) is EVENTS[name]


@pytest.mark.parametrize("name", NAMES)
def test_golden_messages_follow_the_generated_schema(name: str) -> None:
    validator(message_name(name)).validate(json.loads(golden(name)))


@pytest.mark.parametrize("name", sorted(MESSAGES.keys() - {"event"}))
def test_unknown_fields_are_ignored(name: str) -> None:
    document = json.loads(golden(name))
    known = decode(json.dumps(document).encode(), MESSAGES[name])
    assert decode(json.dumps({**document, "of_tomorrow": {"a": [1]}}).encode(), MESSAGES[name]) == known
    validator(name).validate({**document, "of_tomorrow": {"a": [1]}})


@pytest.mark.parametrize(
    "data",
    [
        b'{"type":"code.pattern.learned.v999","id":"' + b"a" * 32 + b'","time":"2026-01-01T00:00:00Z"}',
        b'{"id":"' + b"a" * 32 + b'","time":"2026-01-01T00:00:00Z"}',
        b"",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_what_is_no_event_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidMessageError):
        decode_event(data)


def test_one_unknown_event_leaves_the_envelope_readable() -> None:
    document = json.loads(golden("envelope"))
    document["data"]["events"].append({"type": "of.tomorrow.v1"})
    envelope = decode(json.dumps(document).encode(), Envelope)
    assert len(envelope.data.events) == 3
    with pytest.raises(InvalidMessageError):
        decode_event(envelope.data.events[-1])


def test_an_envelope_schema_describes_its_events() -> None:
    document = json.loads(golden("envelope"))
    assert validator("envelope").is_valid(document)
    document["data"]["events"][0]["fingerprint"] = "no fingerprint"
    assert not validator("envelope").is_valid(document)


@pytest.mark.parametrize("count", [0, EVENTS_MAX + 1])
def test_an_envelope_has_a_bounded_number_of_events(count: int) -> None:
    document = json.loads(golden("envelope"))
    document["data"]["events"] = [{}] * count
    with pytest.raises(InvalidMessageError):
        decode(json.dumps(document).encode(), Envelope)


def test_times_are_described_as_times_with_an_offset() -> None:
    schema = json_schema("envelope")
    assert schema["$defs"]["Envelope"]["properties"]["timestamp"]["format"] == "date-time"
    document = json.loads(golden("envelope")) | {"timestamp": "2026-03-14T09:26:53"}
    with pytest.raises(InvalidMessageError):
        decode(json.dumps(document).encode(), Envelope)


def test_the_hash_of_an_event_is_part_of_the_contract() -> None:
    assert event_hash(b'{"type":"x"}').hex() == "da65329f9165dd1a"


@pytest.mark.parametrize("path", sorted(generated_files()))
def test_committed_files_are_what_the_code_generates(path: str) -> None:
    assert (PACKAGE / path).read_bytes() == generated_files()[path]


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_generated_schemas_are_schemas(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema(name))


@pytest.mark.parametrize("name", sorted(MESSAGES))
@settings(max_examples=30)
@given(data=st.data())
def test_messages_survive_the_wire_and_follow_their_schema(name: str, data: st.DataObject) -> None:
    value = data.draw(messages(MESSAGES[name]))
    wire = encode(value)
    assert decode(wire, MESSAGES[name]) == value
    assert encode(decode(wire, MESSAGES[name])) == wire
    validator(name).validate(json.loads(wire))


@pytest.mark.parametrize("name", SNEAKY_NAMES)
def test_what_could_widen_a_subject_is_no_name(name: str) -> None:
    assert not is_name(name)
    for sender in (Sender(name, "builder-01"), Sender("acme", name)):
        subject = learned(Topic("code", "pattern"), sender)
        kept = subject.count(".") == STREAM_SUBJECT.count(".")  # a dot makes a subject the stream does not keep
        assert not kept or sender_of(subject) is None


@given(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True))
def test_names_come_back_from_the_subject_they_were_put_in(name: str) -> None:
    sender = Sender(name, name)
    assert is_name(name)
    assert sender_of(learned(Topic("code", "pattern"), sender)) == sender
