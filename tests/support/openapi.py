"""Whether a description of an API follows OpenAPI 3.1, as far as that can be seen without knowing what it describes."""

from __future__ import annotations

import re
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no types
import msgspec

METHODS = {"get", "post", "put", "delete"}

SHAPE = {
    "type": "object",
    "required": ["openapi", "info", "paths"],
    "additionalProperties": False,
    "properties": {
        "openapi": {"const": "3.1.0"},
        "info": {"type": "object", "required": ["title", "version"]},
        "components": {"type": "object"},
        "paths": {
            "type": "object",
            "propertyNames": {"pattern": "^/"},
            "additionalProperties": {
                "type": "object",
                "propertyNames": {"enum": sorted(METHODS)},
                "additionalProperties": {
                    "type": "object",
                    "required": ["responses", "summary", "operationId"],
                    "properties": {
                        "responses": {
                            "type": "object",
                            "minProperties": 1,
                            "propertyNames": {"pattern": "^([1-5][0-9][0-9]|default)$"},
                            "additionalProperties": {"type": "object", "required": ["description"]},
                        },
                        "parameters": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "required": ["name", "in", "schema"],
                                "properties": {"in": {"enum": ["path", "query"]}},
                                "if": {"properties": {"in": {"const": "path"}}},
                                "then": {"properties": {"required": {"const": True}}},
                            },
                        },
                        "requestBody": {"type": "object", "required": ["content"]},
                    },
                },
            },
        },
    },
}
"""What the standard asks of the parts that we write."""


def _references(document: Any) -> set[str]:
    return set(re.findall(r'"\$ref": ?"([^"]+)"', msgspec.json.encode(document).decode()))


def check(document: Any) -> None:
    """Check a description as far as it can be without knowing what it describes."""
    document = msgspec.json.decode(msgspec.json.encode(document))
    jsonschema.Draft202012Validator(SHAPE).validate(document)
    for reference in _references(document):
        at = document
        for step in reference.removeprefix("#/").split("/"):
            at = at[step]
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    names = []
    for path, operations in document["paths"].items():
        for operation in operations.values():
            names.append(operation["operationId"])
            in_path = [one["name"] for one in operation.get("parameters", []) if one["in"] == "path"]
            assert in_path == re.findall(r"{(\w+)}", path)
            for one in operation.get("parameters", []):
                jsonschema.Draft202012Validator.check_schema(one["schema"])
    assert len(set(names)) == len(names)
