"""What a sentence model makes of each chunk, kept until the last chunk with that text is gone.

This is a cache beside the schema: made when a sentence model is first used, of the type the server allows, and safe to
drop. With the extension pgvector the server compares; without it the vectors are bytes and are compared here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from instance.store.workspace import Repository

Vectors = npt.NDArray[np.float32]
Storage = Literal["vector", "bytea"]
_LOCK: Final = 5_310_770_264_118_473  # any number, the same in every release


@dataclass(frozen=True)
class Unread:
    """A chunk the model has not seen yet."""

    id: int
    root: Path
    path: str
    start_line: int
    end_line: int
    digest: bytes


_STORAGE = text("""
    SELECT t.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
     WHERE a.attrelid = to_regclass('embeddings') AND a.attname = 'vector'
""")
_EXTENSION = text("""
    SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'vector'),
           EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector')
""")
_MISSING = text("""
    SELECT c.id, r.root, c.path, c.start_line, c.end_line, c.digest
      FROM chunks c JOIN repositories r ON r.id = c.repository_id
     WHERE c.id > :after AND NOT EXISTS (SELECT FROM embeddings e WHERE e.digest = c.digest)
     ORDER BY c.id LIMIT :limit
""")
_PUT: Final = {
    "vector": text("""
        INSERT INTO embeddings (digest, vector) VALUES (:digest, CAST(CAST(:vector AS real[]) AS vector))
        ON CONFLICT DO NOTHING
    """),
    "bytea": text("INSERT INTO embeddings (digest, vector) VALUES (:digest, :vector) ON CONFLICT DO NOTHING"),
}
_PRUNE = text("DELETE FROM embeddings e WHERE NOT EXISTS (SELECT FROM chunks c WHERE c.digest = e.digest)")
_JOINED: Final = """
      FROM chunks c JOIN embeddings e USING (digest)
     WHERE (CAST(:id AS integer) IS NULL OR c.repository_id = :id) ORDER BY c.id
"""
_COMPARED = text(f"SELECT c.id, -(e.vector <#> CAST(CAST(:vector AS real[]) AS vector)) {_JOINED}")
_VECTORS = text(f"SELECT c.id, e.vector {_JOINED}")


async def prepare(connection: AsyncConnection, dimensions: int) -> Storage:
    """Make the table unless it is there; returns how vectors are stored."""
    await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    known = await storage(connection)
    if known is not None:
        return known
    chosen: Storage = "vector" if await _has_pgvector(connection) else "bytea"
    kind = f"vector({dimensions})" if chosen == "vector" else "bytea"
    await connection.execute(text(f"CREATE TABLE embeddings (digest bytea PRIMARY KEY, vector {kind} NOT NULL)"))
    return chosen


async def storage(connection: AsyncConnection) -> Storage | None:
    """How vectors are stored; None when no sentence model was ever used on this database."""
    kind = (await connection.execute(_STORAGE)).scalar()
    return None if kind is None else "vector" if kind == "vector" else "bytea"


async def missing(connection: AsyncConnection, after: int, limit: int) -> list[Unread]:
    """The next chunks without an embedding, by id."""
    rows = await connection.execute(_MISSING, {"after": after, "limit": limit})
    return [Unread(row[0], Path(row[1]), *row[2:]) for row in rows]


async def put(connection: AsyncConnection, stored: Storage, vectors: Mapping[bytes, Vectors]) -> None:
    """Add vectors of length 1 by the digest of the text they stand for."""
    rows = [{"digest": digest, "vector": _packed(stored, vector)} for digest, vector in sorted(vectors.items())]
    if rows:
        await connection.execute(_PUT[stored], rows)


async def prune(connection: AsyncConnection) -> int:
    """Drop the embeddings of texts that are nowhere any more; returns how many."""
    return (await connection.execute(_PRUNE)).rowcount


async def cosines(
    connection: AsyncConnection, stored: Storage, vector: Vectors, repository: Repository | None = None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Ids of the chunks that have an embedding, ascending, and the cosine of each with a vector of length 1."""
    scope = {"id": repository.id if repository else None}
    if stored == "vector":
        rows = (await connection.execute(_COMPARED, scope | {"vector": vector.tolist()})).all()
        found = np.array([cosine for _, cosine in rows], np.float64)
    else:
        rows = (await connection.execute(_VECTORS, scope)).all()
        packed = np.frombuffer(b"".join(row[1] for row in rows), "<f2").reshape(-1, len(vector))
        found = (packed.astype(np.float32) @ vector).astype(np.float64)
    return np.array([row[0] for row in rows], np.int64), found


async def _has_pgvector(connection: AsyncConnection) -> bool:
    """Tell whether this database has the extension, adding it where that is allowed."""
    installed, available = (await connection.execute(_EXTENSION)).one()
    if installed or not available:
        return bool(installed)
    try:
        async with connection.begin_nested():
            await connection.execute(text("CREATE EXTENSION vector"))
    except ProgrammingError:  # pgvector is not a trusted extension: a plain user may not add it
        return False
    return True


def _packed(stored: Storage, vector: Vectors) -> list[float] | bytes:
    return vector.tolist() if stored == "vector" else vector.astype("<f2").tobytes()
