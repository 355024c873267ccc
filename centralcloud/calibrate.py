"""How far evidence can be trusted, found out from all repositories: the tables instances rank with."""

from __future__ import annotations

import asyncio

from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.learning.calibration import Counts, Outcome, conclude, outcome
from centralcloud.store import calibrations, changes
from schemas.calibration import Calibration
from shared.database import transaction


async def calibrate_all(engine: AsyncEngine) -> None:
    """Fit the tables of every tenant anew."""
    async with transaction(engine) as connection:
        tenants = await changes.tenants(connection)
    for tenant in tenants:
        await calibrate(engine, tenant)


async def calibrate(engine: AsyncEngine, tenant: str) -> list[Calibration]:
    """Fit one tenant's tables, a language at a time, and keep them; empty where there are too few repositories."""
    async with transaction(engine) as connection:
        sizes = await calibrations.sizes(connection, tenant)
    outcomes = {language: await _outcome(engine, tenant, language, files) for language, files in sizes.items()}
    tables = conclude({language: found for language, found in outcomes.items() if found is not None})
    async with transaction(engine) as connection:
        await calibrations.put(connection, tenant, tables)
    return tables


async def _outcome(engine: AsyncEngine, tenant: str, language: str, sizes: dict[str, int]) -> Outcome | None:
    async with transaction(engine) as connection:
        rows = await calibrations.counts(connection, tenant, language, list(sizes))
    held: dict[str, dict[str, int]] = {repository: {} for repository in sizes}
    for row in rows:
        held[row.repository][row.fingerprint] = row.files
    counts = [Counts(repository, sizes[repository], files) for repository, files in held.items()]
    return await asyncio.to_thread(outcome, counts, {row.fingerprint: row.bits for row in rows})
