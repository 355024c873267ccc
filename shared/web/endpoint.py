"""What can be asked over HTTP: each endpoint is a function from one struct to one value."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from enum import Enum, auto
from typing import Any, Final, Literal, NamedTuple, TypeVar

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from starlette.requests import Request
from starlette.responses import Response

from shared.database import transaction

BODY_BYTES_MAX: Final = 1 << 20
ANSWER_SECONDS_MAX: Final = 10.0
TRANSACTION_SECONDS_MAX: Final = 4.0
JSON: Final = "application/json"

Q = TypeVar("Q")
R = TypeVar("R")

Begin = Callable[[AsyncEngine, Q], AbstractAsyncContextManager[AsyncConnection]]
"""Begins the transaction in which a query is answered."""

Method = Literal["GET", "POST", "PUT", "DELETE"]


class Access(Enum):
    """Who may: everybody, who may read, who may change."""

    OPEN = auto()
    READ = auto()
    WRITE = auto()


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """The query of an endpoint that is to be told nothing."""


class Reply(NamedTuple):
    """What an answer returns when it is to have another status than its endpoint says, or headers of its own."""

    value: Any
    status: int
    headers: Mapping[str, str] = {}


class Endpoint(NamedTuple):
    """A function from a struct to a value of type `result`, and where it is found.

    The fields of `query` are the parameters of the path, those of the query string and, of a POST or PUT, those of
    its JSON body together. Words are converted to what the fields are; what is no field is refused.
    """

    method: Method
    path: str
    """As in `/api/v1/instances/{instance}`."""
    query: type[Struct]
    answer: Callable[[Any], Awaitable[Any]]
    """Returns a value of `result`, or a `Reply` with one. What it raises becomes an error by `refusal.of`."""
    result: Any
    summary: str
    access: Access = Access.READ
    status: int = 200
    body_bytes_max: int = BODY_BYTES_MAX
    seconds_max: float = ANSWER_SECONDS_MAX
    tenant_answer: Callable[[Any], Awaitable[Any]] | None = None
    """What answers who has the token of one tenant, and asks about that one; None: such a token is not for this."""

    @property
    def of_tenants(self) -> bool:
        """Whether who has the token of one tenant may ask."""
        return self.tenant_answer is not None


class Raw(NamedTuple):
    """An endpoint that reads its request and writes its response itself: streams, other forms than JSON."""

    method: Method
    path: str
    answer: Callable[[Request], Awaitable[Response]]
    """What it raises becomes an error by `refusal.of`, until its response has begun."""
    summary: str
    access: Access = Access.READ
    status: int = 200
    media: str = JSON
    """What it answers with, for the description."""
    tells_problems: bool = True
    """Whether what it refuses is told as everywhere; otherwise in a form of its own."""
    body_bytes_max: int = BODY_BYTES_MAX
    of_tenants: bool = False
    """As of an `Endpoint`; it is to see to it by `asked.bound`."""


def plainly(engine: AsyncEngine, _query: object) -> AbstractAsyncContextManager[AsyncConnection]:
    """Begin a transaction that sees everything."""
    return transaction(engine)


def reading(
    engine: AsyncEngine, answer: Callable[[AsyncConnection, Q], Awaitable[R]], begin: Begin[Q] = plainly
) -> Callable[[Q], Awaitable[R]]:
    """Have an answer read in a transaction of its own, in which the database refuses every change."""
    return _transacting(engine.execution_options(postgresql_readonly=True), answer, begin)


def writing(
    engine: AsyncEngine, answer: Callable[[AsyncConnection, Q], Awaitable[R]], begin: Begin[Q] = plainly
) -> Callable[[Q], Awaitable[R]]:
    """Have an answer change things in a transaction of its own, committed before it is given."""
    return _transacting(engine, answer, begin)


def _transacting(
    engine: AsyncEngine, answer: Callable[[AsyncConnection, Q], Awaitable[R]], begin: Begin[Q]
) -> Callable[[Q], Awaitable[R]]:
    async def answered(query: Q) -> R:
        async with asyncio.timeout(TRANSACTION_SECONDS_MAX), begin(engine, query) as connection:
            return await answer(connection, query)

    return answered
