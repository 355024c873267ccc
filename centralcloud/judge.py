"""Who is believed: every instance is judged by what it says of the patterns others know too, and nobody silently."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from centralcloud.learning.ballots import Ballots, Fact, ballots_of
from centralcloud.learning.confidence import decay
from centralcloud.learning.trust import SET_ASIDE_Z, WITNESSES_MIN, Judgement, judge
from centralcloud.store import ballots, changes, insights, trust
from centralcloud.store.trust import Doubt, TrustRow
from shared.database import transaction

log = structlog.get_logger(__name__)


async def judge_instances(engine: AsyncEngine, tenant: str) -> None:
    """Judge anew what changed and keep the outcome; only that needs the lock of the head, reading may take long."""
    async with transaction(engine) as connection:
        if not await changes.waiting(connection, tenant):
            return
        said = await _read(connection, tenant)
    judged = await asyncio.to_thread(judge, said)
    async with transaction(engine) as connection:
        await insights.lock_head(connection, tenant)
        await _keep(connection, tenant, judged)


async def weights(connection: AsyncConnection, tenant: str, half_life_days: float) -> dict[str, float]:
    """Return what the word of each instance weighs, by its trust and its silence; of others it is 1."""
    return {
        one.instance: one.trust * decay(one.weeks_silent, half_life_days)
        for one in await trust.weights(connection, tenant)
    }


async def _keep(connection: AsyncConnection, tenant: str, judged: Sequence[Judgement]) -> None:
    """Store who is not wholly believed; whoever is set aside or comes back has all its patterns merged again."""
    before = {one.instance: one for one in await trust.doubts(connection, tenant)}
    released = {name: Judgement(name, 1.0, 0.0, 0) for name, one in before.items() if one.released_at}
    now = released | {one.instance: one for one in judged if one.trust < 1}
    await trust.keep(connection, tenant, [TrustRow(*one) for one in now.values()])
    for instance in sorted(_crossed(before, now)):
        await changes.mark_instance(connection, tenant, instance)
        if instance in now and now[instance].trust == 0:
            log.warning("instance set aside", tenant=tenant, instance=instance, **_why(now[instance]))
        else:
            log.warning("instance believed again", tenant=tenant, instance=instance)
    if any(one.z > SET_ASIDE_Z and one.trust == 1 for one in judged):
        log.warning("nobody set aside: too many instances disagree with the others", tenant=tenant)


async def _read(connection: AsyncConnection, tenant: str) -> Ballots:
    """Read ballots of the languages with enough witnesses."""
    sizes = await ballots.sizes(connection, tenant)
    witnesses = Counter(language for language, _ in sizes)
    judged = {key: files for key, files in sizes.items() if witnesses[key[0]] >= WITNESSES_MIN and files}
    instances = sorted({instance for _, instance in judged})
    rows = await ballots.facts(connection, tenant, instances) if instances else []
    facts = (Fact(row.language, [place - 1 for place in row.places], row.files) for row in rows)
    return ballots_of(instances, judged, facts)


def _crossed(before: Mapping[str, Doubt], now: Mapping[str, Judgement]) -> Iterable[str]:
    """Find who begins or ceases to count at all; an operator's release stands above the judgement."""
    aside = {name for name, one in now.items() if one.trust == 0}
    was_aside = {name for name, one in before.items() if one.trust == 0}
    return {name for name in aside ^ was_aside if name not in before or before[name].released_at is None}


def _why(judgement: Judgement) -> dict[str, object]:
    return {
        "z": judgement.z,
        "patterns": judgement.facts,
        "next": f"see `flocklore centralcloud outliers`; `quarantine {judgement.instance} --undo` believes it again",
    }
