"""Observations written into a central database by the statements of ingest, without a bus."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.learning.observation import Observation
from centralcloud.store import intake
from centralcloud.store.intake import ObservationRow
from shared.database import transaction

TENANT = "default"
EVENT_ID = "0" * 32


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


def rows_of(observed: Sequence[Observation], *, tenant: str = TENANT) -> list[ObservationRow]:
    """Give observations as ingest writes them."""
    return [ObservationRow(tenant=tenant, seq=1, event_id=EVENT_ID, **structs.asdict(one)) for one in observed]


async def observe(engine: AsyncEngine, *observed: Observation, tenant: str = TENANT) -> None:
    """Write observations the way ingest does, in one transaction."""
    async with transaction(engine) as connection:
        await intake.upsert_observations(connection, rows_of(observed, tenant=tenant))


async def shared_by(engine: AsyncEngine, pattern: str, instances: Sequence[str], *, tenant: str = TENANT) -> str:
    """Have each instance report a pattern in a repository of its own; return the fingerprint."""
    await observe(engine, *(observation(pattern, name, f"repository of {name}") for name in instances), tenant=tenant)
    return digest(pattern)
