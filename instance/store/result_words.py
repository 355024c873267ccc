"""`job_result_words`: what was said of a job or a commit, kept for results of it that are recorded later."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from instance.store.results import Label

RETENTION_DAYS: Final = 90

_PRUNED_MAX: Final = 10_000

_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('job_result_words'))")
_KEEP = text("""
    INSERT INTO job_result_words (subject, name, job_type, source, labelled_at, status)
    VALUES (:subject, :name, :job_type, :source, :at, :status)
    ON CONFLICT (subject, name, job_type, labelled_at, source) DO NOTHING
""")
_PRUNE = text("""
    DELETE FROM job_result_words
     WHERE ctid = ANY(ARRAY(SELECT ctid FROM job_result_words
                             WHERE recorded_at < clock_timestamp() - make_interval(days => :days) LIMIT :limit))
""")


class Subject(NamedTuple):
    """What a word is about: the results of a job or of a commit, or those of them of one kind."""

    kind: Literal["job", "commit"]
    name: str
    job_type: str | None = None


async def keep(connection: AsyncConnection, subject: Subject, said: Label) -> None:
    """Keep a word for results that come later; those that are there already are for the caller to label, after this.

    Until the transaction ends nobody records a result: it would see neither.
    """
    await connection.execute(_LOCK)
    name = subject.name.lower() if subject.kind == "commit" else subject.name
    values = {"subject": subject.kind, "name": name, "job_type": subject.job_type or ""}
    await connection.execute(_KEEP, values | {"source": said.source, "at": said.at, "status": said.status})


async def prune(connection: AsyncConnection) -> int:
    """Forget words that waited long enough; returns how many."""
    return (await connection.execute(_PRUNE, {"days": RETENTION_DAYS, "limit": _PRUNED_MAX})).rowcount
