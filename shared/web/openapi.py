"""The description of an API, from its table of endpoints: OpenAPI 3.1."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from shared.version import VERSION
from shared.web.endpoint import Access, Endpoint, Raw
from shared.web.refusal import Problem

_REFERENCES: Final = "#/components/schemas/{name}"
_IN_PATH: Final = re.compile(r"{(\w+)(?::\w+)?}")
_REFUSALS: Final = {"default": "What went wrong, and whether it is worth trying again."}


def described(endpoints: Sequence[Endpoint | Raw], title: str) -> dict[str, Any]:
    """Describe endpoints; types are named once, under `components`."""
    typed = [one for one in endpoints if isinstance(one, Endpoint)]
    types = [Problem, *(one.query for one in typed), *(one.result for one in typed)]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCES)
    problem, queries, results = schemas[0], schemas[1 : 1 + len(typed)], schemas[1 + len(typed) :]
    told = {id(one): (query, result) for one, query, result in zip(typed, queries, results, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for one in endpoints:
        query, result = told.get(id(one), (None, None))
        operation = _operation(one, problem, result) | _inputs(one, query, components)
        paths.setdefault(_IN_PATH.sub(r"{\1}", one.path), {})[one.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": VERSION},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(one: Endpoint | Raw, problem: dict[str, Any], result: dict[str, Any] | None) -> dict[str, Any]:
    media = one.media if isinstance(one, Raw) else "application/json"
    content = {media: {"schema": result} if result is not None else {}}
    told = problem if isinstance(one, Endpoint) or one.tells_problems else {}
    return {
        "summary": one.summary,
        "operationId": _name(one),
        "security": [] if one.access is Access.OPEN else [{"token": []}, {}],
        "responses": {
            str(one.status): {"description": "The answer.", "content": content},
            "default": {"description": _REFUSALS["default"], "content": {"application/json": {"schema": told}}},
        },
    }


def _inputs(one: Endpoint | Raw, query: dict[str, Any] | None, components: dict[str, Any]) -> dict[str, Any]:
    """Parameters of the path and the query string, and the body of what has one."""
    in_path = _IN_PATH.findall(one.path)
    parameters = [_parameter(name, "path", {"type": "string"}, required=True) for name in in_path]
    if query is None:
        return {"parameters": parameters}
    described = components[query["$ref"].rpartition("/")[2]]
    required = described.get("required", [])
    known: dict[str, Any] = described.get("properties", {})
    parameters = [_parameter(name, "path", known.get(name, {"type": "string"}), required=True) for name in in_path]
    others = {name: schema for name, schema in known.items() if name not in in_path}
    if one.method in ("POST", "PUT") and others:
        needed = [name for name in required if name in others]
        body = {"type": "object", "properties": others, "additionalProperties": False, "required": needed}
        content = {"application/json": {"schema": body}}
        return {"parameters": parameters, "requestBody": {"content": content, "required": bool(needed)}}
    parameters += [_parameter(name, "query", schema, required=name in required) for name, schema in others.items()]
    return {"parameters": parameters}


def _parameter(name: str, where: str, schema: dict[str, Any], *, required: bool) -> dict[str, Any]:
    return {"name": name, "in": where, "required": required, "schema": schema}


def _name(one: Endpoint | Raw) -> str:
    words = re.findall(r"\w+", one.path)
    return "_".join([one.method.lower(), *words]) if words else f"{one.method.lower()}_root"
