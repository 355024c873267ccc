"""How a region speaks with the hub above it: through a delegate, an instance of that hub that also knows the region's.

What the region knows together is asked of it, unless the tenant is pinned; what others know together is told to it.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final

from msgspec import Meta, Struct

from schemas.insights import Insight, PageSize
from schemas.names import DEFAULT_TENANT, Count, Name, Text, Timestamp
from schemas.results import CONTEXT_WORDS_MAX, ResultSums, Word

TOLD_MAX: Final = 200
"""Insights of one page that is told."""

Cursor = Annotated[str, Meta(max_length=4096)]
"""Where the next page goes on, for the hub alone to read; empty is the first page, or that there is no more."""


class RegionQuery(Struct, frozen=True, kw_only=True):
    """Ask a hub which region it is, and whether a tenant may be served there and may leave it."""

    tenant: Name = DEFAULT_TENANT


class RegionPage(Struct, frozen=True, kw_only=True):
    """Where a tenant belongs, as the hub that answers sees it."""

    region: Text
    """Of the hub that answers; empty when it has no name."""
    pinned: bool
    """Whether an operator said where the tenant belongs; the rest is then about that."""
    primary: Text
    fallbacks: tuple[Text, ...]
    admitted: bool
    """Whether this region may hold what is the tenant's."""
    leaves: bool
    """Whether what is known together may leave this region."""
    serving: Text
    """The region that is to serve the tenant now; empty when none is that may."""
    reasons: tuple[Text, ...]
    """Why, a line for each step."""


class ResultsQuery(Struct, frozen=True, kw_only=True):
    """Ask what the instances of a tenant have seen models do, together; only a delegate may.

    `since` saves work and sees no sums that are gone: what is not in a listing of everything is to be taken back.
    """

    tenant: Name = DEFAULT_TENANT
    since: Timestamp | None = None
    """Only what changed since; null is everything."""
    after: Cursor = ""
    """`next` of the page before, asked with the same `since`."""
    limit: PageSize = 200


class RegionalResults(Struct, frozen=True, kw_only=True):
    """Sums over the instances of a region, of one kind of job on one day in one context with one model."""

    day: date
    job_type: Word
    model: Word
    context: Annotated[dict[Word, Word], Meta(max_length=CONTEXT_WORDS_MAX)] = {}
    instances: Count
    """Distinct instances behind it that are not set aside; what too few of them have is left out."""
    sums: ResultSums


class ResultsPage(Struct, frozen=True, kw_only=True):
    """Some of the sums, by day, kind of job, model and context."""

    results: tuple[RegionalResults, ...]
    next: Cursor
    asked_at: Timestamp
    """By the hub's clock, less what a transaction may take: that of a listing's first page is the next `since`."""


class InsightsTold(Struct, frozen=True, kw_only=True):
    """Insights of the hub above, oldest change first; with none of them a question how far the region is.

    A page may be told again. One that leaves out something, since the region has not reached `since`, is not heard.
    """

    since: Count
    """What the page follows: the version the region answered last; 0 where it begins."""
    version: Count
    """Of the last insight in it; `since` when there is none."""
    head: Count
    """The highest version there is: what is told up to here is complete."""
    insights: Annotated[tuple[Insight, ...], Meta(max_length=TOLD_MAX)] = ()
    begins: bool = False
    """Everything is told anew: what was told before and is not told again by `head` is forgotten then."""


class ToldReply(Struct, frozen=True, kw_only=True):
    """How far the region has heard: the next page follows it."""

    version: Count
