"""Databases on a PostgreSQL server: their URLs, and creating the ones that are missing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal
from urllib.parse import parse_qs

from shared.errors import ConfigurationError, UnreachableError, UsageError

_CONNECT_SECONDS_MAX = 10
_LOCK = 4_021_886_150_973_346  # any number, the same in every release
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_URL: Final = re.compile(
    r"postgres(?:ql)?(?:\+\w+)?://(?P<where>[^/?#]*)(?:/(?P<database>[^?#]*))?(?:\?(?P<told>[^#]*))?"
)
_ATTRIBUTES: Final = "target_session_attrs"
POOL_PREFIX: Final = "pool_"
"""What a URL says of the pool is ours to read; libpq refuses it."""

Wanted = Literal["read-write", "prefer-standby"]
"""Which of several servers is meant: the one that takes changes, or one that follows it while there is one."""


def url_of(server_url: str, database: str | None = None, *, server: Wanted = "read-write") -> str:
    """Return the libpq URL of a database on the same server; None: the one it names.

    The one place where addresses become libpq's: a SQLAlchemy driver and settings of a pool are left out, and of
    several servers such a `server` is meant, unless the URL says otherwise. ConfigurationError when it is no URL.
    """
    found = _URL.fullmatch(server_url)
    if found is None:
        raise ConfigurationError("DATABASE_URL is not a URL of PostgreSQL; write postgresql://user@host/database")
    told = [pair for pair in (found["told"] or "").split("&") if pair and not pair.startswith(POOL_PREFIX)]
    hosts = [found["where"].rpartition("@")[2], *parse_qs("&".join(told)).get("host", [])]
    if any("," in host for host in hosts) and not any(pair.startswith(f"{_ATTRIBUTES}=") for pair in told):
        told.append(f"{_ATTRIBUTES}={server}")
    name = database if database is not None else found["database"] or ""
    return f"postgresql://{found['where']}/{name}{'?' if told else ''}{'&'.join(told)}"


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

    address = url_of(server_url)
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
