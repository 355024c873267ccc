"""The bare loop on the table that Flocklore has: what the table itself costs, without anything that makes use of it."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from bench.queues.bare import Bare
from shared.inspection import migrations_of
from shared.migrations import upgrade


class BareOban(Bare):
    """The loop on `oban_jobs`, with the columns of an attempt written, every commit on the disk before it goes on."""

    insert: ClassVar = """
        WITH inserted AS (
            INSERT INTO oban_jobs (worker, args)
            SELECT 'bare', jsonb_build_object('number', n) FROM generate_series(%s::int, %s::int) n
        )
        SELECT pg_notify('bare_jobs', '')
    """
    turn: ClassVar = """
        WITH finished AS (
            UPDATE oban_jobs SET state = 'completed', completed_at = clock_timestamp() WHERE id = ANY(%s)
        )
        UPDATE oban_jobs
           SET state = 'executing', attempt = attempt + 1, attempted_at = clock_timestamp(), attempted_by = '{bare}'
         WHERE id = ANY(ARRAY(
             SELECT id FROM oban_jobs WHERE state = 'available' AND queue = 'default'
              ORDER BY priority, scheduled_at, id LIMIT %s FOR UPDATE SKIP LOCKED))
        RETURNING id, (args ->> 'number')::int
    """
    left: ClassVar = "SELECT count(*) FROM oban_jobs WHERE state <> 'completed'"

    async def install(self) -> None:
        """Make an instance's database."""
        await asyncio.to_thread(upgrade, self.url, migrations_of("instance"))


class BareObanUnsynced(BareOban):
    """The same, not waiting for the disk when it claims and finishes."""

    synchronous_commit: ClassVar = "off"
