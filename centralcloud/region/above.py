"""What the hub above knows: heard from the delegate, and standing in where the region alone does not know enough."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import structlog
from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.learning.observation import CODE_KIND
from centralcloud.store import above, changes, feedback
from centralcloud.store.above import Telling
from schemas.codec import encode
from schemas.events import DataSchemaLearned
from schemas.fingerprint import fingerprint
from schemas.insights import Insight
from schemas.names import COUNT_MAX
from schemas.region import InsightsTold, ToldReply
from schemas.subjects import Sender

log = structlog.get_logger(__name__)

_SCHEMA_KIND = ".".join(DataSchemaLearned.topic)


class Heard(NamedTuple):
    """A page, and who tells it."""

    sender: Sender
    page: InsightsTold


async def hear(connection: AsyncConnection, heard: Heard) -> ToldReply:
    """Take in a page, and answer how far has been told; a page that leaves something out changes nothing."""
    (tenant, instance), page = heard
    telling = _of(await above.lock(connection, tenant, instance), instance)
    if page.begins:
        telling = telling._replace(number=telling.number + 1, version=0)
    elif not page.insights or page.since > telling.version:
        return ToldReply(version=telling.version)
    changed = await above.put(connection, tenant, telling.number, _believable(page.insights))
    if page.version >= max(page.head, telling.version):  # not a page that was on its way for long
        changed |= await above.drop_before(connection, tenant, telling.number)
    telling = telling._replace(version=max(telling.version, page.version))
    await above.note(connection, tenant, telling)
    if changed:
        await changes.mark(connection, tenant, changed)
        await changes.tell(connection)
    return ToldReply(version=telling.version)


async def standing_in(connection: AsyncConnection, tenant: str, patterns: Collection[str]) -> dict[str, Insight]:
    """Give insights known above of some patterns, with what people of the region said added to what others did."""
    known = await above.active(connection, tenant, patterns)
    if not known:
        return {}
    heard = {name: (yes, no) for name, yes, no in await feedback.counts(connection, tenant, list(known))}
    return {name: _as_told(one, *heard.get(name, (0, 0))) for name, one in known.items()}


def _of(telling: Telling, instance: str) -> Telling:
    """Another delegate may have another hub above it: what it says is told from the beginning."""
    return telling if telling.instance == instance else Telling(instance, telling.number + 1, 0)


def _as_told(insight: Insight, accepted: int, rejected: int) -> Insight:
    """Its version and its cluster are numbers and names of the hub above."""
    return structs.replace(
        insight,
        above=True,
        version=0,
        cluster="",
        accepted=min(insight.accepted + accepted, COUNT_MAX),
        rejected=min(insight.rejected + rejected, COUNT_MAX),
    )


def _believable(told: Collection[Insight]) -> list[Insight]:
    """Leave out what the database cannot keep, and templates that are not what the fingerprint was made of."""
    kept = [one for one in told if not _is_forged(one) and b"\\u0000" not in encode(one)]
    if len(kept) < len(told):
        log.warning("the hub above was not heard on some insights: forged, or unkeepable", count=len(told) - len(kept))
    return kept


def _is_forged(insight: Insight) -> bool:
    if insight.template is None:
        return False
    made_of = {
        CODE_KIND: (insight.language, insight.view),
        _SCHEMA_KIND: ("any", _SCHEMA_KIND),
    }.get(insight.kind)
    return made_of is None or fingerprint(*made_of, insight.template).hex() != insight.id
