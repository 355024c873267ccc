"""What requests and answers have in common."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from msgspec import Meta, Struct

from schemas.names import DEFAULT_TENANT, Count, Name, Share

T = TypeVar("T")

PageLimit = Annotated[int, Meta(ge=1, le=1_000)]
Cursor = Annotated[str, Meta(max_length=300, description="`next` of the page before; empty: from the beginning")]
SearchText = Annotated[str, Meta(max_length=200)]
RowId = Annotated[int, Meta(ge=1, le=2**63 - 1)]


class Asked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every request has."""

    tenant: Name = DEFAULT_TENANT


class PageAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request for a page of a list."""

    limit: PageLimit = 100
    after: Cursor = ""


class Listed(Struct, Generic[T], frozen=True, kw_only=True):
    """A page of a list."""

    items: list[T]
    next: str | None = None
    """Give it as `after` for what follows; null: that was all."""


class Interval(Struct, frozen=True, kw_only=True):
    """A share with its 90 % interval: the Wilson bounds, 95 % each."""

    value: Share
    lower: Share
    upper: Share


class Spread(Struct, frozen=True, kw_only=True):
    """How numbers are spread; each null where none is known. Quantiles are true to 1 %."""

    known: Count
    """How many numbers there are."""
    mean: float | None = None
    p50: float | None = None
    p95: float | None = None


class Done(Struct, frozen=True, kw_only=True):
    """A change was made."""

    done: bool = True
    changed: Count = 1
    """How many rows it changed; 0 when all was so already."""
