"""A hub above a region, and its delegate, reduced to what the region hears of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.region.above import Heard, hear
from schemas.insights import Insight
from schemas.region import InsightsTold
from schemas.subjects import Sender
from shared.database import transaction
from tests.support.observed import TENANT, digest


def known_above(pattern: str, version: int, *, instances: int = 5, **changes: object) -> Insight:
    """An insight as the hub above numbers it."""
    insight = Insight(
        id=digest(pattern), kind="code.pattern", state="active", instances=instances, repositories=instances,
        files=3 * instances, occurrences=9, rate=0.5, confidence=0.25, language="python", view="statement",
        contributors=("ap", "us"), version=version,
    )  # fmt: skip
    return structs.replace(insight, **changes)


class Above:
    """What the hub above knows: each change takes the next version, and it may begin to count anew."""

    def __init__(self) -> None:
        self.known: dict[str, Insight] = {}
        self._begins = False

    @property
    def head(self) -> int:
        """The highest version."""
        return max((one.version for one in self.known.values()), default=0)

    def change(self, pattern: str, **changes: Any) -> None:
        """Have it know something new of a pattern."""
        self.known[digest(pattern)] = known_above(pattern, self.head + 1, **changes)

    def restart(self, forgotten: Iterable[str] = ()) -> None:
        """Count from the beginning, without some patterns."""
        gone = set(map(digest, forgotten))
        left = [one for name, one in self.known.items() if name not in gone]
        self.known = {one.id: structs.replace(one, version=number) for number, one in enumerate(left, 1)}
        self._begins = True

    def page(self, since: int, limit: int) -> InsightsTold:
        """What the delegate says next to a region that has reached `since`."""
        begins, since = self._begins, 0 if self._begins else since
        self._begins = False
        later = sorted((one for one in self.known.values() if one.version > since), key=lambda one: one.version)[:limit]
        return InsightsTold(
            since=since,
            version=later[-1].version if later else since,
            head=self.head,
            insights=tuple(later),
            begins=begins,
        )


async def tell(engine: AsyncEngine, page: InsightsTold, *, tenant: str = TENANT, instance: str = "eu") -> int:
    """Have a region hear a page; returns how far it has been told."""
    async with transaction(engine) as connection:
        return (await hear(connection, Heard(Sender(tenant, instance), page))).version


async def reached(engine: AsyncEngine, *, tenant: str = TENANT, instance: str = "eu") -> int:
    """Ask how far it has been told."""
    return await tell(engine, InsightsTold(since=0, version=0, head=0), tenant=tenant, instance=instance)


async def tell_all(engine: AsyncEngine, above: Above, *, tenant: str = TENANT, limit: int = 200) -> None:
    """Tell until there is no more."""
    version = await reached(engine, tenant=tenant)
    while (page := above.page(version, limit)).insights or page.begins:
        version = await tell(engine, page, tenant=tenant)
