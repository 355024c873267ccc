"""Rows of one tenant alone, enforced by PostgreSQL: a statement that forgets whose rows it is about finds no others.

Answers to a tenant run as a role that row-level security applies to; what the hub does for all tenants, taking in and
merging, runs as the owner of the tables.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.database import transaction
from shared.errors import ConfigurationError

ROLE: Final = "flocklore_tenant"

_OPEN: Final = ("distributed_locks", "shared_insights", "regions_heard")
"""What may be read by all: who leads, which regions live, and a view that shows to each what others share with it."""

_LOCK: Final = 7_231_908_114
_EXISTS = text("SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = :role)")
# From PostgreSQL 16 on, who makes a role may give it to others, and not yet become it.
_MEMBER = text("""
    SELECT pg_has_role(current_user, :role, CASE WHEN version < 160000 THEN 'MEMBER' ELSE 'SET' END)
      FROM CAST(current_setting('server_version_num') AS int) AS version
""")
_ALONE = text("SELECT pg_advisory_xact_lock(:lock)")
_KEPT_APART = text("""
    SELECT c.oid::regclass::text
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = current_schema() AND (c.relrowsecurity OR c.reloptions @> ARRAY['security_invoker=true'])
       AND NOT has_table_privilege(:role, c.oid, 'SELECT,INSERT,UPDATE,DELETE')
     ORDER BY 1
""")
_BECOME = text("SELECT set_config('flocklore.tenant', :tenant, true), set_config('role', :role, true)")


async def prepare(engine: AsyncEngine) -> None:
    """See that the role exists and may touch what is kept apart; ConfigurationError when it takes an administrator."""
    async with transaction(engine) as connection:
        await connection.execute(_ALONE, {"lock": _LOCK})
        try:
            if not (await connection.execute(_EXISTS, {"role": ROLE})).scalar_one():
                await _make_role(connection)
            if not (await connection.execute(_MEMBER, {"role": ROLE})).scalar_one():
                await connection.execute(text(f"GRANT {ROLE} TO CURRENT_USER"))
        except ProgrammingError as error:
            raise ConfigurationError(
                f"DATABASE_URL: its user may not make the role that keeps tenants apart; have an administrator run "
                f"CREATE ROLE {ROLE} NOLOGIN; GRANT {ROLE} TO the user"
            ) from error
        await connection.execute(text(f"GRANT SELECT ON {', '.join(_OPEN)} TO {ROLE}"))
        for table in (await connection.execute(_KEPT_APART, {"role": ROLE})).scalars():
            await connection.execute(text(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {ROLE}"))


@asynccontextmanager
async def of_tenant(engine: AsyncEngine, tenant: str) -> AsyncIterator[AsyncConnection]:
    """One transaction that sees and changes the rows of `tenant` and of nobody else."""
    async with transaction(engine) as connection:
        await connection.execute(_BECOME, {"tenant": tenant, "role": ROLE})
        yield connection


async def _make_role(connection: AsyncConnection) -> None:
    """Make the role; roles belong to the server, and the hub of another database may make it at the same moment."""
    await connection.execute(
        text(f"""
            DO $$ BEGIN
                CREATE ROLE {ROLE} NOLOGIN;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END $$
        """)
    )
