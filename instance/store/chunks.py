"""The searchable units of code: where each stands, and how often each subtoken is in it. No text is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import Raw, Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from instance.store.workspace import Repository
from schemas.codec import encode

TABLES: Final = """
    CREATE TABLE chunks (
        id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        repository_id  integer NOT NULL,
        path           text NOT NULL,
        ordinal        integer NOT NULL CHECK (ordinal >= 0),
        kind           text NOT NULL,
        name           text NOT NULL,
        within         text NOT NULL DEFAULT '',
        start_line     integer NOT NULL CHECK (start_line > 0),
        end_line       integer NOT NULL CHECK (end_line >= start_line),
        digest         bytea NOT NULL CHECK (octet_length(digest) = 16),
        subtokens      text[] NOT NULL,
        times          smallint[] NOT NULL CHECK (cardinality(times) = cardinality(subtokens)),
        length         integer NOT NULL CHECK (length >= 0),
        UNIQUE (repository_id, path, ordinal),
        FOREIGN KEY (repository_id, path) REFERENCES files ON DELETE CASCADE
    );
    CREATE INDEX chunks_by_subtoken ON chunks USING gin (subtokens) WITH (fastupdate = off);
    CREATE INDEX chunks_by_digest ON chunks (digest);
    COMMENT ON TABLE chunks IS 'Functions, methods and classes as they are searched; they go with their file.';
    COMMENT ON COLUMN chunks.times IS 'How often each of the subtokens is in it, in their order; length is the sum.';
    COMMENT ON COLUMN chunks.digest IS 'Of the first letters of its text: what its embedding is kept under.';
"""
_ROWS_MAX: Final = 1000


class ChunkRow(Struct, frozen=True, kw_only=True):
    """One definition of a file; `digest` is in hex, `times` says how often each subtoken is in it."""

    path: str
    ordinal: int
    kind: str
    name: str
    within: str
    start_line: int
    end_line: int
    digest: str
    subtokens: Sequence[str]
    times: Sequence[int]
    length: int


@dataclass(frozen=True)
class Place:
    """Where a chunk stands; `root` is the directory of its repository."""

    id: int
    root: str
    path: str
    kind: str
    name: str
    within: str
    start_line: int
    end_line: int
    digest: bytes

    @property
    def qualified_name(self) -> str:
        """The name with what is around it: `Outer.Inner.method`."""
        return f"{self.within}.{self.name}" if self.within else self.name


_DELETE = text("DELETE FROM chunks WHERE repository_id = :id AND path = ANY(:paths)")
_PUT = text("""
    INSERT INTO chunks (repository_id, path, ordinal, kind, name, within, start_line, end_line, digest, subtokens,
           times, length)
    SELECT :id, path, ordinal, kind, name, within, start_line, end_line, decode(digest, 'hex'), subtokens, times, length
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(path text, ordinal integer, kind text, name text, within text,
           start_line integer, end_line integer, digest text, subtokens text[], times smallint[], length integer)
""")
# A plan made for any words whatever reads the whole table until that has been analysed: 200 ms instead of 10.
_PLAN_FOR_THESE_WORDS = text("SET LOCAL plan_cache_mode = force_custom_plan")
_POSTINGS = text("""
    SELECT q.number - 1, c.id, c.length, c.times[array_position(c.subtokens, q.word)]
      FROM unnest(CAST(:words AS text[])) WITH ORDINALITY AS q(word, number)
      JOIN chunks c ON c.subtokens @> ARRAY[q.word]
     WHERE CAST(:id AS integer) IS NULL OR c.repository_id = :id
""")
_TOTALS = text("""
    SELECT count(*), coalesce(sum(length), 0)::bigint FROM chunks
     WHERE CAST(:id AS integer) IS NULL OR repository_id = :id
""")
_PLACES = text("""
    SELECT c.id, r.root, c.path, c.kind, c.name, c.within, c.start_line, c.end_line, c.digest
      FROM chunks c JOIN repositories r ON r.id = c.repository_id WHERE c.id = ANY(:ids)
""")


async def put(
    connection: AsyncConnection, repository: Repository, rows_by_path: Mapping[str, Sequence[ChunkRow | Raw]]
) -> None:
    """Replace the chunks of some files, which must have been written before; a file without any has none.

    The rows may be encoded already.
    """
    if not rows_by_path:
        return
    await connection.execute(_DELETE, {"id": repository.id, "paths": list(rows_by_path)})
    rows = [row for path in sorted(rows_by_path) for row in rows_by_path[path]]
    for start in range(0, len(rows), _ROWS_MAX):
        packed = encode(rows[start : start + _ROWS_MAX]).decode()
        await connection.execute(_PUT, {"id": repository.id, "rows": packed})


async def postings(
    connection: AsyncConnection, words: Sequence[str], repository: Repository | None = None
) -> list[tuple[int, int, int, int]]:
    """Every chunk with each word, of one repository or all: place of the word, id, length, how often it is there."""
    await connection.execute(_PLAN_FOR_THESE_WORDS)
    values = {"words": list(words), "id": repository.id if repository else None}
    return [(word, chunk, length, times) for word, chunk, length, times in await connection.execute(_POSTINGS, values)]


async def totals(connection: AsyncConnection, repository: Repository | None = None) -> tuple[int, int]:
    """How many chunks there are, and how many subtokens in them altogether."""
    count, length = (await connection.execute(_TOTALS, {"id": repository.id if repository else None})).one()
    return count, length


async def places(connection: AsyncConnection, ids: Sequence[int]) -> list[Place]:
    """Where some chunks stand, in the order of their ids given; those that are gone are left out."""
    found = {row.id: Place(*row) for row in await connection.execute(_PLACES, {"ids": list(ids)})}
    return [found[identity] for identity in ids if identity in found]
