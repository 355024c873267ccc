"""Pages of a list: where the next begins is told as a word that means nothing to anybody else."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, TypeVar

import msgspec

from centralcloud.web.shapes.common import Listed
from shared.errors import UsageError

T = TypeVar("T", bound=tuple[int | str | datetime, ...])
F = TypeVar("F")
S = TypeVar("S")

_BIGINT: Final = 2**63
_YEARS: Final = range(1970, 9999)
_NO_PLACE: Final = "`after` is no `next` of this list; leave it out to begin anew"


def cursor(*place: int | str | datetime) -> str:
    """Write down a place in a list."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def read_cursor(after: str, kind: type[T]) -> T | None:
    """Read a place; None for the beginning, `UsageError` when it is none of this list."""
    if not after:
        return None
    try:
        place = msgspec.json.decode(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)), type=kind)
    except (ValueError, msgspec.DecodeError, RecursionError) as error:
        raise UsageError(_NO_PLACE) from error
    if not all(map(_can_be_compared, place)):
        raise UsageError(_NO_PLACE)
    return place


def _can_be_compared(part: int | str | datetime) -> bool:
    """Whether PostgreSQL has such values at all: who writes a place by hand may write anything."""
    match part:
        case int():
            return abs(part) < _BIGINT
        case str():
            return "\0" not in part
    return part.tzinfo is not None and part.year in _YEARS


def page(
    found: Sequence[F], limit: int, place: Callable[[F], tuple[int | str | datetime, ...]], shown: Callable[[F], S]
) -> Listed[S]:
    """Make a page of what was found when one more than `limit` was asked for."""
    more = len(found) > limit
    return Listed(items=[shown(one) for one in found[:limit]], next=cursor(*place(found[limit - 1])) if more else None)


def words(said: str) -> list[str] | None:
    """Read words separated by commas; None when there is none."""
    return [word.strip() for word in said.split(",") if word.strip()] or None
