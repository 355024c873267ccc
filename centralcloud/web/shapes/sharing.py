"""What one tenant lets another see. In every request `tenant` is who asks, and the path names the other."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from centralcloud.web.shapes.common import Asked, PageAsked, SearchText
from schemas.names import Name


class SharingAsked(PageAsked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/sharing."""


class SharingItem(Struct, frozen=True, kw_only=True):
    """The insights of `owner` are offered to `reader`, and shared once that one has accepted."""

    owner: str
    reader: str
    offered_by: str
    offered_at: datetime
    accepted_by: str | None
    accepted_at: datetime | None
    """null: not yet, so nothing is shared."""


class GivenAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /api/v1/sharing/to/{reader}/offer and /end: of what the tenant gives."""

    reader: Name
    by: SearchText = ""
    """Who decides it; the other side sees it."""


class TakenAsked(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /api/v1/sharing/from/{owner}/accept and /end: of what the tenant takes."""

    owner: Name
    by: SearchText = ""
    """Who decides it; the other side sees it."""


class SharedAsked(PageAsked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api/v1/sharing/from/{owner}/insights: answered by `schemas.insights.Insight`, naming no instance."""

    owner: Name
    kind: SearchText = ""
    language: SearchText = ""
