"""One question to centralcloud over NATS, for a command that connects, asks and leaves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Final, TypeVar

from schemas.codec import InvalidMessageError, decode, encode
from schemas.replies import ErrorBody, ErrorCode, Response
from schemas.subjects import Sender, inbox_prefix
from shared.bus import Bus
from shared.errors import ContractError, FlockloreError, NotFoundError, PermanentError, TransientError, UnreachableError
from shared.metrics import Metrics
from shared.passport import NO_PASSPORT, Passport

T = TypeVar("T")

CONNECT_SECONDS: Final = 3.0
ANSWER_SECONDS: Final = 5.0


async def ask(
    servers: Sequence[str],
    subject: str,
    query: Any,
    answer: type[T],
    *,
    sender: Sender,
    passport: Passport = NO_PASSPORT,
    timeout_seconds: float = ANSWER_SECONDS,
) -> T:
    """Return the data of the reply; it arrives in the inbox of whom the credentials name, else of `sender`.

    UnreachableError when neither NATS nor centralcloud answers, NotFoundError, TransientError or PermanentError
    when centralcloud says that it cannot, ContractError when what it says cannot be read.
    """
    bus = Bus(
        list(servers),
        client_name=f"flocklore command {sender.instance}",
        inbox_prefix=inbox_prefix(passport.owner() or sender),
        metrics=Metrics(),
        passport=passport,
    )
    await bus.start()
    try:
        with contextlib.suppress(TimeoutError):  # then the request says which servers do not answer
            await asyncio.wait_for(bus.connected.wait(), CONNECT_SECONDS)
        reply = await bus.request(subject, encode(query), timeout_seconds)
    finally:
        await bus.stop()
    return data_of(reply, answer)


def data_of(reply: bytes, answer: type[T]) -> T:
    """The data of an encoded reply; raises what `ask` raises when there is none."""
    try:
        response: Response[T] = decode(reply, Response[answer])  # type: ignore[valid-type]
    except InvalidMessageError as error:
        raise ContractError(f"centralcloud's answer is unreadable ({error}); are both of one release?") from error
    if response.data is None:
        raise _refusal(response.error)
    return response.data


def _refusal(error: ErrorBody | None) -> FlockloreError:
    if error is None:
        return ContractError("centralcloud answered with neither data nor an error; are both of one release?")
    text = f"centralcloud answers: {error.message}"
    if error.code is ErrorCode.NOT_FOUND:
        return NotFoundError(text)
    if error.code is ErrorCode.SERVICE_UNAVAILABLE:
        return UnreachableError(text)
    return TransientError(text) if error.retryable else PermanentError(text)
