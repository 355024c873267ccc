"""Schemas of the structs as msgspec writes them, with the events of an envelope spelled out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from schemas.envelope import Batch
from schemas.events import AnyEvent


def components(types: Iterable[Any], ref_template: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return one schema per type, and the definitions they refer to by `ref_template`, sorted by name."""
    types = list(types)
    roots, definitions = msgspec.json.schema_components(types, ref_template=ref_template)
    if Batch.__name__ in definitions:
        (event,), events = msgspec.json.schema_components([AnyEvent], ref_template=ref_template)
        definitions = {**definitions, **events}
        definitions[Batch.__name__]["properties"]["events"]["items"] = event
    plain = {name: _without_discriminator(definitions[name]) for name in sorted(definitions)}
    return [_without_discriminator(root) for root in roots], plain


def _without_discriminator(node: Any) -> Any:
    """Drop OpenAPI's `discriminator`: no word of JSON Schema, and another thing in AsyncAPI."""
    match node:
        case dict():
            return {key: _without_discriminator(value) for key, value in node.items() if key != "discriminator"}
        case list():
            return [_without_discriminator(item) for item in node]
        case _:
            return node
