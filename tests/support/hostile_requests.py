"""Requests nobody honest makes, of everything a description of an API names, and whether answers are as it says."""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import jsonschema  # type: ignore[import-untyped]  # ships no types
import msgspec

from tests.support.hostile import TEXTS, VALUES, bent, written
from tests.support.http import Answer, exchange

AT_ONCE: Final = 8
IDS: Final = (0, 1, 2, -1, 2**31, 2**63 - 1, 2**63, "1", 1.0, 1e18, None)
PATHS: Final = ("..", "%2e%2e", "%2F", "a%2Fb", "%00", "%ff", "%", "%zz", ".", "*", "a;b", "a%3Fb", "%C0%AF", "")
FORMS: Final = (*["application/json"] * 8, "", "text/plain", "application/json; charset=utf-16", "multipart/form-data")
HOSTS: Final = ("", "[", "[::1", "]", "evil.example", "127.0.0.1:x", "localhost:99999999999", "\xff", "a" * 3000, "%00")
ORIGINS: Final = ("null", "http://[", "http://evil.example", "\xff", "//", "http://localhost:x", "a" * 3000)
TOKENS: Final = ("", "Bearer", "Bearer ", "Bearer \xff\xfe", "Basic Og==", "bearer " + "x" * 3000, "Bearer a b c")


def place(*parts: Any) -> str:
    """A place in a list, written as ours are."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


_PARTS: Final[tuple[Any, ...]] = (
    0, 1, -1, 2**31, 2**63 - 1, 2**63, 10**400, 1.5, "", "\0", "f" * 32, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", None, [], {},
)  # fmt: skip
_CUT: Final = ("=", "%", "AA", "\u00e9", "A" * 300, "A" * 3000, "bnVsbA", "W10", "W1tbW1s", "_" * 8)
PLACES: Final = (
    *_CUT,
    *(place(one) for one in _PARTS),
    *(place(one, other) for one in _PARTS for other in _PARTS),
)


class Operation(NamedTuple):
    """One method of one path, as described."""

    path: str
    method: str
    told: Mapping[str, Any]


class Asked(NamedTuple):
    """One request."""

    operation: Operation
    path: str
    body: bytes
    headers: Mapping[str, str]


def operations(document: Mapping[str, Any], but: Sequence[str] = ()) -> list[Operation]:
    """Everything described, but paths that begin in some ways."""
    return [
        Operation(path, method.upper(), told)
        for path, methods in document["paths"].items()
        if not path.startswith(tuple(but))
        for method, told in methods.items()
    ]


class Requests:
    """Makes requests; `known` are values of parameters that name something there is."""

    def __init__(self, many: Sequence[Operation], known: Mapping[str, Sequence[Any]], chance: random.Random) -> None:
        self._many = many
        self._known = known
        self._chance = chance

    def make(self) -> Asked:
        """Return the next request."""
        chance = self._chance
        operation = chance.choice(self._many)
        path, query = operation.path, []
        for one in operation.told.get("parameters", ()):
            name = one["name"]
            if one["in"] == "path":
                path = path.replace(f"{{{name}}}", self._step(name))
            elif chance.random() < (0.7 if name == "after" else 0.35):
                query.append(f"{name}={_quoted(self._value(name))}")
        if chance.random() < 0.05:
            query.append(f"{_quoted(chance.choice(TEXTS))}={_quoted(chance.choice(TEXTS))}")
        body, headers = self._body(operation)
        return Asked(operation, path + ("?" + "&".join(query) if query else ""), body, headers | self._headers())

    def _value(self, name: str) -> Any:
        if name in self._known and self._chance.random() < 0.5:
            return self._chance.choice(self._known[name])
        if name == "after":
            return self._chance.choice(PLACES)
        return self._chance.choice(VALUES)

    def _step(self, name: str) -> str:
        if self._chance.random() < 0.1:
            return self._chance.choice(PATHS)
        return _quoted(self._value(name), safe="")

    def _body(self, operation: Operation) -> tuple[bytes, dict[str, str]]:
        if "requestBody" not in operation.told:
            return b"", {}
        schema = operation.told["requestBody"]["content"]["application/json"]["schema"]
        told = {name: self._value(name) for name in schema["properties"] if self._chance.random() < 0.6}
        if "ids" in schema["properties"] and self._chance.random() < 0.7:
            told["ids"] = [self._chance.choice(IDS)] * self._chance.choice((1, 2, 1000, 1001))
        if told and self._chance.random() < 0.3:
            told = bent(told, self._chance)
        return written(told, self._chance), {"Content-Type": self._chance.choice(FORMS)}

    def _headers(self) -> dict[str, str]:
        if self._chance.random() < 0.9:
            return {}
        name, values = self._chance.choice((("Host", HOSTS), ("Origin", ORIGINS), ("Authorization", TOKENS)))
        return {name: self._chance.choice(values)}


def _quoted(value: Any, safe: str = "/") -> str:
    told = value if isinstance(value, str) else json.dumps(value)
    return quote(told.encode("utf-8", "surrogatepass"), safe=safe)


class Judge:
    """Compares answers with the description: status and schema."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._components = document["components"]
        self._validators: dict[tuple[str, int], Any] = {}

    def flaws(self, asked: Asked, answer: Answer) -> Iterator[str]:
        """Say what is wrong with an answer."""
        if answer.status >= 500:
            yield f"{answer.status} {answer.body[:300]!r}"
        elif not answer.body:
            if answer.status != 307:  # without its last part the path is another one, with a slash too many
                yield f"{answer.status} without a word"
        elif answer.headers["content-type"].partition(";")[0] == "application/json":
            validator = self._validator(asked.operation, answer.status)
            for error in validator.iter_errors(msgspec.json.decode(answer.body)):
                yield f"{answer.status} {error.json_path}: {error.message[:200]}"

    def _validator(self, operation: Operation, status: int) -> Any:
        key = operation.told["operationId"], status
        if key not in self._validators:
            responses = operation.told["responses"]
            content = responses.get(str(status), responses["default"])["content"]
            schema = content.get("application/json", {}).get("schema", {})
            self._validators[key] = jsonschema.Draft202012Validator({**schema, "components": self._components})
        return self._validators[key]


class Found(NamedTuple):
    """How many answers had which status, and what was wrong with which."""

    statuses: Counter[int]
    flaws: list[str]


async def ask_all(port: int, many: Iterable[Asked], judge: Judge) -> Found:
    """Ask, some at a time, and judge the answers."""
    found = Found(Counter(), [])
    waiting = iter(many)

    async def ask_on() -> None:
        for asked in waiting:
            method = asked.operation.method
            answer = await asyncio.to_thread(exchange, port, method, asked.path, asked.body, asked.headers)
            found.statuses[answer.status] += 1
            found.flaws.extend(f"{method} {asked.path}: {flaw}" for flaw in judge.flaws(asked, answer))

    await asyncio.gather(*(ask_on() for _ in range(AT_ONCE)))
    return found
