"""From observations to insights: merge what changed, in transactions of at most `BATCH` patterns.

Whatever is committed, this holds: an active insight is measured against the fleet whose digest is stored, or its
pattern waits in `changed_patterns`. So it does not matter when, how often or how far an aggregation ran.

One aggregation at a time per tenant: every transaction locks the tenant's row of `insight_heads` first.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from centralcloud.clusters import recluster
from centralcloud.config import HALF_LIFE_DAYS, INSTANCES_MIN
from centralcloud.judge import judge_instances, weights
from centralcloud.learning.fleet import Fleet, Held, fleet_of
from centralcloud.learning.merge import Opinion, Tally, conclude, revoked, tallies
from centralcloud.learning.observation import Observation
from centralcloud.region.above import standing_in
from centralcloud.store import changes, feedback, fleets, insights, observations, withdrawals
from schemas.insights import Insight
from shared.database import transaction

BATCH: Final = 2_000
LEADING_MAX: Final = 200
"""Changes of one aggregation that are announced one by one."""

SETTLED: Final = 3
"""From so many instances on an insight is no news: at this number instances release its template."""

Scope = Literal["all", "new"]


@dataclass
class AggregationResult:
    """What one aggregation of one tenant changed."""

    tenant: str
    scope: Scope
    changed: int = 0
    """Insights that got a new version, revoked ones included."""
    revoked: int = 0
    previous_head: int = 0
    head: int = 0
    seconds: float = 0.0
    leading: list[Insight] = field(default_factory=list)
    """The changed insights most instances share, at most 200."""


async def aggregate(
    engine: AsyncEngine,
    tenant: str,
    scope: Scope = "all",
    *,
    batch: int = BATCH,
    half_life_days: float = HALF_LIFE_DAYS,
    instances_min: int = INSTANCES_MIN,
) -> AggregationResult:
    """Bring insights up to date with observations and return what changed.

    `all` judges every instance, merges every waiting pattern and every insight of a language whose repositories or
    their weights changed, and finds near-duplicates. `new` is quick and leaves standing insights alone: it looks only
    at patterns without an active insight, at those that still have fewer than `SETTLED` instances and have won one,
    and at those known from above, which stand in where the tenant's own instances are too few. The word of an instance
    not heard from for `half_life_days` weighs half; what fewer than `instances_min` know is no insight. Raises
    `TransientError` when the database is away; what was committed until then stands.
    """
    run = _Run(engine, tenant, scope, batch, half_life_days, instances_min)
    started = time.perf_counter()
    await run.begin()
    while await run.merge_batch():
        pass
    await run.end()
    run.result.seconds = time.perf_counter() - started
    return run.result


async def rebuild(
    engine: AsyncEngine, tenant: str, half_life_days: float = HALF_LIFE_DAYS, instances_min: int = INSTANCES_MIN
) -> AggregationResult:
    """Merge everything anew from the observations; it changes nothing that was right."""
    async with transaction(engine) as connection:
        await insights.lock_head(connection, tenant)
        await changes.mark_everything(connection, tenant)
    return await aggregate(engine, tenant, half_life_days=half_life_days, instances_min=instances_min)


class _Run:
    """One pass through the waiting patterns, in order of their fingerprints, against one reading of the fleet."""

    def __init__(
        self,
        engine: AsyncEngine,
        tenant: str,
        scope: Scope,
        batch: int,
        half_life_days: float = HALF_LIFE_DAYS,
        instances_min: int = INSTANCES_MIN,
    ) -> None:
        self.result = AggregationResult(tenant, scope)
        self._engine = engine
        self._tenant = tenant
        self._batch = batch
        self._half_life_days = half_life_days
        self._instances_min = instances_min
        self._new_only = scope == "new"
        self._after = changes.FIRST
        self._fleet: Fleet | None = None

    async def begin(self) -> None:
        """Note where the history stands, and judge who is to be believed."""
        if not self._new_only:
            await judge_instances(self._engine, self._tenant)
        async with transaction(self._engine) as connection:
            self.result.previous_head = self.result.head = await insights.head(connection, self._tenant)

    async def end(self) -> None:
        """Find the near-duplicates among what changed."""
        if self._new_only:
            return
        async with transaction(self._engine) as connection:
            head = await insights.lock_head(connection, self._tenant)
            written = await recluster(connection, self._tenant, head)
        if written:
            self._count(head, written)

    async def merge_batch(self) -> bool:
        """Merge the next waiting patterns in one transaction; False when there are none."""
        async with transaction(self._engine) as connection:
            head = await insights.lock_head(connection, self._tenant)
            if not self._new_only:
                await self._keep_rule(connection)
                await self._keep_measure(connection)
            taken = await changes.take(
                connection, self._tenant, after=self._after, limit=self._batch, fresh_only=self._new_only
            )
            if not taken:
                return False
            written = await self._merge(connection, head, taken)
        self._after = taken[-1]
        self._count(head, written)
        return True

    async def _keep_rule(self, connection: AsyncConnection) -> None:
        """Have everything merged again where another number of instances was enough until now."""
        if await fleets.instances_min(connection, self._tenant) != self._instances_min:
            await changes.mark_everything(connection, self._tenant)
            await fleets.require(connection, self._tenant, self._instances_min)

    async def _keep_measure(self, connection: AsyncConnection) -> None:
        """See that ours is the fleet whose digest is stored: another hub may have read a later one since."""
        stored = await fleets.measured(connection, self._tenant)
        if self._fleet is None or self._fleet.digests != stored:
            self._fleet = await self._read_fleet(connection)
            await self._remeasure(connection, stored, self._fleet.digests)

    async def _remeasure(self, connection: AsyncConnection, before: Mapping[str, str], now: Mapping[str, str]) -> None:
        """Have the insights of languages whose repositories are no longer the same join the waiting."""
        moved = {language for language in before.keys() | now.keys() if before.get(language) != now.get(language)}
        if moved:
            await changes.mark_languages(connection, self._tenant, moved)
            await fleets.remember(connection, self._tenant, now)

    async def _merge(self, connection: AsyncConnection, head: int, taken: Sequence[str]) -> list[Insight]:
        """Write what differs and cross off what is settled; whatever is left out waits for the next `all`."""
        previous = await insights.of_patterns(connection, self._tenant, taken)
        active_before = {name: one for name, one in previous.items() if one.state == "active"}
        standing = {name for name, one in active_before.items() if _is_settled(one)} if self._new_only else set()
        rows = await observations.of_patterns(connection, self._tenant, set(taken) - standing)
        found = tallies(Observation(**row) for row in rows)
        active, uncovered = await self._conclude(connection, found)
        active |= await standing_in(connection, self._tenant, set(taken) - standing - uncovered - active.keys())
        taken_back = await withdrawals.among(connection, self._tenant, active)
        active = {name: one for name, one in active.items() if name not in taken_back}
        if self._new_only:
            standing |= {name for name, one in active_before.items() if not _is_news(one, active.get(name))}
            active = {name: one for name, one in active.items() if name not in standing}
        merged = {name: one for name, one in previous.items() if name not in standing | uncovered}
        written = await insights.write(connection, self._tenant, head, _differing(merged, found, active))
        deferred = standing | active.keys() if self._new_only else set()
        await changes.defer(connection, self._tenant, deferred)
        await changes.settle(connection, self._tenant, set(taken) - deferred - uncovered)
        return written

    async def _conclude(
        self, connection: AsyncConnection, found: Iterable[Tally]
    ) -> tuple[dict[str, Insight], set[str]]:
        """Return insights by fingerprint, and patterns with repositories that came after the fleet was read."""
        sufficient = [tally for tally in found if tally.suffices(self._instances_min)]
        if not sufficient:
            return {}, set()
        if self._fleet is None:
            self._fleet = await self._read_fleet(connection)
        covered = [one for one in sufficient if self._fleet.covers(one.identity.language, one.files_by_holding)]
        uncovered = {one.fingerprint for one in sufficient} - {one.fingerprint for one in covered}
        heard = await feedback.counts(connection, self._tenant, [one.fingerprint for one in covered])
        opinions = {name: Opinion(accepted, rejected) for name, accepted, rejected in heard}
        return {insight.id: insight for insight in conclude(covered, self._fleet, opinions)}, uncovered

    async def _read_fleet(self, connection: AsyncConnection) -> Fleet:
        held = await observations.holdings(connection, self._tenant)
        believed = await weights(connection, self._tenant, self._half_life_days)
        return fleet_of((Held(*one) for one in held), believed)

    def _count(self, head: int, written: Sequence[Insight]) -> None:
        result = self.result
        result.head = head + len(written)
        result.changed += len(written)
        result.revoked += sum(one.state == "revoked" for one in written)
        result.leading = heapq.nlargest(LEADING_MAX, [*result.leading, *written], key=_strength)


def _differing(previous: Mapping[str, Insight], found: Iterable[Tally], active: Mapping[str, Insight]) -> list[Insight]:
    """Choose what must be written: new insights, changed ones, and those no longer shared by enough."""
    left = {tally.fingerprint: tally for tally in found}
    withdrawn = {name: revoked(old, left.get(name)) for name, old in previous.items() if name not in active}
    clustered = {
        name: structs.replace(one, cluster=previous[name].cluster) if name in previous else one
        for name, one in active.items()
    }
    wanted = {**clustered, **withdrawn}
    stored = {name: structs.replace(old, version=0) for name, old in previous.items()}
    return [wanted[name] for name in sorted(wanted) if wanted[name] != stored.get(name)]


def _is_settled(insight: Insight) -> bool:
    return insight.instances >= SETTLED and not insight.above


def _is_news(before: Insight, now: Insight | None) -> bool:
    """Whether an instance was won; what is known above changes there, and seldom."""
    return before.above or (now is not None and (now.above or now.instances > before.instances))


def _strength(insight: Insight) -> tuple[int, float, str]:
    return insight.instances, insight.confidence, insight.id
