"""Where a database goes, and what is there already."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from psycopg import Connection

from shared.embedded.databases import url_of
from shared.errors import UnreachableError
from shared.inspection import Kind, kind_of, revision, scalar
from shared.move import progress
from shared.move.catalogue import relations_count
from shared.move.checksum import Content
from shared.move.ends import hold, opened

END: Final = "--to"
MAINTENANCE: Final = "postgres"
"""The database that every server has."""

_EXISTS: Final = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s)"
_SERVER: Final = """
    SELECT current_setting('server_version_num')::integer, current_setting('server_version'),
           current_setting('transaction_read_only') = 'off',
           EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector')
"""
_DATABASE: Final = """
    SELECT pg_encoding_to_char(encoding),
           has_database_privilege(datname, 'CREATE') AND has_schema_privilege('public', 'CREATE')
      FROM pg_database WHERE datname = current_database()
"""
_MISSING: Final = """
    SELECT (SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'template1'),
           (SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user)
"""


class Target(Struct, frozen=True, kw_only=True):
    """The database to be made: `url` names its server, None an embedded one that is still to be made.

    `directory` is where the server keeps its data, if that is on this machine.
    """

    url: str | None
    name: str
    directory: Path | None = None

    @property
    def address(self) -> str:
        """The libpq URL of the database itself."""
        if self.url is None:
            raise LookupError("a server that is not there has no address")
        return url_of(self.url, self.name)


class Found(Struct, frozen=True, kw_only=True):
    """The server, and the database if it `exists`; `copied` are the tables of a move that was `begun`."""

    exists: bool
    version_number: int
    version: str
    writable: bool
    vector_available: bool
    encoding: str
    permitted: bool
    kind: Kind | None = None
    revision: str | None = None
    relations: int = 0
    begun: bool = False
    copied: dict[str, Content] = {}


def maintenance_address(target: Target) -> str:
    """The libpq URL of a database on the server that is there before ours."""
    return url_of(target.url or "", MAINTENANCE)


def is_there(target: Target) -> bool:
    """Whether the database exists."""
    try:
        with opened(maintenance_address(target), END) as connection:
            return bool(scalar(connection, _EXISTS, target.name))
    except UnreachableError:
        return True  # not everybody may enter that database; whether ours is there shows when it is entered


def look(target: Target) -> Found:
    """Ask the server; AlreadyRunningError when another move is at work on the database."""
    if target.url is None:
        return _still_to_be_made()
    if not is_there(target):
        with opened(maintenance_address(target), END) as connection:
            return _found(connection, _MISSING, exists=False)
    with opened(target.address, END) as connection:
        hold(connection, END)
        begun = progress.begun(connection)
        return _found(
            connection,
            _DATABASE,
            exists=True,
            kind=kind_of(connection),
            revision=revision(connection),
            relations=relations_count(connection),
            begun=begun,
            copied=progress.copied(connection) if begun else {},
        )


def _found(connection: Connection[Any], permission: str, **what: Any) -> Found:
    [(number, version, writable, vector)] = connection.execute(_SERVER).fetchall()
    [(encoding, permitted)] = connection.execute(permission).fetchall()
    return Found(
        version_number=number,
        version=version,
        writable=writable,
        vector_available=vector,
        encoding=encoding,
        permitted=permitted,
        **what,
    )


def _still_to_be_made() -> Found:
    return Found(
        exists=False,
        version_number=180_000,
        version="18, which comes with Flocklore",
        writable=True,
        vector_available=True,
        encoding="UTF8",
        permitted=True,
    )
