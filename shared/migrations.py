"""Bringing a database to the schema this release needs, safely when several daemons start at once."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from shared.database import sqlalchemy_url
from shared.errors import ConfigurationError, NotFoundError

_LOCK: Final = 7_316_204_418_390_215  # any number, the same in every release
_REVISION: Final = re.compile(r'^revision = "(\w+)"', re.MULTILINE)


def known_revisions(directory: Path) -> list[str]:
    """Revisions this release ships, oldest first: `versions/NNNN_*.py` are named in their order."""
    files = sorted((directory / "versions").glob("[0-9]*.py"))
    return [match[1] for file in files if (match := _REVISION.search(file.read_text(encoding="utf-8")))]


def current_revision(connection: Connection) -> str | None:
    """Revision the database is at; None when it was never migrated."""
    if connection.execute(text("SELECT to_regclass('alembic_version')")).scalar() is None:
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def upgrade(url: str, directory: Path) -> str:
    """Migrate to the newest revision of this release and return it; raises `ConfigurationError` on a newer schema.

    An advisory lock lets one daemon migrate while the others wait and then find the work done.
    """
    revisions = known_revisions(directory)
    engine = create_engine(sqlalchemy_url(url), poolclass=NullPool)
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            current = current_revision(connection)
            if current is not None and current not in revisions:
                raise ConfigurationError(
                    f"the database is at schema {current}, this release knows up to {revisions[-1]}: "
                    "upgrade Flocklore, or point DATABASE_URL at another database"
                )
            if current != revisions[-1]:
                _run_alembic(connection, directory)
    finally:
        engine.dispose()
    return revisions[-1]


async def upgrade_in_thread(url: str, directory: Path) -> str:
    """Migrate without blocking the event loop."""
    return await asyncio.to_thread(upgrade, url, directory)


def status(url: str, directory: Path) -> tuple[str | None, str]:
    """Revision the database is at, and the one this release needs; raises `NotFoundError` without revisions."""
    revisions = known_revisions(directory)
    if not revisions:
        raise NotFoundError(f"{directory} holds no migrations; reinstall Flocklore")
    engine = create_engine(sqlalchemy_url(url), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            return current_revision(connection), revisions[-1]
    finally:
        engine.dispose()


def _run_alembic(connection: Connection, directory: Path) -> None:
    """Import Alembic only when there is something to do: it costs a start a third of a second."""
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415 - see above

    config = Config()
    config.set_main_option("script_location", str(directory).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
