"""Requests over NATS and their replies: always an object, with `data` or an error that has a code."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Protocol

import nats.errors
import structlog
from nats.aio.msg import Msg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from centralcloud.queries import answers
from centralcloud.queries.recommendations import recommendations_page
from schemas import subjects
from schemas.calibration import CalibrationQuery
from schemas.codec import InvalidMessageError, decode, encode
from schemas.insights import InsightsQuery, InstancesQuery, StatisticsQuery, WhyQuery
from schemas.names import is_name
from schemas.recommendations import RecommendationsQuery
from schemas.replies import ErrorBody, ErrorCode, Response, failure
from schemas.routing_pages import RoutingQuery
from shared.bus import Bus
from shared.database import transaction
from shared.errors import NotFoundError, PermanentError, UnreachableError

log = structlog.get_logger(__name__)

QUEUE: Final = "centralcloud"
ANSWER_SECONDS_MAX: Final = 4.0
"""Who asks waits five seconds."""

Answer = Callable[[AsyncConnection, Any], Awaitable[Any]]


class Query(Protocol):
    """What every request has."""

    @property
    def tenant(self) -> str: ...  # noqa: D102


class Route(NamedTuple):
    """Which request comes on a subject and what answers it."""

    subject: str
    query: type[Query]
    answer: Answer


ROUTES: Final = (
    Route(subjects.INSIGHTS_QUERY, InsightsQuery, answers.insights_page),
    Route(subjects.CACHE_SYNC_REQUEST, InsightsQuery, answers.insights_page),
    Route(subjects.RECOMMENDATIONS_QUERY, RecommendationsQuery, recommendations_page),
    Route(subjects.CALIBRATION_QUERY, CalibrationQuery, answers.calibration_page),
    Route(subjects.ROUTING_QUERY, RoutingQuery, answers.routing_page),
    Route(subjects.WHY_QUERY, WhyQuery, answers.provenance),
    Route(subjects.STATISTICS_QUERY, StatisticsQuery, answers.global_statistics),
    Route(subjects.INSTANCES_QUERY, InstancesQuery, answers.instances_page),
)


class ForeignTenantError(PermanentError):
    """A request about another tenant than the one that asks."""


_FAILURES: Final[tuple[tuple[type[Exception], ErrorCode, str], ...]] = (
    (InvalidMessageError, ErrorCode.INVALID_REQUEST, ""),
    (ForeignTenantError, ErrorCode.UNAUTHORIZED, ""),
    (NotFoundError, ErrorCode.NOT_FOUND, ""),
    (UnreachableError, ErrorCode.SERVICE_UNAVAILABLE, "the central database does not answer; try again"),
    (TimeoutError, ErrorCode.TIMEOUT, f"no answer within {ANSWER_SECONDS_MAX:g} s; ask for less"),
)
"""Error, its code, and what to say instead of its own message, which may name our servers."""


class Queries:
    """Answers for as long as the bus runs; any number of hubs share the work."""

    def __init__(self, engine: AsyncEngine, bus: Bus) -> None:
        self._engine = engine
        for route in ROUTES:
            bus.subscribe(route.subject, self._handler(route), queue=QUEUE)

    def _handler(self, route: Route) -> Callable[[Msg], Awaitable[None]]:
        async def handle(message: Msg) -> None:
            if message.reply:
                await _reply(message, await self._outcome(route, message))

        return handle

    async def _outcome(self, route: Route, message: Msg) -> Any:
        """Return the data, or an `ErrorBody`."""
        try:
            return await self._answer(route, message)
        except Exception as error:  # noqa: BLE001 - whoever asks gets an answer
            return _failure(route, error)

    async def _answer(self, route: Route, message: Msg) -> Any:
        query = decode(message.data or b"{}", route.query)
        if not _may_ask(message.reply, query.tenant):
            raise ForeignTenantError(f"the reply subject is not one of tenant {query.tenant}")
        async with asyncio.timeout(ANSWER_SECONDS_MAX), transaction(self._engine) as connection:
            return await route.answer(connection, query)


def _failure(route: Route, error: Exception) -> ErrorBody:
    for kind, code, message in _FAILURES:
        if isinstance(error, kind):
            return failure(code, message or str(error))
    log.error("request failed", subject=route.subject, exc_info=error)
    return failure(ErrorCode.INTERNAL_ERROR, "an error in centralcloud; its log says which")


def _may_ask(reply: str, tenant: str) -> bool:
    """Whether the answer goes to the tenant it is about: only its instances may listen below `_INBOX.<tenant>.`.

    An inbox that names no tenant is what a broker without permissions has; nothing is kept apart there.
    """
    match reply.split("."):
        case ["_INBOX", owner, instance, _, *_] if is_name(owner) and is_name(instance):
            return owner == tenant
        case _:
            return True


async def _reply(message: Msg, outcome: Any) -> None:
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
