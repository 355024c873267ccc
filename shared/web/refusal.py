"""Why a request is not answered: from what was raised to a status, a code and a sentence."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
import structlog
from msgspec import Struct
from starlette.responses import Response

from schemas.replies import ErrorBody, ErrorCode, failure
from shared.errors import (
    AlreadyRunningError,
    ContractError,
    FlockloreError,
    NotFoundError,
    NotRunningError,
    OverloadedError,
    TransientError,
    UsageError,
)

log = structlog.get_logger(__name__)

AWAY_RETRY_SECONDS: Final = 2.0
_FRAMES_SHOWN: Final = 5
_OURS: Final = frozenset({"shared", "instance", "centralcloud"})


class RefusedError(FlockloreError):
    """A request that is answered with this status; raised by the kernel, and by answers that know better than it."""

    def __init__(
        self,
        status: int,
        code: ErrorCode,
        message: str,
        *,
        retry_after_seconds: float | None = None,
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        body = failure(code, message, **(details or {}))
        self.body = msgspec.structs.replace(body, retry_after_seconds=retry_after_seconds)


class Problem(Struct, frozen=True):
    """What every refusal says."""

    error: ErrorBody


_BY_KIND: Final[tuple[tuple[type[Exception], int, ErrorCode], ...]] = (
    (NotFoundError, 404, ErrorCode.NOT_FOUND),
    (UsageError, 400, ErrorCode.INVALID_REQUEST),
    (ContractError, 400, ErrorCode.INVALID_REQUEST),
    (AlreadyRunningError, 409, ErrorCode.CONFLICT),
    (NotRunningError, 409, ErrorCode.CONFLICT),
    (OverloadedError, 503, ErrorCode.INSUFFICIENT_RESOURCES),
    (TransientError, 503, ErrorCode.SERVICE_UNAVAILABLE),
    (TimeoutError, 504, ErrorCode.TIMEOUT),
)
_SAID: Final = {
    ErrorCode.INSUFFICIENT_RESOURCES: "too much is asked of the database at this moment; ask again",
    ErrorCode.SERVICE_UNAVAILABLE: "the database or NATS behind this does not answer; ask again",
    ErrorCode.TIMEOUT: "no answer in time; ask for less",
}
"""In place of an error's own message, which may name our servers."""


def of(error: Exception) -> RefusedError:
    """Say what an error means to who asked; one that is a bug of ours is logged, and told without what it says."""
    if isinstance(error, RefusedError):
        return error
    for kind, status, code in _BY_KIND:
        if isinstance(error, kind):
            again = AWAY_RETRY_SECONDS if status >= 500 else None  # noqa: PLR2004 - where errors of servers begin
            return RefusedError(status, code, _SAID.get(code, str(error)), retry_after_seconds=again)
    _report(error)
    return RefusedError(500, ErrorCode.INTERNAL_ERROR, "this should not have happened; the log of the daemon says more")


def response(refused: RefusedError) -> Response:
    """Write it down."""
    headers = dict(refused.headers)
    if refused.body.retry_after_seconds is not None:
        headers["retry-after"] = str(max(1, round(refused.body.retry_after_seconds)))
    content = msgspec.json.encode(Problem(refused.body))
    return Response(content, refused.status, headers, media_type="application/json")


def _report(error: Exception) -> None:
    """Say where a bug is, without what was being read: a log is no place for it."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _OURS & set(Path(frame.filename).parts)]
    where = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[-_FRAMES_SHOWN:]]
    log.error("a request could not be answered; please report it", error=type(error).__name__, where=where)
