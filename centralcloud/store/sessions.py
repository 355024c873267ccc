"""What every session with the central database is told."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

IDLE_SECONDS_MAX: Final = 60
"""A transaction that does nothing for so long is ended: its process is frozen, and its locks hold up all others."""


def limit_idle_transactions(engine: AsyncEngine, seconds: int = IDLE_SECONDS_MAX) -> None:
    """Have the server end sessions of this engine that stay idle inside a transaction."""

    def tell(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{int(seconds)}s'")
        cursor.close()
        connection.commit()

    event.listen(engine.sync_engine, "connect", tell)
