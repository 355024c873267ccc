"""Databases on a PostgreSQL server: their URLs, and creating the ones that are missing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

from shared.errors import ConfigurationError, UnreachableError, UsageError

_CONNECT_SECONDS_MAX = 10
_LOCK = 4_021_886_150_973_346  # any number, the same in every release
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


def url_of(server_url: str, database: str) -> str:
    """Return the libpq URL of another database on the same server; a SQLAlchemy driver in it is left out."""
    parts = urlsplit(server_url)
    changed = urlunsplit(parts._replace(scheme="postgresql", path=f"/{database}"))
    # urlunsplit leaves out the slashes of an empty host, which libpq wants.
    return changed if changed.startswith("postgresql://") else changed.replace(":", "://", 1)


def create_missing(server_url: str, names: Sequence[str]) -> None:
    """Create the databases that do not exist yet, through a connection to the one `server_url` names.

    UsageError for a name that is not lower-case letters, digits and underscores, ConfigurationError when that user
    may not create databases, UnreachableError when the server does not answer.
    """
    for name in names:
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} cannot name a database: use a-z, 0-9 and _, at most 63 characters")
    # Imported here: what only asks where a server is does without.
    import psycopg  # noqa: PLC0415
    from psycopg import sql  # noqa: PLC0415

    address = url_of(server_url, urlsplit(server_url).path.lstrip("/"))
    try:
        with psycopg.connect(address, autocommit=True, connect_timeout=_CONNECT_SECONDS_MAX) as connection:
            # Two that create the same database at once would both fail on a unique key of the catalogue.
            connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
            rows = connection.execute("SELECT datname FROM pg_database WHERE datname = ANY(%s)", [list(names)])
            present = {name for (name,) in rows}
            for name in dict.fromkeys(names):
                if name not in present:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError(
            f"DATABASE_URL: its user may not create databases; create these for it: {', '.join(names)}"
        ) from error
    except psycopg.OperationalError as error:
        raise UnreachableError(f"PostgreSQL does not answer, so no database was created: {error}".strip()) from error
