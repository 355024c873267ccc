"""Feedback up: what the owner thinks of an insight, told to the hub with everything else."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from instance.store import feedback, insights, outbox
from instance.store.feedback import Given, Reason, Verdict
from instance.store.outbox import event_identity
from schemas.codec import encode
from schemas.events import InsightFeedback


async def give_feedback(connection: AsyncConnection, insight_id: str, verdict: Verdict, reason: Reason = "") -> bool:
    """Note the owner's word and tell the hub; what is rejected is not used here. False: it was said already."""
    given = await feedback.give(connection, insight_id, verdict, reason)
    await insights.set_undone(connection, insight_id, undone=verdict == "rejected")
    if given is not None and (await outbox.get(connection)).share_since is not None:
        await _say(connection, [given])
    return given is not None


async def say_feedback_again(connection: AsyncConnection) -> None:
    """Say all feedback that stands, for a hub that lost it or an epoch that begins."""
    await _say(connection, await feedback.next_versions(connection))


async def _say(connection: AsyncConnection, words: list[Given]) -> None:
    events = [
        InsightFeedback(**event_identity(), insight=one.id, version=one.version, verdict=one.verdict, reason=one.reason)
        for one in words
    ]
    await outbox.append(connection, [(event.topic, encode(event)) for event in events])
