from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest

from schemas import headers, subjects
from schemas.asyncapi import document
from schemas.channels import CHANNELS, INBOX, PARAMETERS
from schemas.codec import MESSAGES
from schemas.subjects import Sender, Topic
from tests.contract.golden import EVENTS, NAMES, golden

DOCUMENT = document()
SENDER = Sender("acme", "builder-01")
TOPIC = Topic("code", "pattern")
CONSTANTS = [value for name, value in vars(subjects).items() if name.isupper() and "." in value]
MADE = [
    subjects.learned(TOPIC, SENDER),
    subjects.learned_public(TOPIC),
    subjects.receipt(SENDER),
    subjects.sync(SENDER),
    subjects.route(SENDER),
    subjects.told(SENDER),
    subjects.heartbeat(SENDER),
    subjects.goodbye(SENDER),
    subjects.cache_update("0" * 32),
    subjects.inbox_prefix(SENDER) + ".token",
]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def resolved(reference: str) -> Any:
    node: Any = DOCUMENT
    for key in reference.removeprefix("#/").split("/"):
        node = node[key]
    return node


def covers(address: str, subject: str) -> bool:
    """Whether a concrete subject, or the wildcard for all of them, is said by this address."""
    tokens = re.sub(r"\{\{wildcard\(\d\)\}\}", "*", subject).split(".")
    places = address.split(".")
    return len(tokens) == len(places) and all(
        place.startswith("{") or token == place for token, place in zip(tokens, places, strict=True)
    )


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert found
    for reference in found:
        assert isinstance(resolved(reference), dict), reference


@pytest.mark.parametrize("subject", [*CONSTANTS, *MADE])
def test_every_subject_is_the_address_of_a_channel(subject: str) -> None:
    addresses = [channel["address"] for channel in DOCUMENT["channels"].values()]
    assert any(covers(address, subject) for address in addresses)


def test_every_function_that_makes_a_subject_was_asked() -> None:
    makers = {name for name, value in vars(subjects).items() if callable(value) and name.islower()}
    readers = {"sender_of", "topic_of", "is_name"}
    assert len(makers - readers) == len(MADE)


def test_wildcards_of_subjects_are_those_of_the_channels() -> None:
    wildcards = {channel.wildcard for channel in CHANNELS}
    listened = {subjects.STREAM_SUBJECT, subjects.HEARTBEATS, subjects.GOODBYES, subjects.SYNC_REQUESTS}
    assert listened | {subjects.INSIGHTS, subjects.CACHE_UPDATES} <= wildcards


def test_names_and_addresses_are_given_once() -> None:
    assert len({channel.name for channel in CHANNELS}) == len(CHANNELS)
    assert len({channel.address for channel in CHANNELS} | {INBOX}) == len(CHANNELS) + 1


@pytest.mark.parametrize("name", DOCUMENT["channels"])
def test_the_parameters_of_a_channel_are_those_of_its_address(name: str) -> None:
    channel = DOCUMENT["channels"][name]
    assert set(channel.get("parameters", {})) == set(re.findall(r"\{(\w+)\}", channel["address"]))
    assert set(channel.get("parameters", {})) <= PARAMETERS.keys()


def test_every_message_is_said_somewhere() -> None:
    said = {channel.message for channel in CHANNELS} | {channel.reply for channel in CHANNELS if channel.reply}
    assert said == MESSAGES.keys() - {"event"}


def test_every_channel_has_one_sender_and_every_listener_receives() -> None:
    operations = DOCUMENT["operations"].values()
    for channel in CHANNELS:
        here = [item for item in operations if item["channel"]["$ref"] == f"#/channels/{channel.name}"]
        assert [item["tags"][0]["name"] for item in here if item["action"] == "send"] == [channel.publisher]
        listening = [item["tags"][0]["name"] for item in here if item["action"] == "receive"]
        assert tuple(listening) == channel.listeners
        assert all(("reply" in item) == bool(channel.reply) for item in here)


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["schemas"]))
def test_component_schemas_are_draft_07(name: str) -> None:
    schema = DOCUMENT["components"]["schemas"][name]
    jsonschema.Draft7Validator.check_schema(schema)
    assert "prefixItems" not in json.dumps(schema)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in EVENTS])
def test_golden_messages_follow_the_payload_of_their_message(name: str) -> None:
    payload = DOCUMENT["components"]["messages"][name]["payload"]
    validator = jsonschema.Draft7Validator({**payload, "components": DOCUMENT["components"]})
    validator.validate(json.loads(golden(name)))


def test_a_receipt_with_a_crooked_gap_does_not_follow_its_payload() -> None:
    schema = {"allOf": [{"$ref": "#/components/schemas/Receipt"}], "components": DOCUMENT["components"]}
    crooked = {**json.loads(golden("receipt")), "gaps": [[1, 2, 3]]}
    assert not jsonschema.Draft7Validator(schema).is_valid(crooked)


def test_headers_are_those_the_code_makes() -> None:
    made = {
        headers.MESSAGE_ID: "builder-01.0.1-2.1",
        headers.EXPECTED_STREAM: subjects.STREAM,
        headers.TRACEPARENT: headers.traceparent(),
        **headers.cloudevent(event_id="1", event_type="x.v1", source="/builder-01", subject="code.pattern"),
    }
    schema = DOCUMENT["components"]["schemas"]["StreamHeaders"]
    assert schema["properties"].keys() == made.keys()
    jsonschema.Draft7Validator(schema).validate(made)
    envelope = DOCUMENT["components"]["messages"]["envelope"]
    assert envelope["headers"]["$ref"] == "#/components/schemas/StreamHeaders"


def test_requests_may_be_correlated() -> None:
    asked = {channel.message for channel in CHANNELS if channel.reply}
    for name in asked:
        reference = DOCUMENT["components"]["messages"][name]["headers"]["$ref"]
        assert "correlation-id" in resolved(reference)["properties"]
