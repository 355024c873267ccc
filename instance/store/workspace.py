"""What was read of each repository: its files with their postings, and the patterns they add up to."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from msgspec import Raw, Struct
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.codec import encode

_ROWS_MAX: Final = 2000


@dataclass(frozen=True)
class Repository:
    """A directory that is studied; `key` is what leaves the machine instead of its name."""

    id: int
    root: Path
    key: str
    scanned: bool


@dataclass(frozen=True)
class FileRow:
    """A file as it was last read."""

    path: str
    size_bytes: int
    mtime_ns: int
    digest: bytes
    language: str
    postings: bytes
    facts: bytes


class PatternRow(Struct, frozen=True, kw_only=True):
    """What a pattern is; its counts are kept beside it."""

    fingerprint: str
    kind: str
    template: str
    language: str = ""
    view: str = ""
    names: tuple[tuple[str, str], ...] = ()
    tokens: int = 0


class PatternDelta(Struct, frozen=True, kw_only=True):
    """How the counts of one pattern change."""

    fingerprint: str
    files: int
    occurrences: int


_ADD = text("""
    INSERT INTO repositories (root, key) VALUES (:root, :key) ON CONFLICT (root) DO NOTHING
""")
_FIND = text("SELECT id, root, key, scanned_at IS NOT NULL FROM repositories WHERE root = :root")
_ALL = text("SELECT id, root, key, scanned_at IS NOT NULL FROM repositories ORDER BY root")
_SCANNED = text("UPDATE repositories SET scanned_at = now() WHERE id = :id")
MINER_VERSION: Final = 2
"""What was mined by another version is read again."""

_STAMPS = text("""
    SELECT path, CASE miner WHEN :miner THEN size_bytes ELSE -1 END, mtime_ns,
           CASE miner WHEN :miner THEN digest ELSE '' END
      FROM files WHERE repository_id = :id
""")
_POSTINGS = text("""
    SELECT path, postings FROM files WHERE repository_id = :id AND path = ANY(:paths) ORDER BY path FOR UPDATE
""")
_CLAIM = text("""
    INSERT INTO files (repository_id, path, size_bytes, mtime_ns, digest, language, postings, facts, miner)
    SELECT :id, path, 0, 0, '', '', '', '', :miner FROM unnest(CAST(:paths AS text[])) AS path ORDER BY path
    ON CONFLICT DO NOTHING
""")
_PUT_FILE = text("""
    INSERT INTO files (repository_id, path, size_bytes, mtime_ns, digest, language, postings, facts, miner)
    VALUES (:id, :path, :size_bytes, :mtime_ns, :digest, :language, :postings, :facts, :miner)
    ON CONFLICT (repository_id, path) DO UPDATE
       SET size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns, digest = excluded.digest,
           language = excluded.language, postings = excluded.postings, facts = excluded.facts, miner = excluded.miner
""").bindparams(bindparam("digest", type_=BYTEA), bindparam("postings", type_=BYTEA), bindparam("facts", type_=BYTEA))
_RESTAMP = text("""
    UPDATE files SET size_bytes = :size_bytes, mtime_ns = :mtime_ns WHERE repository_id = :id AND path = :path
""")
_DELETE_FILES = text("DELETE FROM files WHERE repository_id = :id AND path = ANY(:paths)")
_TOTALS = text("""
    SELECT language, count(*), coalesce(sum(size_bytes), 0)::bigint FROM files GROUP BY language
""")
_ADD_COUNTS = text("""
    INSERT INTO patterns AS p
           (repository_id, fingerprint, kind, language, view, template, names, tokens, files, occurrences)
    SELECT :id, decode(fingerprint, 'hex'), kind, language, view, template, names, tokens, files, occurrences
      FROM ROWS FROM (
           jsonb_to_recordset(CAST(:rows AS jsonb)) AS (fingerprint text, kind text, language text, view text,
           template text, names jsonb, tokens integer),
           unnest(CAST(:files AS integer[])), unnest(CAST(:occurrences AS integer[]))
      ) AS r(fingerprint, kind, language, view, template, names, tokens, files, occurrences)
     ORDER BY fingerprint
    ON CONFLICT (repository_id, fingerprint) DO UPDATE
       SET files = p.files + excluded.files, occurrences = p.occurrences + excluded.occurrences
""")
_CHANGE_COUNTS = text("""
    UPDATE patterns p SET files = p.files + d.files, occurrences = p.occurrences + d.occurrences
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS d(fingerprint text, files integer, occurrences integer)
     WHERE p.repository_id = :id AND p.fingerprint = decode(d.fingerprint, 'hex')
""")
_LOCK_COUNTS = text("SELECT FROM repositories WHERE id = :id FOR NO KEY UPDATE")
_DROP_EMPTY = text("DELETE FROM patterns WHERE repository_id = :id AND files = 0")
_COUNT_FILES = text("SELECT count(*) FROM files WHERE repository_id = :id")
_FILES_BY_LANGUAGE = text("SELECT language, count(*) FROM files WHERE repository_id = :id GROUP BY language")
_COUNT = text("SELECT count(*) FROM patterns WHERE files >= :files_min")


async def open_repository(connection: AsyncConnection, root: Path, key: str | None) -> Repository:
    """Find a repository by its directory, or add it under `key` (outside git: a random one, kept from then on)."""
    values: dict[str, Any] = {"root": str(root), "key": key or secrets.token_hex(16)}
    await connection.execute(_ADD, values)
    return _repository((await connection.execute(_FIND, values)).one())


async def known_repository(connection: AsyncConnection, root: str) -> Repository:
    """Find a repository that was opened before."""
    return _repository((await connection.execute(_FIND, {"root": root})).one())


async def repositories(connection: AsyncConnection) -> list[Repository]:
    """All repositories, by directory."""
    return [_repository(row) for row in await connection.execute(_ALL)]


async def mark_scanned(connection: AsyncConnection, repository: Repository) -> None:
    """Note that every file of a repository has been looked at."""
    await connection.execute(_SCANNED, {"id": repository.id})


async def stamps(connection: AsyncConnection, repository: Repository) -> dict[str, tuple[int, int, bytes]]:
    """Size, modification time and digest of every known file, by path; impossible ones where another version mined."""
    rows = await connection.execute(_STAMPS, {"id": repository.id, "miner": MINER_VERSION})
    return {path: (size, mtime, bytes(digest)) for path, size, mtime, digest in rows}


async def claim_files(connection: AsyncConnection, repository: Repository, paths: Sequence[str]) -> dict[str, bytes]:
    """Let this transaction alone write some files until it ends; returns the postings they have, empty for new ones."""
    await connection.execute(_CLAIM, {"id": repository.id, "paths": list(paths), "miner": MINER_VERSION})
    return await postings(connection, repository, paths)


async def postings(connection: AsyncConnection, repository: Repository, paths: Sequence[str]) -> dict[str, bytes]:
    """Postings of some files, by path, locked until the end; unknown paths are left out."""
    rows = await connection.execute(_POSTINGS, {"id": repository.id, "paths": list(paths)})
    return {path: bytes(packed) for path, packed in rows}


async def put_files(connection: AsyncConnection, repository: Repository, rows: Sequence[FileRow]) -> None:
    """Write files as they were just read."""
    if rows:
        await connection.execute(_PUT_FILE, [{"id": repository.id, "miner": MINER_VERSION} | vars(row) for row in rows])


async def restamp(
    connection: AsyncConnection, repository: Repository, stamps_by_path: Mapping[str, tuple[int, int, bytes]]
) -> None:
    """Note new times of files whose contents are the same."""
    rows = [
        {"id": repository.id, "path": path, "size_bytes": size, "mtime_ns": mtime}
        for path, (size, mtime, _) in stamps_by_path.items()
    ]
    if rows:
        await connection.execute(_RESTAMP, rows)


async def delete_files(connection: AsyncConnection, repository: Repository, paths: Sequence[str]) -> None:
    """Forget files."""
    await connection.execute(_DELETE_FILES, {"id": repository.id, "paths": list(paths)})


async def lock_counts(connection: AsyncConnection, repository: Repository) -> None:
    """Let this transaction alone change patterns and counts of the repository until it ends."""
    await connection.execute(_LOCK_COUNTS, {"id": repository.id})


async def change_counts(
    connection: AsyncConnection,
    repository: Repository,
    deltas: Mapping[str, tuple[int, int]],
    patterns: Mapping[str, PatternRow | Raw],
) -> None:
    """Add (files, occurrences) to the counts of patterns, by fingerprint in hex; drop those that reach zero.

    Those not known yet are added; they are in `patterns`, perhaps encoded already.
    """
    changed = {fingerprint: delta for fingerprint, delta in sorted(deltas.items()) if any(delta)}
    more = [fingerprint for fingerprint, delta in changed.items() if fingerprint in patterns and min(delta) >= 0]
    for start in range(0, len(more), _ROWS_MAX):
        some = {fingerprint: patterns[fingerprint] for fingerprint in more[start : start + _ROWS_MAX]}
        await _add_counts(connection, repository, changed, some)
    less = [
        PatternDelta(fingerprint=fingerprint, files=changed[fingerprint][0], occurrences=changed[fingerprint][1])
        for fingerprint in sorted(changed.keys() - more)
    ]
    for chunk in _chunks(less):
        await connection.execute(_CHANGE_COUNTS, {"id": repository.id, "rows": chunk})
    if any(row.files < 0 for row in less):
        await connection.execute(_DROP_EMPTY, {"id": repository.id})


async def _add_counts(
    connection: AsyncConnection,
    repository: Repository,
    counts: Mapping[str, tuple[int, int]],
    patterns: Mapping[str, PatternRow | Raw],
) -> None:
    """Add to the counts of these patterns, known or not: a row that is new is written once."""
    files, occurrences = zip(*(counts[fingerprint] for fingerprint in patterns), strict=True)
    values = {"files": list(files), "occurrences": list(occurrences), "rows": encode(list(patterns.values())).decode()}
    await connection.execute(_ADD_COUNTS, {"id": repository.id} | values)


async def totals(connection: AsyncConnection) -> tuple[dict[str, int], int]:
    """Files by language, and their bytes altogether."""
    rows = (await connection.execute(_TOTALS)).all()
    return {language: count for language, count, _ in rows}, sum(size for _, _, size in rows)


async def count_files(connection: AsyncConnection, repository: Repository) -> int:
    """How many files of a repository have been mined."""
    count: int = (await connection.execute(_COUNT_FILES, {"id": repository.id})).scalar_one()
    return count


async def files_by_language(connection: AsyncConnection, repository: Repository) -> dict[str, int]:
    """How many files of each language of a repository have been mined."""
    rows = await connection.execute(_FILES_BY_LANGUAGE, {"id": repository.id})
    return {row[0]: row[1] for row in rows}


async def count_patterns(connection: AsyncConnection, files_min: int) -> int:
    """How many patterns are in at least so many files."""
    count: int = (await connection.execute(_COUNT, {"files_min": files_min})).scalar_one()
    return count


def _repository(row: Any) -> Repository:
    return Repository(row[0], Path(row[1]), row[2], row[3])


def _chunks(rows: Sequence[Struct]) -> Iterable[str]:
    for start in range(0, len(rows), _ROWS_MAX):
        yield encode(rows[start : start + _ROWS_MAX]).decode()
