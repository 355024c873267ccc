from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from schemas.codec import MESSAGES
from schemas.compatibility import breakages
from schemas.export import json_schema

Edit = Callable[[dict[str, Any]], object]


def tagged(tag: str) -> dict[str, Any]:
    return {"type": "object", "properties": {"type": {"enum": [tag]}}, "required": ["type"]}


OLD: dict[str, Any] = {
    "$ref": "#/$defs/Parcel",
    "$defs": {
        "Parcel": {
            "type": "object",
            "properties": {
                "type": {"enum": ["parcel.v1"]},
                "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 9},
                "weight": {"type": "integer", "minimum": 0, "maximum": 100},
                "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
                "state": {"$ref": "#/$defs/State"},
                "sent": {"type": "string", "format": "date-time"},
                "size": {"type": "array", "prefixItems": [{"type": "integer"}] * 2, "items": False},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "parts": {"type": "array", "items": {"$ref": "#/$defs/Part"}, "minItems": 1},
                "inner": {"anyOf": [{"$ref": "#/$defs/Parcel"}, {"type": "null"}], "default": None},
            },
            "required": ["type", "name", "weight"],
        },
        "State": {"enum": ["open", "closed"]},
        "Part": {"anyOf": [{"$ref": "#/$defs/Bolt"}, {"$ref": "#/$defs/Nut"}]},
        "Bolt": tagged("bolt.v1"),
        "Nut": tagged("nut.v1"),
        "Washer": tagged("washer.v1"),
    },
}


def fields(schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schema["$defs"]["Parcel"]["properties"]
    return found


def required(schema: dict[str, Any]) -> list[str]:
    found: list[str] = schema["$defs"]["Parcel"]["required"]
    return found


def edited(edit: Edit) -> dict[str, Any]:
    schema = copy.deepcopy(OLD)
    edit(schema)
    return schema


ADDITIONS: dict[str, Edit] = {
    "nothing": lambda new: new,
    "optional field": lambda new: fields(new).update(colour={"type": "string", "default": ""}),
    "enum value": lambda new: new["$defs"]["State"]["enum"].append("lost"),
    "tag": lambda new: new["$defs"]["Part"]["anyOf"].append({"$ref": "#/$defs/Washer"}),
    "wider bounds": lambda new: fields(new)["weight"].update(minimum=-1, maximum=101),
    "no bound": lambda new: fields(new)["weight"].pop("maximum"),
    "description": lambda new: fields(new)["name"].update(description="what it is called"),
    "renamed definition": lambda new: (
        new["$defs"].update(Condition=new["$defs"].pop("State")),
        fields(new)["state"].update({"$ref": "#/$defs/Condition"}),
    ),
}

BREAKAGES: dict[str, tuple[Edit, str, str]] = {
    "new required field": (
        lambda new: new["$defs"]["Parcel"].update(
            properties=fields(new) | {"colour": {"type": "string"}}, required=[*required(new), "colour"]
        ),
        "$.colour",
        "field is now required",
    ),
    "optional field made required": (
        lambda new: required(new).append("note"),
        "$.note",
        "field is now required",
    ),
    "required field made optional": (
        lambda new: required(new).remove("weight"),
        "$.weight",
        "field is no longer required",
    ),
    "removed field": (lambda new: fields(new).pop("note"), "$.note", "field removed"),
    "type changed": (
        lambda new: fields(new)["weight"].update(type="number"),
        "$.weight",
        "type integer removed",
    ),
    "null added": (
        lambda new: fields(new).update(weight={"anyOf": [fields(new)["weight"], {"type": "null"}]}),
        "$.weight",
        "type null added",
    ),
    "null removed": (
        lambda new: fields(new).update(note={"type": "string", "default": None}),
        "$.note",
        "type null removed",
    ),
    "default changed": (lambda new: fields(new)["note"].update(default=""), "$.note", "default changed"),
    "enum value removed": (
        lambda new: new["$defs"]["State"]["enum"].remove("open"),
        "$.state",
        "enum value 'open' removed",
    ),
    "minimum raised": (
        lambda new: fields(new)["weight"].update(minimum=1),
        "$.weight",
        "minimum tightened to 1",
    ),
    "maximum lowered": (
        lambda new: fields(new)["weight"].update(maximum=99),
        "$.weight",
        "maximum tightened to 99",
    ),
    "bound added": (
        lambda new: fields(new)["name"].update(minLength=1),
        "$.name",
        "minLength tightened to 1",
    ),
    "array bound": (
        lambda new: fields(new)["parts"].update(minItems=2),
        "$.parts",
        "minItems tightened to 2",
    ),
    "pattern changed": (
        lambda new: fields(new)["name"].update(pattern="^[a-z0-9]+$"),
        "$.name",
        "pattern changed",
    ),
    "format removed": (lambda new: fields(new)["sent"].pop("format"), "$.sent", "format changed"),
    "own tag changed": (
        lambda new: fields(new).update(type={"enum": ["parcel.v2"]}),
        "$",
        "tag parcel.v1 removed",
    ),
    "tag removed": (
        lambda new: new["$defs"]["Part"]["anyOf"].pop(),
        "$.parts[]",
        "tag nut.v1 removed",
    ),
    "field of a member": (
        lambda new: new["$defs"]["Bolt"]["required"].append("thread"),
        "$.parts[].thread",
        "field is now required",
    ),
    "tuple grown": (
        lambda new: fields(new)["size"]["prefixItems"].append({"type": "integer"}),
        "$.size",
        "tuple of 2 became tuple of 3",
    ),
    "tuple member changed": (
        lambda new: fields(new)["size"].update(prefixItems=[{"type": "integer"}, {"type": "string"}]),
        "$.size[1]",
        "type integer removed",
    ),
    "mapping value changed": (
        lambda new: fields(new)["labels"].update(additionalProperties={"type": "integer"}),
        "$.labels.*",
        "type string removed",
    ),
    "more fields forbidden": (
        lambda new: new["$defs"]["Parcel"].update(additionalProperties=False),
        "$.*",
        "nothing more is allowed",
    ),
}


@pytest.mark.parametrize("edit", ADDITIONS.values(), ids=ADDITIONS.keys())
def test_additions_are_compatible(edit: Edit) -> None:
    assert breakages(OLD, edited(edit)) == []


@pytest.mark.parametrize(("edit", "path", "problem"), BREAKAGES.values(), ids=BREAKAGES.keys())
def test_breakages_name_their_place(edit: Edit, path: str, problem: str) -> None:
    found = breakages(OLD, edited(edit))
    assert any(item.path == path and problem in item.problem for item in found), found
    assert {item.path for item in found} == {path}


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_every_message_is_compatible_with_itself(name: str) -> None:
    assert breakages(json_schema(name), json_schema(name)) == []


def test_an_event_inside_an_envelope_is_compared_too() -> None:
    new = json_schema("envelope")
    del new["$defs"]["CodePatternLearned"]["properties"]["language"]
    new["$defs"]["CodePatternLearned"]["required"].remove("language")
    found = breakages(json_schema("envelope"), new)
    assert [(item.path, item.problem) for item in found] == [("$.data.events[].language", "field removed")]
