"""Reads that go to a replica of the database while it may be read, and say how stale they are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from shared.errors import NotFoundError
from shared.replica import PassedOverError, Replica
from shared.staleness import Lag
from shared.web import endpoint
from shared.web.asked import WANTS_PRIMARY
from shared.web.endpoint import Access, Begin, Endpoint, Q, R, Raw, Reply, plainly, reading

SOURCE: Final = "flocklore-source"
STALE_SECONDS: Final = "flocklore-stale-seconds"
STALE_BYTES: Final = "flocklore-stale-bytes"
"""Headers of every answer that could have come from a replica: where it came from, and how stale it is at most."""

_CURRENT: Final = Lag(0.0, 0)


def reading_nearby(
    replica: Replica,
    answer: Callable[[AsyncConnection, Q], Awaitable[Any]],
    begin: Begin[Q] = plainly,
) -> Callable[[Q], Awaitable[Reply]]:
    """As `endpoint.reading`, on the replica; on the primary where that is passed over, or has not what is asked for."""
    on_primary = reading(replica.primary, answer, begin)

    async def answered(query: Q) -> Reply:
        try:
            value, lag = await on_replica(query)
        except PassedOverError as passed:
            why = str(passed.why)
        except NotFoundError:
            why = "missing"
        else:
            replica.metrics.replica_reads.labels("replica", "").inc()
            return Reply(value, 200, _headers("replica", lag))
        replica.metrics.replica_reads.labels("primary", why).inc()
        return Reply(await on_primary(query), 200, _headers("primary", _CURRENT))

    async def on_replica(query: Q) -> tuple[Any, Lag]:
        if WANTS_PRIMARY.get():
            raise PassedOverError("asked")
        async with (
            asyncio.timeout(endpoint.TRANSACTION_SECONDS_MAX),
            replica.reading(lambda engine: begin(engine, query)) as (connection, lag),
        ):
            return await answer(connection, query), lag

    return answered


def changes_told(replica: Replica, one: Endpoint | Raw) -> Endpoint | Raw:
    """The same endpoint; if it changes something, every read here that begins after its answer shows that."""
    if isinstance(one, Raw) or one.access is not Access.WRITE:
        return one
    bound = one.tenant_answer and _telling(replica, one.tenant_answer)
    return one._replace(answer=_telling(replica, one.answer), tenant_answer=bound)


def _telling(replica: Replica, answer: Callable[[Q], Awaitable[R]]) -> Callable[[Q], Awaitable[R]]:
    async def answered(query: Q) -> R:
        try:
            return await answer(query)
        finally:
            replica.wrote()

    return answered


def _headers(source: Literal["replica", "primary"], lag: Lag) -> Mapping[str, str]:
    return {SOURCE: source, STALE_SECONDS: f"{lag.seconds:.3f}", STALE_BYTES: str(lag.bytes)}
