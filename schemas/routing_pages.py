"""How the hub's priors for routing travel: a hint that they changed, and pages that are asked for."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Struct

from schemas.names import DEFAULT_TENANT, Count, Name, Timestamp
from schemas.routing import RoutingPriors

PAGES_MAX: Final = 100

PageNumber = Annotated[int, Meta(ge=0, le=PAGES_MAX - 1)]
PageCount = Annotated[int, Meta(ge=1, le=PAGES_MAX)]


class RoutingQuery(Struct, frozen=True, kw_only=True):
    """Ask for a page of what the fleet has seen models do."""

    tenant: Name = DEFAULT_TENANT
    page: PageNumber = 0
    """The first is 0."""


class RoutingPage(Struct, frozen=True, kw_only=True):
    """Some of the priors; pages with the same digest belong together."""

    digest: str
    """blake2b-128 over all of them, hex; empty while the hub has none."""
    pages: PageCount
    """How many there are; one even when there are no priors."""
    content: RoutingPriors


class RoutingUpdated(Struct, frozen=True, kw_only=True, tag_field="type", tag="routing_priors"):
    """Broadcast on `intelligence.insights.routing`: a hint that the priors of a tenant changed."""

    timestamp: Timestamp
    tenant: Name
    digest: str
    priors: Count
