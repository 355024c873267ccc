"""Who uses the database that is to be moved: what they would still write to it would be left behind."""

from __future__ import annotations

import time
from typing import Any, Final

from psycopg import Connection

from shared.errors import AlreadyRunningError

_CLIENTS: Final = """
    SELECT coalesce(nullif(application_name, ''), 'somebody'), count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid()
       AND (backend_type = 'client backend' OR (backend_type IS NULL AND application_name <> ''))
     GROUP BY 1 ORDER BY 1
"""
"""Of other users' sessions only a superuser sees the type; servers' own processes have no application name."""
_HOLDERS: Final = """
    SELECT DISTINCT format('%s, process %s on %s', instance_id, pid, hostname) FROM distributed_locks
     WHERE expires_at > clock_timestamp() ORDER BY 1
"""
_LEAVING_SECONDS: Final = 0.5
_LOOK_SECONDS: Final = 0.05
_CURE: Final = "stop what `flocklore up` started with `flocklore down`, and other daemons where they were started"


def users(connection: Connection[Any]) -> list[str]:
    """Name everybody connected, and every daemon whose lease has not run out."""
    # Without this a transaction is shown for ever who was there at its first look.
    connection.execute("SELECT pg_stat_clear_snapshot()")
    clients = [f"{name} ({count} connections)" for name, count in connection.execute(_CLIENTS)]
    if connection.execute("SELECT to_regclass('distributed_locks')").fetchone() == (None,):
        return clients
    return clients + [f"the lease of {holder}" for (holder,) in connection.execute(_HOLDERS)]


def require_unused(connection: Connection[Any]) -> None:
    """AlreadyRunningError when anybody uses the database; whoever has just left is seen for a moment longer."""
    deadline = time.monotonic() + _LEAVING_SECONDS
    while found := users(connection):
        if time.monotonic() > deadline:
            raise in_use(connection.info.dbname, found)
        time.sleep(_LOOK_SECONDS)


def in_use(name: str, found: list[str]) -> AlreadyRunningError:
    """Say who uses a database and how to stop them."""
    return AlreadyRunningError(f"{name} is in use: {'; '.join(found)}; {_CURE}")
