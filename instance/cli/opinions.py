"""What the owner of an instance thinks of an insight."""

from __future__ import annotations

from msgspec import Struct

from instance.cli.knowledge import story_of
from instance.cli.target import open_target, resolve_settings
from instance.store.feedback import Reason, Verdict
from instance.sync.feedback import give_feedback
from shared.database import transaction


class Opinion(Struct, frozen=True, kw_only=True):
    """A verdict on one insight, and whether it was news."""

    id: str
    verdict: Verdict
    reason: Reason
    changed: bool


async def give(name: str | None, prefix: str, verdict: Verdict, reason: Reason = "") -> Opinion:
    """Note a verdict on the insight whose id begins so, and tell the fleet."""
    async with open_target(resolve_settings(name)) as target:
        told = await story_of(target, prefix)
        async with transaction(target.engine) as connection:
            changed = await give_feedback(connection, told.insight.id, verdict, reason)
    return Opinion(id=told.insight.id, verdict=verdict, reason=reason, changed=changed)
