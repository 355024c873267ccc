"""Observations written straight into a central database, as ingest would after decoding them."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import msgspec
from msgspec import structs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.learning.observation import Observation
from centralcloud.store import changes
from shared.database import transaction

TENANT = "default"

_UPSERT = text("""
    INSERT INTO observations AS o (tenant, instance, repository, fingerprint, kind, language, view, name, template,
                                   files, occurrences, forgotten, epoch, version, seq, event_id)
    SELECT :tenant, instance, repository, fingerprint, kind, language, view, name, template,
           files, occurrences, forgotten, epoch, version, 1, repeat('0', 32)
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (
           instance text, repository text, fingerprint text, kind text, language text, view text, name text,
           template text, files bigint, occurrences bigint, forgotten boolean, epoch text, version bigint)
    ON CONFLICT (tenant, fingerprint, instance, repository) DO UPDATE
       SET kind = excluded.kind, language = excluded.language, view = excluded.view, name = excluded.name,
           template = excluded.template, files = excluded.files, occurrences = excluded.occurrences,
           forgotten = excluded.forgotten, epoch = excluded.epoch, version = excluded.version, received_at = now()
     WHERE (excluded.epoch, excluded.version) > (o.epoch, o.version)
""")


def digest(name: str) -> str:
    """Make 32 hex digits of a name, to stand for a fingerprint or a repository."""
    return blake2b(name.encode(), digest_size=16).hexdigest()


def observation(pattern: str, instance: str, repository: str, **changes: object) -> Observation:
    """Say that an instance has a pattern of Python code in a repository."""
    found = Observation(
        fingerprint=digest(pattern), instance=instance, repository=digest(repository), kind="code.pattern",
        language="python", view="statement", name="", template=None, files=1, occurrences=2, forgotten=False,
        epoch=digest("epoch"), version=1,
    )  # fmt: skip
    return structs.replace(found, **changes)


async def observe(engine: AsyncEngine, *observed: Observation, tenant: str = TENANT) -> None:
    """Write observations and mark their patterns, in one transaction."""
    rows = msgspec.json.encode(observed).decode()
    async with transaction(engine) as connection:
        await connection.execute(_UPSERT, {"tenant": tenant, "rows": rows})
        await changes.mark(connection, tenant, {one.fingerprint for one in observed})


async def shared_by(engine: AsyncEngine, pattern: str, instances: Sequence[str], *, tenant: str = TENANT) -> str:
    """Have each instance report a pattern in a repository of its own; return the fingerprint."""
    await observe(engine, *(observation(pattern, name, f"repository of {name}") for name in instances), tenant=tenant)
    return digest(pattern)
