"""Deleting what is no longer needed, at most `limit` rows a statement."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# What lies above the watermark is kept however old it is: it waits for what is missing below it.
_ENVELOPES = text("""
    DELETE FROM received_envelopes WHERE (tenant, instance, epoch, first_seq) IN (
        SELECT e.tenant, e.instance, e.epoch, e.first_seq
          FROM received_envelopes e JOIN watermarks w USING (tenant, instance, epoch)
         WHERE e.last_seq <= w.wm AND e.received_at < clock_timestamp() - make_interval(secs => :older)
         LIMIT :limit)
""")
_LETTERS = text("""
    DELETE FROM dead_letters WHERE id IN (
        SELECT id FROM dead_letters WHERE replayed_at < clock_timestamp() - make_interval(secs => :older) LIMIT :limit)
""")


_POSTS = text("""
    DELETE FROM posts WHERE (tenant, instance, key) IN (
        SELECT tenant, instance, key FROM posts
         WHERE received_at < clock_timestamp() - make_interval(secs => :older) LIMIT :limit)
""")


async def delete_envelopes(connection: AsyncConnection, older_seconds: float, limit: int) -> int:
    """Delete envelopes received so long ago and wholly confirmed; return how many."""
    return int((await connection.execute(_ENVELOPES, {"older": older_seconds, "limit": limit})).rowcount)


async def delete_replayed_letters(connection: AsyncConnection, older_seconds: float, limit: int) -> int:
    """Delete dead letters replayed so long ago; return how many."""
    return int((await connection.execute(_LETTERS, {"older": older_seconds, "limit": limit})).rowcount)


async def delete_posts(connection: AsyncConnection, older_seconds: float, limit: int) -> int:
    """Forget keys of posts taken in so long ago; return how many."""
    return int((await connection.execute(_POSTS, {"older": older_seconds, "limit": limit})).rowcount)
