"""Made-up observations of an instance, written the way its agents write them."""

from __future__ import annotations

from hashlib import blake2b

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.store import observations, outbox
from instance.store.observations import CODE, Said
from instance.store.outbox import event_identity
from instance.store.workspace import Repository, open_repository, put_patterns, PatternRow, PatternDelta, replace_counts
from pathlib import Path
from schemas.codec import encode
from schemas.events import CodePatternLearned
from shared.database import transaction


def fingerprint(number: int) -> str:
    """A fingerprint for a number, the same everywhere."""
    return blake2b(b"pattern %d" % number, digest_size=16).hexdigest()


async def learn(engine: AsyncEngine, numbers: range, *, files: int = 3, version: int = 1, repository: str = "repo") -> None:
    """Observe some patterns and append their events, in one transaction."""
    async with transaction(engine) as connection:
        place = await open_repository(connection, Path("/nowhere") / repository, blake2b(repository.encode(), digest_size=16).hexdigest())
        said = [
            Said(fingerprint=fingerprint(number), kind=CODE, version=version, files=files, occurrences=files * 2)
            for number in numbers
        ]
        await put_patterns(connection, place, [PatternRow(fingerprint=row.fingerprint, kind=CODE, language="python", view="statement", template="$1 = len ( $2 )", tokens=6) for row in said])
        await observations.say(connection, place, said)
        events = [_event(row, place) for row in said]
        await outbox.append(connection, [(event.topic, encode(event)) for event in events])


def _event(row: Said, repository: Repository) -> CodePatternLearned:
    return CodePatternLearned(
        **event_identity(),
        fingerprint=row.fingerprint,
        repository=repository.key,
        version=row.version,
        files=row.files,
        occurrences=row.occurrences,
        language="python",
        view="statement",
    )


async def scalar(engine: AsyncEngine, statement: str) -> object:
    """One value of a statement."""
    async with engine.connect() as connection:
        return (await connection.execute(text(statement))).scalar()
