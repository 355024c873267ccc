"""A database for each daemon, owned by a role that can reach no other: as SQL for psql, and as URLs. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from shared.embedded.attach import database_name
from shared.embedded.databases import url_of
from shared.errors import UsageError

CENTRAL: Final = "centralcloud"
TENANT_ROLE: Final = "flocklore_tenant"
"""As centralcloud answers tenants; made here, so that centralcloud need not be one who may make roles."""

_NAME_BYTES_MAX: Final = 63
_AUTHORITY: Final = re.compile("://")


def instance_databases(names: Iterable[str]) -> dict[str, str]:
    """The database of each instance; UsageError when two would share one, or PostgreSQL would cut its name short."""
    found: dict[str, str] = {}
    for name in names:
        database = f"instance_{database_name(name)}"
        if len(database) > _NAME_BYTES_MAX:
            raise UsageError(
                f"{name}: its database would be called {database}, which is too long; choose a shorter name"
            )
        if database in found.values():
            raise UsageError(f"{name}: another instance has the database {database} already; choose another name")
        found[name] = database
    return found


def owned_url(server_url: str, database: str, password: str) -> str:
    """The URL of a database as the role of the same name; UsageError when the server's URL names somebody."""
    if "@" in server_url:
        raise UsageError("--postgres: leave the user and the password out, each daemon gets its own")
    return _AUTHORITY.sub(f"://{database}:{password}@", url_of(server_url, database), count=1)


def databases_script(passwords: Mapping[str, str]) -> str:
    """What makes databases and their owners, by name and password; run again it adds the new, and sets passwords."""
    parts = [_HEAD, _unless_there("pg_roles", "rolname", TENANT_ROLE, f"CREATE ROLE {TENANT_ROLE} NOLOGIN")]
    for name, password in passwords.items():
        parts += [
            _unless_there("pg_roles", "rolname", name, f"CREATE ROLE {name} LOGIN"),
            f"ALTER ROLE {name} PASSWORD '{password}';\n",
            _unless_there("pg_database", "datname", name, f"CREATE DATABASE {name} OWNER {name}"),
            f"REVOKE ALL ON DATABASE {name} FROM PUBLIC;\n",
        ]
    return "".join([*parts, f"GRANT {TENANT_ROLE} TO {CENTRAL};\n"])


_HEAD: Final = """\
-- Made by `flocklore provision`, for psql as an administrator of the server. It may be run again at any time.
\\set ON_ERROR_STOP on
"""


def _unless_there(table: str, column: str, name: str, statement: str) -> str:
    """PostgreSQL knows no CREATE ROLE IF NOT EXISTS."""
    return f"SELECT '{statement}' WHERE NOT EXISTS (SELECT FROM {table} WHERE {column} = '{name}') \\gexec\n"  # noqa: S608 - names of ours, and of instances, which hold no quotes
