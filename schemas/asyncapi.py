"""The AsyncAPI 3.0.0 document of the bus, made from `CHANNELS` and `MESSAGES`."""

from __future__ import annotations

from typing import Any, Final

from schemas.channels import CHANNELS, INBOX, INSIGHT_TOPICS, PARAMETERS, Channel, Party
from schemas.codec import MESSAGES
from schemas.components import components
from schemas.headers import EXPECTED_STREAM, MESSAGE_ID, TRACEPARENT
from schemas.subjects import STREAM

CONTRACT_VERSION: Final = "1.0"
_INBOX_NAME: Final = "inbox"
_KEPT: Final = "envelope"
"""The one message the stream keeps."""
_EVENT: Final = "event"
"""Never a message of its own: events travel inside an envelope."""

_REQUESTS: Final = frozenset(channel.message for channel in CHANNELS if channel.reply)

_TEXT: Final = {"type": "string"}
_STREAM_HEADERS: Final[dict[str, dict[str, Any]]] = {
    MESSAGE_ID: {
        **_TEXT,
        "description": "`<instance>.<epoch>.<first>-<last>.<attempt>`: kept by a retry, the next attempt for a replay.",
    },
    EXPECTED_STREAM: {**_TEXT, "const": STREAM},
    TRACEPARENT: {**_TEXT, "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"},
    "ce-specversion": {**_TEXT, "const": "1.0"},
    "ce-id": {**_TEXT, "description": "Unique with ce-source."},
    "ce-type": {**_TEXT, "description": "The `type` of the message."},
    "ce-source": {**_TEXT, "description": "Who made it, percent-encoded."},
    "ce-time": {**_TEXT, "format": "date-time"},
    "content-type": {**_TEXT, "const": "application/json"},
}
_HEADERS: Final[dict[str, dict[str, Any]]] = {
    "StreamHeaders": {
        "type": "object",
        "description": "CloudEvents 1.0 in binary mode, and a trace.",
        "properties": {**_STREAM_HEADERS, "ce-subject": {**_TEXT, "description": "What it is about."}},
        "required": list(_STREAM_HEADERS),
    },
    "RequestHeaders": {
        "type": "object",
        "properties": {"correlation-id": {**_TEXT, "description": "Comes back in the reply."}},
    },
}


def document() -> dict[str, Any]:
    """Build the whole document; the same code always gives the same document."""
    names = [name for name in MESSAGES if name != _EVENT]
    roots, definitions = components([MESSAGES[name] for name in names], "#/components/schemas/{name}")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Flocklore bus",
            "version": CONTRACT_VERSION,
            "description": "What instances and centralcloud say to each other over NATS.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {**{channel.name: _channel(channel) for channel in CHANNELS}, _INBOX_NAME: _inbox()},
        "operations": {name: operation for channel in CHANNELS for name, operation in _operations(channel)},
        "components": {
            "messages": {name: _message(name, root) for name, root in zip(names, roots, strict=True)},
            "schemas": {name: _draft_07(schema) for name, schema in definitions.items()} | _HEADERS,
            "parameters": {name: _parameter(name) for name in PARAMETERS},
        },
    }


def _channel(channel: Channel) -> dict[str, Any]:
    return _addressed(channel.address, channel.description, [channel.message])


def _inbox() -> dict[str, Any]:
    replies = sorted({channel.reply for channel in CHANNELS if channel.reply})
    return _addressed(INBOX, "Replies to the requests of one instance.", replies)


def _addressed(address: str, description: str, messages: list[str]) -> dict[str, Any]:
    channel = {
        "address": address,
        "description": description,
        "messages": {message: {"$ref": f"#/components/messages/{message}"} for message in messages},
    }
    parameters = {name: {"$ref": f"#/components/parameters/{name}"} for name in PARAMETERS if f"{{{name}}}" in address}
    return {**channel, "parameters": parameters} if parameters else channel


def _operations(channel: Channel) -> list[tuple[str, dict[str, Any]]]:
    """One operation for the publisher, one for each listener; `tags` says whose it is."""
    parties = [(channel.publisher, "send"), *((party, "receive") for party in channel.listeners)]
    return [(f"{party}.{action}.{channel.name}", _operation(channel, party, action)) for party, action in parties]


def _operation(channel: Channel, party: Party, action: str) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel.name}"},
        "messages": [{"$ref": f"#/channels/{channel.name}/messages/{channel.message}"}],
        "tags": [{"name": party}],
    }
    if channel.reply:
        operation["reply"] = {
            "channel": {"$ref": f"#/channels/{_INBOX_NAME}"},
            "messages": [{"$ref": f"#/channels/{_INBOX_NAME}/messages/{channel.reply}"}],
        }
    return operation


def _message(name: str, payload: dict[str, Any]) -> dict[str, Any]:
    headers = "StreamHeaders" if name == _KEPT else "RequestHeaders" if name in _REQUESTS else None
    message = {"name": name, "payload": payload}
    return {**message, "headers": {"$ref": f"#/components/schemas/{headers}"}} if headers else message


def _parameter(name: str) -> dict[str, Any]:
    parameter: dict[str, Any] = {"description": PARAMETERS[name]}
    return {**parameter, "enum": list(INSIGHT_TOPICS)} if name == "topic" else parameter


def _draft_07(node: Any) -> Any:
    """Rewrite tuples as draft 07 has them: AsyncAPI's schema objects are a superset of that draft."""
    match node:
        case {"prefixItems": first, **rest}:
            rest["additionalItems"] = rest.pop("items", True)
            return {**_draft_07(rest), "items": _draft_07(first)}
        case dict():
            return {key: _draft_07(value) for key, value in node.items()}
        case list():
            return [_draft_07(item) for item in node]
        case _:
            return node
