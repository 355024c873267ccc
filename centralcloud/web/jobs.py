"""The queue of centralcloud: its jobs, its queues, and doing something about them."""

from __future__ import annotations

from typing import Final, get_args

from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.jobs import REPLAY, Letters
from centralcloud.web.paging import page, read_cursor, words
from centralcloud.web.shapes.common import Done, Listed
from centralcloud.web.shapes.system import Enqueued, ReplayAsked
from centralcloud.web.shapes.work import (
    JobAsked,
    JobDetail,
    JobItem,
    JobsAsked,
    JobsChosen,
    QueueAsked,
    QueueItem,
    QueuesAsked,
    QueueScaled,
)
from shared.errors import NotFoundError, UsageError
from shared.jobs import listing, queue, queues
from shared.jobs.listing import JobRow
from shared.jobs.outcome import State
from shared.jobs.queue import Options

STATES: Final[tuple[State, ...]] = get_args(State)


async def jobs(connection: AsyncConnection, query: JobsAsked) -> Listed[JobItem]:
    """List jobs, newest first."""
    before = read_cursor(query.after, tuple[int])
    found = await listing.list_jobs(
        connection,
        states=_states(query.state),
        queue=query.queue or None,
        kind=query.kind or None,
        limit=query.limit + 1,
        before=before[0] if before else None,
    )
    return page(found, query.limit, lambda one: (one.id,), item)


async def job(connection: AsyncConnection, query: JobAsked) -> JobDetail:
    """Give one job in full."""
    found = await listing.get(connection, query.id)
    if found is None:
        raise NotFoundError(f"there is no job {query.id}; finished ones are deleted after a week")
    return JobDetail(
        job=item(found),
        args=found.args,
        result=found.result,
        meta=found.meta,
        errors=found.errors,
        unique_key=found.unique_key,
        idempotency_key=found.idempotency_key,
    )


async def retry(connection: AsyncConnection, query: JobsChosen) -> Done:
    """Make jobs available at once; those that run, or may already, are left as they are."""
    return Done(changed=await queue.retry(connection, query.ids))


async def cancel(connection: AsyncConnection, query: JobsChosen) -> Done:
    """Cancel jobs that are not finished."""
    return Done(changed=await queue.cancel(connection, query.ids))


async def all_queues(connection: AsyncConnection, _query: QueuesAsked) -> Listed[QueueItem]:
    """List the queues, and how many jobs are in which state."""
    counted = await listing.counts(connection)
    waited = await listing.longest_waits(connection)
    return Listed(
        items=[
            QueueItem(
                name=one.name,
                limit_per_worker=one.limit_per_worker,
                paused=one.paused,
                jobs={str(state): count for state, count in counted.get(one.name, {}).items()},
                oldest_waiting_seconds=waited.get(one.name),
            )
            for one in await queues.queues(connection)
        ]
    )


async def pause(connection: AsyncConnection, query: QueueAsked) -> Done:
    """Have no more jobs of a queue begun."""
    await queues.pause_queue(connection, query.queue)
    return Done()


async def resume(connection: AsyncConnection, query: QueueAsked) -> Done:
    """Go on with a queue."""
    await queues.resume_queue(connection, query.queue)
    return Done()


async def scale(connection: AsyncConnection, query: QueueScaled) -> Done:
    """Let each worker run so many jobs of a queue at once."""
    await queues.rescale_queue(connection, query.queue, query.limit)
    return Done()


async def replay(connection: AsyncConnection, _query: ReplayAsked) -> Enqueued:
    """Have all dead letters tried again; at most one such job waits or runs."""
    made = await queue.enqueue(connection, REPLAY, Letters(), Options(unique_key="all"))
    return Enqueued(job=made.id, is_new=made.is_new)


def item(found: JobRow) -> JobItem:
    """Show one job."""
    took = (found.finished_at - found.attempted_at) if found.finished_at and found.attempted_at else None
    return JobItem(
        id=found.id,
        state=found.state,
        queue=found.queue,
        kind=found.kind,
        attempt=found.attempt,
        attempts_max=found.attempts_max,
        priority=found.priority,
        tags=found.tags,
        progress=found.meta.get("progress"),
        last_error=found.errors[-1].get("error") if found.errors else None,
        worker=found.worker,
        inserted_at=found.inserted_at,
        scheduled_at=found.scheduled_at,
        attempted_at=found.attempted_at,
        finished_at=found.finished_at,
        took_seconds=None if took is None else round(max(0.0, took.total_seconds()), 3),
    )


def _states(said: str) -> list[State] | None:
    wanted = words(said)
    if wanted is None:
        return None
    if strange := set(wanted) - set(STATES):
        raise UsageError(f"no state is called {min(strange)}; there are {', '.join(STATES)}")
    return [state for state in STATES if state in wanted]
