"""Replies are objects: either `data`, or an error with a code, and whether and when to try again."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Generic, TypeVar

from msgspec import Struct

from schemas.names import Timestamp

T = TypeVar("T")


class ErrorCode(StrEnum):
    """Why a request was not answered."""

    NOT_FOUND = "NOT_FOUND"
    INVALID_REQUEST = "INVALID_REQUEST"
    UNAUTHORIZED = "UNAUTHORIZED"
    RATE_LIMITED = "RATE_LIMITED"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    TIMEOUT = "TIMEOUT"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    VALIDATION_ERROR = "VALIDATION_ERROR"
    CONFLICT = "CONFLICT"
    INSUFFICIENT_RESOURCES = "INSUFFICIENT_RESOURCES"


RETRYABLE: Final = frozenset(
    {
        ErrorCode.RATE_LIMITED,
        ErrorCode.SERVICE_UNAVAILABLE,
        ErrorCode.TIMEOUT,
        ErrorCode.INTERNAL_ERROR,
        ErrorCode.INSUFFICIENT_RESOURCES,
    }
)


class ErrorBody(Struct, frozen=True, kw_only=True):
    """What went wrong, for a program (`code`) and for a person (`message`)."""

    code: ErrorCode
    message: str
    details: dict[str, str] = {}
    retryable: bool = False
    retry_after_seconds: float | None = None


class Response(Struct, Generic[T], frozen=True, kw_only=True, tag_field="type", tag="response"):
    """The answer to one request."""

    timestamp: Timestamp
    correlation_id: str
    success: bool
    version: str = "1.0"
    data: T | None = None
    error: ErrorBody | None = None


def failure(code: ErrorCode, message: str, **details: str) -> ErrorBody:
    """Build an error body whose `retryable` follows from its code."""
    return ErrorBody(code=code, message=message, details=details, retryable=code in RETRYABLE)
