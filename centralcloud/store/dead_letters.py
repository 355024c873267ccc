"""`dead_letters`: what could not be decoded, kept as it came."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_COLUMNS = "id, tenant, instance, subject, epoch, seq, body, error, received_at, replayed_at"
_WAITING = text(f"""
    SELECT {_COLUMNS} FROM dead_letters WHERE replayed_at IS NULL ORDER BY id LIMIT :limit
""")  # noqa: S608 - a constant list of columns
_ONE = text(f"SELECT {_COLUMNS} FROM dead_letters WHERE id = :id")  # noqa: S608 - a constant list of columns
_COUNT = text("SELECT count(*) FROM dead_letters WHERE replayed_at IS NULL")
_REPLAYED = text("UPDATE dead_letters SET replayed_at = clock_timestamp() WHERE id = :id AND replayed_at IS NULL")


class DeadLetter(Struct, frozen=True):
    """One message or event set aside; `seq` and `epoch` are known for events of a readable envelope."""

    id: int
    tenant: str | None
    instance: str | None
    subject: str
    epoch: str | None
    seq: int | None
    body: bytes
    error: str
    received_at: datetime
    replayed_at: datetime | None


async def waiting(connection: AsyncConnection, limit: int) -> list[DeadLetter]:
    """Read letters not replayed yet, oldest first."""
    return [DeadLetter(*row) for row in await connection.execute(_WAITING, {"limit": limit})]


async def count_waiting(connection: AsyncConnection) -> int:
    """Count letters not replayed yet."""
    return int((await connection.execute(_COUNT)).scalar_one())


async def find(connection: AsyncConnection, letter_id: int) -> DeadLetter | None:
    """Read one letter; None when there is none of that number."""
    row = (await connection.execute(_ONE, {"id": letter_id})).one_or_none()
    return DeadLetter(*row) if row is not None else None


async def mark_replayed(connection: AsyncConnection, letter_id: int) -> bool:
    """Note that a letter was applied; False when it was already, or is not there."""
    return (await connection.execute(_REPLAYED, {"id": letter_id})).rowcount == 1
