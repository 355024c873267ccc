"""The description of an API follows the standard, and is about what is there."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from shared.web.endpoint import Access, Endpoint, Nothing, Raw
from shared.web.openapi import described
from tests.support.openapi import check

T = TypeVar("T")


class Page(Struct, Generic[T]):
    items: list[T]
    next: str | None = None


class Thing(Struct):
    name: str
    size: Annotated[int, Meta(ge=0)] = 0


class ThingAsked(Struct, forbid_unknown_fields=True):
    thing: str
    limit: Annotated[int, Meta(ge=1, le=10)] = 5


class Change(ThingAsked, forbid_unknown_fields=True, kw_only=True):
    reason: str


async def nothing(_query: object) -> None: ...


async def stream(_request: Request) -> Response:
    return Response()


TABLE: list[Endpoint | Raw] = [
    Endpoint("GET", "/things", Nothing, nothing, Page[Thing], "All."),
    Endpoint("GET", "/things/{thing}", ThingAsked, nothing, Thing, "One."),
    Endpoint("POST", "/things/{thing}", Change, nothing, Thing, "Change one.", Access.WRITE, 201),
    Raw("GET", "/events", stream, "What happens.", media="text/event-stream"),
]


def test_it_follows_the_standard() -> None:
    check(described(TABLE, "A test"))


@pytest.mark.parametrize("broken", ["paths", "openapi"])
def test_the_check_can_fail(broken: str) -> None:
    document = described(TABLE, "A test")
    del document[broken]
    with pytest.raises(jsonschema.ValidationError):
        check(document)


def test_parameters_and_bodies_are_the_fields_of_the_query() -> None:
    paths = described(TABLE, "A test")["paths"]
    (thing, limit) = paths["/things/{thing}"]["get"]["parameters"]
    assert (thing["name"], thing["in"], thing["required"]) == ("thing", "path", True)
    assert (limit["name"], limit["in"], limit["required"]) == ("limit", "query", False)
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 10, "default": 5}
    change = paths["/things/{thing}"]["post"]
    body = change["requestBody"]["content"]["application/json"]["schema"]
    assert (sorted(body["properties"]), body["required"], set(change["responses"])) == (
        ["limit", "reason"], ["reason"], {"201", "default"},
    )  # fmt: skip
    assert [one["in"] for one in change["parameters"]] == ["path"]
    assert "text/event-stream" in paths["/events"]["get"]["responses"]["200"]["content"]


def test_it_says_what_is_open_to_all() -> None:
    table = [Endpoint("GET", "/live", Nothing, nothing, Thing, "Alive.", Access.OPEN)]
    assert described(table, "A test")["paths"]["/live"]["get"]["security"] == []
