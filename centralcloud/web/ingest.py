"""`POST /ingest`: for tools that do not speak NATS. What is posted goes the way of everything learned: into the stream.

The token says who speaks; nobody can speak for another. 202 means that the stream has it on disk. Events posted again
under their `Idempotency-Key`, without one the same bytes, change nothing; an envelope is known by its sequences.
"""

from __future__ import annotations

import asyncio
import hmac
import math
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request
from starlette.responses import Response

from centralcloud.store import instance_keys
from centralcloud.web import posted
from centralcloud.web.posted import Parcel
from schemas import headers, subjects
from schemas.replies import ErrorCode
from schemas.subjects import Sender
from shared.bus import Bus
from shared.database import transaction
from shared.flow import Flow
from shared.publisher import WindowPublisher
from shared.signing import Signer
from shared.web.endpoint import BODY_BYTES_MAX, JSON, Access, Raw
from shared.web.guard import Buckets
from shared.web.refusal import RefusedError

PUBLISH_SECONDS: Final = 5.0
RETRY_SECONDS: Final = 5
"""When to post again what came while too much waits."""

POSTS_AT_ONCE_MAX: Final = 32
"""Of one instance: each is in memory until the stream has it."""

HEADERS_BYTES_MAX: Final = 1024
"""What stands before an envelope in a message, and counts as part of it: the stream, the trace, the signature."""

IDEMPOTENCY_KEY_MAX: Final = 256
_FORMS: Final = frozenset({JSON, "application/x-ndjson", "application/jsonl"})


class Taken(Struct, frozen=True):
    """The answer to a post that the stream has."""

    instance: str
    accepted: int


class Posts:
    """Takes posts into the stream; create it before the bus starts."""

    def __init__(
        self, engine: AsyncEngine, bus: Bus, tokens: Mapping[str, str], tenant: str, *, posts_per_second: float
    ) -> None:
        self._engine = engine
        self._known_signer: Signer | None = None
        self._bus = bus
        self._publisher = WindowPublisher(bus)
        self._flow = Flow(bus)
        self._tokens = [(name, token.encode()) for name, token in tokens.items() if token]
        self._tenant = tenant
        self._buckets = Buckets(posts_per_second)
        self._taking: Counter[str] = Counter()

    def endpoint(self) -> Raw:
        """Say where it is found; it judges tokens itself, as they say who speaks."""
        summary = "Events of tools that do not speak NATS: an array, JSON lines, or an envelope."
        return Raw("POST", "/ingest", self._take, summary, Access.OPEN, 202, body_bytes_max=BODY_BYTES_MAX)

    async def _take(self, request: Request) -> Response:
        self._limit(request.client.host if request.client else "")
        instance = self._speaker(request.headers.get("authorization", ""))
        if self._flow.slow is not None:
            raise _later(f"{self._flow.slow.pending} events wait to be taken in; post it again later", RETRY_SECONDS)
        key = _key(request)
        if self._taking[instance] >= POSTS_AT_ONCE_MAX:
            raise _later(f"{POSTS_AT_ONCE_MAX} posts of {instance} are being taken; post it again", 1)
        self._taking[instance] += 1
        try:
            return await self._take_in(await request.body(), key, instance)
        finally:
            self._taking[instance] -= 1

    async def _take_in(self, body: bytes, key: str, instance: str) -> Response:
        found = posted.parcels(body, _digest(key, body), instance, datetime.now(UTC))
        await self._publish(found, instance)
        taken = Taken(instance, sum(parcel.events for parcel in found))
        return Response(msgspec.json.encode(taken), 202, media_type=JSON)

    def _limit(self, client: str) -> None:
        if wait_seconds := self._buckets.take(client):
            raise _later("too many posts", math.ceil(wait_seconds))

    def _speaker(self, authorization: str) -> str:
        """Whose token it is; every one is compared, so that the time tells nothing."""
        scheme, _, said = authorization.partition(" ")
        given = said.strip().encode("latin-1") if scheme.lower() == "bearer" else b""
        found = [name for name, token in self._tokens if hmac.compare_digest(given, token)]
        if not found:
            raise RefusedError(
                401,
                ErrorCode.UNAUTHORIZED,
                "send the token of an instance, as `ingest_tokens` names them: `Authorization: Bearer ...`",
                headers={"www-authenticate": "Bearer"},
            )
        return found[0]

    async def _publish(self, many: list[Parcel], instance: str) -> None:
        """Have the stream keep them all; raises `TransientError` when one is not, and the post is to be sent again.

        `RefusedError` 413, and none is kept, when NATS would never take one.

        They carry no `Nats-Msg-Id`: a stream that was wiped would swallow what is sent again under it. We sign for who
        had the token.
        """
        bytes_max = self._bus.client.max_payload - HEADERS_BYTES_MAX
        if any(len(one.body) > bytes_max for one in many):
            raise RefusedError(413, ErrorCode.INVALID_REQUEST, f"an envelope has at most {bytes_max} bytes here")
        sender = Sender(self._tenant, instance)
        signer = await self._signer()
        sending = (self._publish_one(subjects.learned(one.topic, sender), one.body, signer) for one in many)
        failed = [one for one in await asyncio.gather(*sending, return_exceptions=True) if isinstance(one, Exception)]
        if failed:
            raise failed[0]

    async def _signer(self) -> Signer:
        """The key of the hubs, read once: posts are taken while the database is away."""
        if self._known_signer is None:
            async with transaction(self._engine) as connection:
                self._known_signer = await instance_keys.hub_signer(connection)
        return self._known_signer

    async def _publish_one(self, subject: str, body: bytes, signer: Signer) -> None:
        said = {headers.EXPECTED_STREAM: subjects.STREAM, headers.TRACEPARENT: headers.traceparent()}
        await self._publisher.publish(subject, body, said | signer.seal(subject, "", body), PUBLISH_SECONDS)


def _key(request: Request) -> str:
    """Read by which word a post is known again, empty when none was given; refuse what is in no form of ours."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in _FORMS:
        raise RefusedError(415, ErrorCode.INVALID_REQUEST, f"the body must be {', '.join(sorted(_FORMS))}")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise RefusedError(415, ErrorCode.INVALID_REQUEST, "the body must not be packed; leave Content-Encoding out")
    key = request.headers.get("idempotency-key", "")
    if len(key) > IDEMPOTENCY_KEY_MAX:
        raise RefusedError(
            400, ErrorCode.INVALID_REQUEST, f"an Idempotency-Key has at most {IDEMPOTENCY_KEY_MAX} characters"
        )
    return key


def _digest(key: str, body: bytes) -> str:
    """Make a key of bounded length; one that was given never equals one made of a body."""
    told = b"key:" + key.encode() if key else b"body:" + body
    return blake2b(told, digest_size=16).hexdigest()


def _later(message: str, seconds: float) -> RefusedError:
    return RefusedError(429, ErrorCode.RATE_LIMITED, message, retry_after_seconds=seconds)
