"""Requests over NATS and their replies: always an object, with `data` or an error that has a code."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import nats.errors
import structlog
from nats.aio.msg import Msg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from schemas.codec import InvalidMessageError, decode, encode
from schemas.names import is_name
from schemas.replies import ErrorBody, ErrorCode, Response, failure
from shared.bus import Bus
from shared.database import transaction
from shared.errors import NotFoundError, PermanentError, UnreachableError, UsageError

log = structlog.get_logger(__name__)

ANSWER_SECONDS_MAX: Final = 4.0
"""Who asks waits five seconds."""

Answer = Callable[[AsyncConnection, Any], Awaitable[Any]]


class Route(NamedTuple):
    """Which request comes on a subject and what answers it, in one transaction."""

    subject: str
    query: type[Any]
    answer: Answer
    foreign: Answer | None = None
    """What answers who asks about another tenant than its own; None: nobody is answered that."""


class ForeignTenantError(PermanentError):
    """A request about another tenant than the one that asks."""


_FAILURES: Final[tuple[tuple[type[Exception], ErrorCode, str], ...]] = (
    (InvalidMessageError, ErrorCode.INVALID_REQUEST, ""),
    (UsageError, ErrorCode.INVALID_REQUEST, ""),
    (ForeignTenantError, ErrorCode.UNAUTHORIZED, ""),
    (NotFoundError, ErrorCode.NOT_FOUND, ""),
    (UnreachableError, ErrorCode.SERVICE_UNAVAILABLE, "the database behind this does not answer; try again"),
    (TimeoutError, ErrorCode.TIMEOUT, f"no answer within {ANSWER_SECONDS_MAX:g} s; ask for less"),
)
"""Error, its code, and what to say instead of its own message, which may name our servers."""


class Answers:
    """Answers for as long as the bus runs; any number of processes of one queue group share the work."""

    def __init__(
        self, engine: AsyncEngine, bus: Bus, routes: Iterable[Route], *, queue: str = "", tenant: str | None = None
    ) -> None:
        """Answer for `tenant`; None: for the one that a query names."""
        self.engine = engine
        self.metrics = bus.metrics
        self._tenant = tenant
        for route in routes:
            bus.subscribe(route.subject, self._handler(route), queue=queue)

    def _handler(self, route: Route) -> Callable[[Msg], Awaitable[None]]:
        async def handle(message: Msg) -> None:
            if message.reply:
                with self.metrics.query_seconds.labels(route.subject).time():
                    outcome = await self._outcome(route, message)
                self.metrics.queries.labels(route.subject, _code(outcome)).inc()
                await reply(message, outcome)

        return handle

    async def _outcome(self, route: Route, message: Msg) -> Any:
        """Return the data, or an `ErrorBody`."""
        try:
            return await self.answer(route, message)
        except Exception as error:  # noqa: BLE001 - whoever asks gets an answer
            return _failure(route, error)

    def begin(self, tenant: str) -> AbstractAsyncContextManager[AsyncConnection]:  # noqa: ARG002 - for who keeps tenants apart
        """Begin the transaction in which a question of `tenant` is answered."""
        return transaction(self.engine)

    async def answer(self, route: Route, message: Msg) -> Any:
        """Return the data; raises when there is none to give, or not to who asks."""
        query = decode(message.data or b"{}", route.query)
        about: str = self._tenant or query.tenant
        asker = _asker(message.reply) or about
        answer = route.answer if asker == about else route.foreign
        if answer is None:
            raise ForeignTenantError(f"the reply subject is not one of tenant {about}")
        async with asyncio.timeout(ANSWER_SECONDS_MAX), self.begin(asker) as connection:
            return await answer(connection, query)


def _code(outcome: Any) -> str:
    return outcome.code.value.lower() if isinstance(outcome, ErrorBody) else "ok"


def _failure(route: Route, error: Exception) -> ErrorBody:
    for kind, code, message in _FAILURES:
        if isinstance(error, kind):
            return failure(code, message or str(error))
    log.error("request failed", subject=route.subject, exc_info=error)
    return failure(ErrorCode.INTERNAL_ERROR, "an error where this is answered; its log says which")


def _asker(reply: str) -> str | None:
    """Whose tenant the answer goes to: only its instances may listen below `_INBOX.<tenant>.`.

    None for an inbox that names no tenant, which a broker without permissions has; nothing is kept apart there.
    """
    match reply.split("."):
        case ["_INBOX", tenant, instance, _, *_] if is_name(tenant) and is_name(instance):
            return tenant
        case _:
            return None


async def reply(message: Msg, outcome: Any) -> None:
    """Answer with data or an `ErrorBody`; an answer that NATS does not take is not given."""
    failed = isinstance(outcome, ErrorBody)
    response: Response[Any] = Response(
        timestamp=datetime.now(UTC),
        correlation_id=_correlation_id(message),
        success=not failed,
        data=None if failed else outcome,
        error=outcome if failed else None,
    )
    try:
        await message.respond(encode(response))
    except nats.errors.Error as error:
        log.debug("reply not sent", subject=message.subject, error=str(error) or type(error).__name__)


def _correlation_id(message: Msg) -> str:
    headers = message.headers or {}
    return headers.get("correlation-id") or headers.get("ce-id") or str(uuid.uuid4())
