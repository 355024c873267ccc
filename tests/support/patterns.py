"""Made-up observations of an instance, written the way its agents write them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from instance.store import observations, outbox, workspace
from instance.store.observations import CODE, Said
from instance.store.outbox import event_identity
from instance.store.workspace import PatternRow, Repository
from schemas.codec import encode
from schemas.events import CodePatternLearned, PatternForgotten
from schemas.fingerprint import fingerprint as fingerprint_of
from shared.database import transaction

TOPIC = CodePatternLearned.topic
LANGUAGE, VIEW = "python", "statement"
_SAID = text("""
    SELECT encode(fingerprint, 'hex'), version, files, occurrences FROM observations
     WHERE repository_id = :id AND fingerprint = ANY(:fingerprints)
""")


def template(number: int) -> str:
    """A shape of code for a number."""
    return f"$1 = len ( $2 ) + {number}"


def fingerprint(number: int) -> str:
    """The fingerprint of that shape, the same everywhere."""
    return fingerprint_of(LANGUAGE, VIEW, template(number)).hex()


def repository_key(name: str) -> str:
    """The key of a repository, the same everywhere."""
    return blake2b(name.encode(), digest_size=16).hexdigest()


async def learn(engine: AsyncEngine, numbers: Iterable[int], *, files: int = 3, repository: str = "repo") -> None:
    """Observe some patterns in so many files each (0: no more), and append their events, in one transaction."""
    async with transaction(engine) as connection:
        await observe(connection, dict.fromkeys(numbers, files), repository)


async def observe(connection: AsyncConnection, files_by_number: Mapping[int, int], repository: str = "repo") -> int:
    """Say of each pattern in how many files it is now, each twice per file; returns the number of events."""
    await observations.lock(connection)
    place = await workspace.open_repository(connection, Path("/nowhere") / repository, repository_key(repository))
    files = {fingerprint(number): count for number, count in files_by_number.items()}
    templates = {fingerprint(number): template(number) for number in files_by_number}
    before = await _said(connection, place, files)
    rows = [
        Said(
            fingerprint=name,
            kind=CODE,
            version=before.get(name, (0, 0, 0))[0] + 1,
            files=count,
            occurrences=2 * count,
            forgotten=not count,
        )
        for name, count in files.items()
        if count or name in before
    ]
    patterns = {row.fingerprint: _pattern(row, templates) for row in rows if row.files}
    await workspace.change_counts(connection, place, {row.fingerprint: _change(row, before) for row in rows}, patterns)
    await observations.say(connection, place, rows)
    await outbox.append(connection, [(TOPIC, encode(_event(row, place))) for row in rows])
    return len(rows)


async def scalar(engine: AsyncEngine, statement: str) -> object:
    """One value of a statement."""
    async with engine.connect() as connection:
        return (await connection.execute(text(statement))).scalar()


async def _said(
    connection: AsyncConnection, place: Repository, fingerprints: Iterable[str]
) -> dict[str, tuple[int, int, int]]:
    values = {"id": place.id, "fingerprints": [bytes.fromhex(name) for name in fingerprints]}
    rows = await connection.execute(_SAID, values)
    return {name: (version, files, occurrences) for name, version, files, occurrences in rows}


def _change(row: Said, before: Mapping[str, tuple[int, int, int]]) -> tuple[int, int]:
    _, files, occurrences = before.get(row.fingerprint, (0, 0, 0))
    return row.files - files, row.occurrences - occurrences


def _pattern(row: Said, templates: Mapping[str, str]) -> PatternRow:
    return PatternRow(
        fingerprint=row.fingerprint,
        kind=CODE,
        language=LANGUAGE,
        view=VIEW,
        template=templates[row.fingerprint],
        tokens=6,
    )


def _event(row: Said, place: Repository) -> CodePatternLearned | PatternForgotten:
    same = event_identity() | {"fingerprint": row.fingerprint, "repository": place.key, "version": row.version}
    if row.forgotten:
        return PatternForgotten(**same)
    return CodePatternLearned(
        **same, files=row.files, occurrences=row.occurrences, language=LANGUAGE, view=VIEW, tokens=6
    )
