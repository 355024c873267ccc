"""The line of a worker to the queue: one statement writes down what finished and claims what is next.

Everything on it happens one after the other. No claim and no finish is in flight while `executing` reads, so what it
says can be compared with what runs here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import psycopg
from msgspec import Raw, Struct
from psycopg import AsyncConnection, AsyncCursor

from shared.jobs import signals
from shared.jobs.connection import parameters, refused_by_pooler, with_settings
from shared.jobs.outcome import FINISH, FINISHING, Outcome

STAGED_MAX: Final = 1_000
CLAIMED_MAX: Final = 50
"""Of one queue in one exchange: what comes back of it fits into memory, however large the arguments are."""

# LIMIT belongs under FOR UPDATE inside of ARRAY(...): as a CTE that is joined, a generic plan reads the whole table.
EXCHANGE: Final = f"""
    WITH finishing AS MATERIALIZED ({FINISHING}), finished AS ({FINISH}),
    room AS MATERIALIZED (
        SELECT q.name, greatest(0, coalesce((%(limits)s::jsonb ->> q.name)::integer, q.limit_per_worker)
                                   - coalesce((%(running)s::jsonb ->> q.name)::integer, 0)) AS free
          FROM workers w CROSS JOIN job_queues q
         WHERE w.boot_id = %(boot)s::uuid AND w.status = 'online' AND NOT q.paused
           AND (%(limits)s::jsonb IS NULL OR %(limits)s::jsonb ? q.name)
    ), claimed AS (
        UPDATE oban_jobs j
           SET state = 'executing', attempt = attempt + 1, attempted_at = clock_timestamp(),
               attempted_by = ARRAY[%(name)s::text, %(boot)s::text]
         WHERE id = ANY(ARRAY(
               SELECT c.id FROM room r CROSS JOIN LATERAL (
                   SELECT id FROM oban_jobs
                    WHERE state = 'available' AND queue = r.name
                    ORDER BY priority, scheduled_at, id LIMIT least(r.free, {CLAIMED_MAX}) FOR UPDATE SKIP LOCKED) c))
        RETURNING id, attempt, max_attempts, queue, worker, args, meta, tenant_id, priority,
                  extract(epoch FROM attempted_at - scheduled_at) AS waited_seconds
    )
    SELECT (SELECT count(*) FROM finished), (SELECT coalesce(sum(free), 0) FROM room)::integer,
           (SELECT json_agg(c ORDER BY c.priority, c.id) FROM claimed c)::text
"""  # noqa: S608 - constants
_STAGE: Final = f"""
    WITH staged AS (
        UPDATE oban_jobs SET state = 'available'
         WHERE id = ANY(ARRAY(
               SELECT id FROM oban_jobs
                WHERE state IN ('scheduled', 'retryable') AND scheduled_at <= now()
                ORDER BY scheduled_at LIMIT {STAGED_MAX} FOR UPDATE SKIP LOCKED))
        RETURNING queue
    )
    SELECT array_agg(DISTINCT queue), count(*) FROM staged
"""  # noqa: S608 - constants
_NEXT_DUE: Final = """
    SELECT extract(epoch FROM scheduled_at - clock_timestamp())::float8 FROM oban_jobs
     WHERE state IN ('scheduled', 'retryable') ORDER BY scheduled_at LIMIT 1
"""
_EXECUTING: Final = "SELECT id, attempt FROM oban_jobs WHERE state = 'executing' AND attempted_by[2] = %s"
_PROGRESS: Final = """
    WITH told AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(%(many)s::jsonb) AS t(id bigint, attempt integer, progress jsonb)
    )
    UPDATE oban_jobs j SET meta = j.meta || jsonb_build_object('progress', t.progress)
      FROM told t
     WHERE j.id = ANY(ARRAY(SELECT id FROM told)) AND j.id = t.id AND j.attempt = t.attempt
       AND j.state = 'executing' AND j.attempted_by[2] = %(boot)s::text
"""


class Claimed(Struct, frozen=True):
    """A job that is ours to run."""

    id: int
    attempt: int
    max_attempts: int
    queue: str
    worker: str
    args: Raw
    meta: Any
    tenant_id: str
    waited_seconds: float


class Answer(Struct, frozen=True):
    """What one exchange did: how many finishes counted, which jobs are ours now, how many more we may have run."""

    finished: int
    claimed: list[Claimed]
    spare: int


class Staged(Struct, frozen=True):
    """How many jobs became available, and in how many seconds the next one will, if there is one."""

    count: int
    next_seconds: float | None


_CLAIMED: Final = msgspec.json.Decoder(list[Claimed])


class Line:
    """One connection in autocommit mode; its methods raise what `LOST` names when the server went away."""

    def __init__(self, url: str, *, worker: str, silent_seconds: float) -> None:
        self._told = parameters(url, application=f"flocklore {worker}", silent_seconds=silent_seconds)
        self._worker = worker
        self._connection: AsyncConnection[Any] | None = None
        self._cursor: AsyncCursor[Any]

    async def connect(self) -> None:
        """Connect anew."""
        await self.close()
        try:
            connection = await AsyncConnection.connect(
                **with_settings(self._told), autocommit=True, prepare_threshold=0
            )
        except psycopg.OperationalError as error:
            if not refused_by_pooler(error):
                raise
            connection = await AsyncConnection.connect(**self._told, autocommit=True, prepare_threshold=None)
        self._connection = connection
        self._cursor = connection.cursor()

    async def close(self) -> None:
        """Disconnect, if connected."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    @property
    def usable(self) -> bool:
        """Whether the last error left the connection as it was."""
        return self._connection is not None and not self._connection.closed

    async def exchange(
        self, boot: str, finished: Sequence[Outcome], running: dict[str, int], limits: dict[str, int] | None
    ) -> Answer:
        """Write down what finished and claim what is next, of each queue up to its limit less what runs of it.

        `limits` names the queues to claim from and how much; None leaves both to `job_queues`.
        """
        values = {
            "boot": boot,
            "name": self._worker,
            "finished": _json(finished),
            "running": _json(running),
            "limits": None if limits is None else _json(limits),
        }
        count, free, claimed = await self._row(EXCHANGE, values)
        jobs = _CLAIMED.decode(claimed) if claimed is not None else []
        return Answer(count, jobs, free - len(jobs))

    async def stage(self) -> Staged:
        """Make available what is due, at most `STAGED_MAX` jobs, and tell other workers of them."""
        queues, count = await self._row(_STAGE)
        if queues:
            await self.tell(signals.look(*queues))
        row = await (await self._cursor.execute(_NEXT_DUE)).fetchone()
        return Staged(count, None if row is None else max(0.0, row[0]))

    async def executing(self, boot: str) -> dict[int, int]:
        """The jobs that are ours as the database sees it, and their attempts."""
        return dict(await (await self._cursor.execute(_EXECUTING, [boot])).fetchall())

    async def save_progress(self, boot: str, many: Sequence[dict[str, Any]]) -> None:
        """Keep how far jobs are: `id`, `attempt` and `progress` of each."""
        await self._cursor.execute(_PROGRESS, {"boot": boot, "many": _json(many)})

    async def tell(self, signal: str) -> None:
        """Notify all workers."""
        await self._cursor.execute("SELECT pg_notify(%s, %s)", [signals.CHANNEL, signal])

    async def _row(self, statement: str, values: dict[str, Any] | None = None) -> Any:
        return await (await self._cursor.execute(statement, values)).fetchone()


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
