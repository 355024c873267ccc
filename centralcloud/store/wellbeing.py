"""What health asks the central database: the queue, and how many instances are heard of."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.store.registry import INACTIVE_SECONDS

_ACTIVE: Final = text("""
    SELECT count(*) FROM instance_registry
     WHERE status <> 'offline' AND last_heartbeat > clock_timestamp() - make_interval(secs => :inactive)
""")


async def active_instances(connection: AsyncConnection) -> int:
    """Count instances, of all tenants, that were heard of in the last minute."""
    return int((await connection.execute(_ACTIVE, {"inactive": INACTIVE_SECONDS})).scalar_one())
