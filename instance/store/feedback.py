"""What the owner of this instance said of insights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

Verdict = Literal["accepted", "rejected", "withdrawn"]
Reason = Literal["", "not_applicable", "disagree", "wrong", "already_done", "too_costly"]


@dataclass(frozen=True)
class Given:
    """The last word on one insight."""

    id: str
    verdict: Verdict
    reason: Reason
    version: int


_GIVE = text("""
    INSERT INTO insight_feedback AS f (id, verdict, reason) VALUES (:id, :verdict, :reason)
    ON CONFLICT (id) DO UPDATE
       SET verdict = excluded.verdict, reason = excluded.reason, version = f.version + 1, given_at = now()
     WHERE (f.verdict, f.reason) <> (excluded.verdict, excluded.reason)
    RETURNING id, verdict, reason, version
""")
_SAY_AGAIN = text("UPDATE insight_feedback SET version = version + 1 RETURNING id, verdict, reason, version")
_REJECTED = text("SELECT id, reason FROM insight_feedback WHERE verdict = 'rejected'")


async def give(connection: AsyncConnection, insight_id: str, verdict: Verdict, reason: Reason) -> Given | None:
    """Write the owner's word; None when it was the last one already."""
    row = (await connection.execute(_GIVE, {"id": insight_id, "verdict": verdict, "reason": reason})).one_or_none()
    return Given(*row) if row is not None else None


async def next_versions(connection: AsyncConnection) -> list[Given]:
    """Everything that stands, each in its next version."""
    return sorted((Given(*row) for row in await connection.execute(_SAY_AGAIN)), key=lambda given: given.id)


async def rejected(connection: AsyncConnection) -> dict[str, str]:
    """Reasons of the insights rejected here, by id."""
    return {row[0]: row[1] for row in await connection.execute(_REJECTED)}
