"""The tables that tell how far evidence can be trusted, as centralcloud fitted them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.calibration import Calibration
from schemas.codec import encode

_REPLACE = text("""
    WITH gone AS (
        DELETE FROM calibrations WHERE NOT language = ANY(:languages)
    )
    INSERT INTO calibrations (language, body)
    SELECT body->>'language', body FROM jsonb_array_elements(CAST(:tables AS jsonb)) AS body
    ON CONFLICT (language) DO UPDATE SET body = excluded.body, fetched_at = now()
""")
_ALL = text("SELECT body FROM calibrations")


async def replace(connection: AsyncConnection, tables: Sequence[Calibration]) -> None:
    """Make these the tables in use."""
    languages = [table.language for table in tables]
    await connection.execute(_REPLACE, {"languages": languages, "tables": encode(tables).decode()})


async def by_language(connection: AsyncConnection) -> dict[str, Calibration]:
    """Return the tables in use; the one under "" is for languages without their own."""
    tables = [msgspec.convert(body, Calibration) for body in (await connection.execute(_ALL)).scalars()]
    return {table.language: table for table in tables}
