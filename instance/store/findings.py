"""What agents found, and what each agent has studied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from instance.store.workspace import Repository
from schemas.codec import encode

_ROWS_MAX: Final = 2000


class FindingRow(Struct, frozen=True, kw_only=True):
    """A finding as it is stored."""

    fingerprint: str
    kind: str
    template: str
    language: str
    view: str
    names: tuple[tuple[str, str], ...]
    tokens: int
    files: int
    occurrences: int
    body: dict[str, Any]


_PUT = text("""
    INSERT INTO patterns AS p
           (repository_id, fingerprint, agent, kind, language, view, template, names, tokens, files, occurrences, body)
    SELECT :id, decode(fingerprint, 'hex'), :agent, kind, language, view, template, names, tokens, files, occurrences,
           body
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(fingerprint text, kind text, language text, view text,
           template text, names jsonb, tokens integer, files integer, occurrences integer, body jsonb)
     ORDER BY fingerprint
    ON CONFLICT (repository_id, fingerprint) DO UPDATE
       SET agent = excluded.agent, template = excluded.template, names = excluded.names, files = excluded.files,
           occurrences = excluded.occurrences, body = excluded.body
     WHERE (p.agent, p.template, p.names, p.files, p.occurrences, p.body) IS DISTINCT FROM
           (excluded.agent, excluded.template, excluded.names, excluded.files, excluded.occurrences, excluded.body)
    RETURNING encode(fingerprint, 'hex')
""")
_DROP = text("""
    DELETE FROM patterns p USING unnest(CAST(:fingerprints AS text[])) AS f
     WHERE repository_id = :id AND agent = :agent AND p.fingerprint = decode(f, 'hex')
    RETURNING encode(fingerprint, 'hex')
""")
_DROP_OTHERS = text("""
    DELETE FROM patterns p WHERE repository_id = :id AND agent = :agent AND NOT EXISTS (
        SELECT FROM unnest(CAST(:fingerprints AS text[])) AS f WHERE p.fingerprint = decode(f, 'hex'))
    RETURNING encode(fingerprint, 'hex')
""")
_DROP_ABSENT = text("""
    WITH gone AS (DELETE FROM agents WHERE repository_id = :id AND NOT agent = ANY(:agents))
    DELETE FROM patterns WHERE repository_id = :id AND agent <> 'miner' AND NOT agent = ANY(:agents)
    RETURNING encode(fingerprint, 'hex')
""")
_FILES_DIGEST = text("""
    SELECT coalesce(md5(string_agg(path || encode(digest, 'hex') || miner, '' ORDER BY path)), '')
      FROM files WHERE repository_id = :id
""")
_INPUTS = text("SELECT agent, inputs FROM agents WHERE repository_id = :id AND error IS NULL")
_STUDIED = text("""
    INSERT INTO agents (repository_id, agent, inputs, findings, seconds, error)
    VALUES (:id, :agent, :inputs, :findings, :seconds, :error)
    ON CONFLICT (repository_id, agent) DO UPDATE
       SET inputs = excluded.inputs, findings = excluded.findings, seconds = excluded.seconds, error = excluded.error,
           studied_at = now()
""")
_FACTS = text("SELECT path, facts FROM files WHERE repository_id = :id AND facts <> ''")


async def replace(
    connection: AsyncConnection, repository: Repository, agent: str, rows: Sequence[FindingRow]
) -> set[str]:
    """Make these the findings of an agent; returns the fingerprints of those that changed or are gone."""
    fingerprints = [row.fingerprint for row in rows]
    values = {"id": repository.id, "agent": agent, "fingerprints": fingerprints}
    dropped = await connection.execute(_DROP_OTHERS, values)
    return {*dropped.scalars(), *await put(connection, repository, agent, rows)}


async def put(connection: AsyncConnection, repository: Repository, agent: str, rows: Sequence[FindingRow]) -> set[str]:
    """Add findings of an agent, or change them; returns the fingerprints of those that are not as they were."""
    changed: set[str] = set()
    for start in range(0, len(rows), _ROWS_MAX):
        values = {"id": repository.id, "agent": agent, "rows": encode(rows[start : start + _ROWS_MAX]).decode()}
        changed |= set((await connection.execute(_PUT, values)).scalars())
    return changed


async def drop(
    connection: AsyncConnection, repository: Repository, agent: str, fingerprints: Iterable[str]
) -> set[str]:
    """Drop some findings of an agent; returns the fingerprints of those there were."""
    values = {"id": repository.id, "agent": agent, "fingerprints": list(fingerprints)}
    return set((await connection.execute(_DROP, values)).scalars())


async def keep_only(connection: AsyncConnection, repository: Repository, agents: Iterable[str]) -> set[str]:
    """Drop what agents found that are no longer there; returns the fingerprints."""
    result = await connection.execute(_DROP_ABSENT, {"id": repository.id, "agents": list(agents)})
    return set(result.scalars())


async def files_digest(connection: AsyncConnection, repository: Repository) -> str:
    """Digest of all studied files; the same contents under the same paths give the same."""
    digest: str = (await connection.execute(_FILES_DIGEST, {"id": repository.id})).scalar_one()
    return digest


async def inputs(connection: AsyncConnection, repository: Repository) -> dict[str, str]:
    """Digest of what each agent last read, by its name; those that failed are left out."""
    rows = await connection.execute(_INPUTS, {"id": repository.id})
    return {row[0]: row[1] for row in rows}


async def note_study(
    connection: AsyncConnection,
    repository: Repository,
    agent: str,
    inputs_digest: str,
    *,
    findings: int,
    seconds: float,
    error: str | None = None,
) -> None:
    """Note that an agent has studied, or tried to."""
    values: Mapping[str, Any] = {
        "id": repository.id, "agent": agent, "inputs": inputs_digest, "findings": findings, "seconds": seconds,
        "error": error,
    }  # fmt: skip
    await connection.execute(_STUDIED, values)


async def facts(connection: AsyncConnection, repository: Repository) -> dict[str, bytes]:
    """Packed facts of every studied file, by path."""
    return {path: bytes(packed) for path, packed in await connection.execute(_FACTS, {"id": repository.id})}
