"""Which readers a file is given to: what one file does to the schema, whatever else the repository holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import chain, islice
from pathlib import PurePosixPath
from types import MappingProxyType

from instance.analysis.tokens import Tokens
from instance.learning.dataschema.changes import MAX_CHANGES, Change, bounded
from instance.learning.dataschema.readers.alembic import read_alembic
from instance.learning.dataschema.readers.diesel import read_diesel
from instance.learning.dataschema.readers.django import read_django
from instance.learning.dataschema.readers.drizzle import read_drizzle
from instance.learning.dataschema.readers.ecto import read_ecto
from instance.learning.dataschema.readers.ecto_migrations import read_ecto_migration
from instance.learning.dataschema.readers.ent import read_ent
from instance.learning.dataschema.readers.gorm import read_gorm
from instance.learning.dataschema.readers.jpa import read_jpa
from instance.learning.dataschema.readers.prisma import read_prisma
from instance.learning.dataschema.readers.seaorm import read_seaorm
from instance.learning.dataschema.readers.sequelize import read_sequelize
from instance.learning.dataschema.readers.source import Source
from instance.learning.dataschema.readers.sql import read_sql
from instance.learning.dataschema.readers.sqlalchemy import read_sqlalchemy
from instance.learning.dataschema.readers.typeorm import read_typeorm

Reader = Callable[[Source], Iterable[Change]]
_SCRIPT: tuple[Reader, ...] = (read_typeorm, read_drizzle, read_sequelize)
_READERS: MappingProxyType[str, tuple[Reader, ...]] = MappingProxyType(
    {
        "python": (read_alembic, read_sqlalchemy, read_django),
        "javascript": _SCRIPT,
        "typescript": _SCRIPT,
        "tsx": _SCRIPT,
        "go": (read_gorm, read_ent),
        "rust": (read_diesel, read_seaorm),
        "java": (read_jpa,),
        "elixir": (read_ecto, read_ecto_migration),
    }
)
_TEXT_READERS: MappingProxyType[str, Callable[[str], list[Change]]] = MappingProxyType(
    {"sql": read_sql, "prisma": read_prisma}
)
_UNDOES = re.compile(r"(?:^|[./_-])(?:down|undo|rollback)\.sql$|(?:^|/)U[0-9][^/]*__[^/]*\.sql$", re.IGNORECASE)


def schema_language_of(path: str) -> str | None:
    """Return "sql" or "prisma" for a file that is read here as text; None for any other."""
    suffix = PurePosixPath(path).suffix.lower().removeprefix(".")
    return suffix if suffix in _TEXT_READERS else None


def tables_in(path: str, content: Tokens | str, language: str) -> list[Change]:
    """Return what one file does to the schema, in order; never raises on any content.

    `content` is the parsed file, or the text of a file that `schema_language_of` knows. A file that only undoes a
    migration does nothing.
    """
    if isinstance(content, str):
        reader = _TEXT_READERS.get(language)
        return [] if reader is None or _UNDOES.search(path) else reader(content)
    source = Source(path, content)
    found = chain.from_iterable(reader(source) for reader in _READERS.get(language, ()))
    return bounded(list(islice(found, MAX_CHANGES + 1)))
