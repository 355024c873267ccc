"""`signing_key`: what this instance signs with; it is made and kept with its database."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.signing import Signer, read, written

_GET = text("SELECT seed, succession FROM signing_key")
_LOCK = text("SELECT seed, succession FROM signing_key FOR UPDATE")
_MAKE = text("INSERT INTO signing_key (seed) VALUES (:seed) ON CONFLICT DO NOTHING")
_REPLACE = text("UPDATE signing_key SET seed = :seed, succession = :succession, made_at = now()")


async def prepare(connection: AsyncConnection) -> None:
    """Make a key, unless there is one."""
    await connection.execute(_MAKE, {"seed": Signer.new().seed})


async def get(connection: AsyncConnection, *, for_update: bool = False) -> Signer | None:
    """Read the key; None in a database that was never enrolled by a release that signs."""
    row = (await connection.execute(_LOCK if for_update else _GET)).one_or_none()
    return Signer(row.seed, read(row.succession)) if row else None


async def replace(connection: AsyncConnection, signer: Signer) -> None:
    """Sign with another key from now on."""
    values = {"seed": signer.seed, "succession": written(signer.succession)}
    await connection.execute(_REPLACE, values)
