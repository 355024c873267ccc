"""What is known of each pattern now, beside what was last said of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from instance.store.workspace import Repository
from schemas.codec import encode

CODE: Final = "code.pattern"
_ROWS_MAX: Final = 2000


@dataclass(frozen=True)
class Known:
    """One pattern of one repository: its state now, and what was last said (`version` 0: nothing yet)."""

    fingerprint: str
    kind: str
    language: str
    view: str
    template: str
    names: tuple[tuple[str, str], ...]
    tokens: int
    files: int
    occurrences: int
    version: int
    said_files: int
    said_occurrences: int
    template_shared: bool
    forgotten: bool
    body: dict[str, Any] = field(default_factory=dict)
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether something else would be said of it than was said last."""
        return (self.files, self.occurrences, self.body) != (self.said_files, self.said_occurrences, self.said)


class Said(Struct, frozen=True, kw_only=True):
    """What is said of a pattern from now on."""

    fingerprint: str
    kind: str
    version: int
    files: int
    occurrences: int
    shared_template: bool = False
    forgotten: bool = False
    said: dict[str, Any] = {}


_LOCK = text("LOCK TABLE observations IN SHARE ROW EXCLUSIVE MODE")
_KNOWN = """
    SELECT encode(p.fingerprint, 'hex'), p.kind, p.language, p.view, p.template, p.names, p.tokens,
           p.files, p.occurrences, coalesce(o.version, 0), coalesce(o.files, 0), coalesce(o.occurrences, 0),
           coalesce(o.shared_template, false), coalesce(o.forgotten, false), p.body, coalesce(o.said, '{}')
      FROM patterns p LEFT JOIN observations o USING (repository_id, fingerprint)
     WHERE p.repository_id = :id
"""
_ENOUGH = "p.files >= CASE p.kind WHEN 'code.pattern' THEN :files_min ELSE 1 END"
_TOUCHED = "p.fingerprint = ANY(SELECT decode(f, 'hex') FROM unnest(CAST(:touched AS text[])) AS f)"
_WORTH_SAYING = text(f"{_KNOWN} AND {_ENOUGH}")
_TOUCHED_WORTH_SAYING = text(f"{_KNOWN} AND {_ENOUGH} AND {_TOUCHED}")
_SAID_AND_KNOWN = text(f"{_KNOWN} AND NOT o.forgotten ORDER BY p.fingerprint")
_GONE = """
    SELECT encode(o.fingerprint, 'hex'), o.kind, o.version
      FROM observations o LEFT JOIN patterns p USING (repository_id, fingerprint)
     WHERE o.repository_id = :id AND NOT o.forgotten
       AND coalesce(p.files, 0) < CASE o.kind WHEN 'code.pattern' THEN :files_min ELSE 1 END
"""
_VANISHED = text(f"{_GONE} ORDER BY o.fingerprint")
_TOUCHED_VANISHED = text(f"{_GONE} AND {_TOUCHED.replace('p.', 'o.')} ORDER BY o.fingerprint")
_SAY = text("""
    INSERT INTO observations
           (repository_id, fingerprint, kind, version, files, occurrences, shared_template, forgotten, said)
    SELECT :id, decode(fingerprint, 'hex'), kind, version, files, occurrences, shared_template, forgotten, said
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(fingerprint text, kind text, version integer, files integer,
           occurrences integer, shared_template boolean, forgotten boolean, said jsonb)
     ORDER BY fingerprint
    ON CONFLICT (repository_id, fingerprint) DO UPDATE
       SET version = excluded.version, files = excluded.files, occurrences = excluded.occurrences,
           shared_template = excluded.shared_template, forgotten = excluded.forgotten, said = excluded.said,
           changed_at = now()
""")


async def lock(connection: AsyncConnection) -> None:
    """Let nobody else say anything until this transaction ends: two must not say the same version of a pattern."""
    await connection.execute(_LOCK)


async def worth_saying(
    connection: AsyncConnection, repository: Repository, files_min: int, touched: Collection[str] | None = None
) -> list[Known]:
    """Every pattern, or those touched, with enough files behind it, whatever was said of it before."""
    return [
        known(row)
        for row in await _select(connection, repository, files_min, touched, _WORTH_SAYING, _TOUCHED_WORTH_SAYING)
    ]


async def said_and_known(connection: AsyncConnection, repository: Repository) -> list[Known]:
    """Every pattern something was said of that still stands."""
    return [known(row) for row in await connection.execute(_SAID_AND_KNOWN, {"id": repository.id})]


async def vanished(
    connection: AsyncConnection, repository: Repository, files_min: int, touched: Collection[str] | None = None
) -> list[tuple[str, str, int]]:
    """Fingerprint, kind and last version of patterns, or of those touched, that were said and are no more."""
    rows = await _select(connection, repository, files_min, touched, _VANISHED, _TOUCHED_VANISHED)
    return [(fingerprint, kind, version) for fingerprint, kind, version in rows]


async def say(connection: AsyncConnection, repository: Repository, rows: Sequence[Said]) -> None:
    """Write what is said from now on, in the transaction of its events."""
    for start in range(0, len(rows), _ROWS_MAX):
        chunk = encode(rows[start : start + _ROWS_MAX]).decode()
        await connection.execute(_SAY, {"id": repository.id, "rows": chunk})


async def _select(
    connection: AsyncConnection,
    repository: Repository,
    files_min: int,
    touched: Collection[str] | None,
    all_of_them: TextClause,
    some: TextClause,
) -> Sequence[Any]:
    values = {"id": repository.id, "files_min": files_min}
    if touched is None:
        return (await connection.execute(all_of_them, values)).all()
    return (await connection.execute(some, values | {"touched": list(touched)})).all()


def known(row: Sequence[Any]) -> Known:
    """Make a value of the columns selected for one."""
    values = list(row)
    values[5] = tuple((name, origin) for name, origin in row[5])
    return Known(*values)
