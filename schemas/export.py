"""JSON Schema 2020-12 of every message, made from the structs; `schemas/json` holds what this says.

Released contracts stay in `schemas/released/<version>`: to release, copy `schemas/json` there under the next number.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from schemas.asyncapi import document
from schemas.codec import MESSAGES
from schemas.components import components

ASYNCAPI_FILE: Final = "asyncapi.json"
JSON_DIRECTORY: Final = "json"
SCHEMA_SUFFIX: Final = ".schema.json"


def json_schema(name: str) -> dict[str, Any]:
    """Return the self-contained JSON Schema of one message of `MESSAGES`."""
    (root,), definitions = components([MESSAGES[name]], "#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:flocklore:message:{name}",
        **root,
        "$defs": definitions,
    }


def generated_files() -> dict[str, bytes]:
    """Return every generated file: path below `schemas/` to contents."""
    files = {f"{JSON_DIRECTORY}/{name}{SCHEMA_SUFFIX}": _text(json_schema(name)) for name in MESSAGES}
    return {**files, ASYNCAPI_FILE: _text(document())}


def _text(value: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
