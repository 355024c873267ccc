"""Beginning a new epoch: everything that stands is said again, then that this was all."""

from __future__ import annotations

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from instance.config import Sharing
from instance.store import outbox, workspace
from instance.store.outbox import event_identity
from instance.sync.announce import announce_again, open_gate
from instance.sync.feedback import say_feedback_again
from instance.sync.results import say_results_again
from schemas.codec import encode
from schemas.events import SnapshotCompleted

log = structlog.get_logger(__name__)


async def begin_epoch(connection: AsyncConnection, sharing: Sharing, *, after: str | None = None) -> str:
    """Rotate the epoch, number what is unconfirmed anew, and say everything again. Returns the new epoch."""
    epoch = await outbox.rotate(connection, after)
    count = await say_everything(connection, sharing)
    log.warning("began a new epoch", epoch=epoch, observations=count)
    return epoch


async def say_everything(connection: AsyncConnection, sharing: Sharing) -> int:
    """Say every observation again, and then that older epochs are void; returns the number of observations."""
    gate = await open_gate(connection, sharing)
    count = 0
    for repository in await workspace.repositories(connection):
        count += await announce_again(connection, repository, gate)
    await say_feedback_again(connection)
    await say_results_again(connection)
    completed = SnapshotCompleted(**event_identity(), observations=count)
    await outbox.append(connection, [(completed.topic, encode(completed))])
    return count
