"""Bronze: `received_envelopes`, the log of what was received, byte for byte; `forks` and `dead_letters`, set aside.

Of it silver is made in the same transaction (`observations`, `result_states`, `instance_statistics`: see `intake`), and
of that, on schedules, gold (`insights`, `fleet`, `routing_priors`). A dead letter is made silver by `replay`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.store.watermarks import LineageKey, Watermark

# LATERAL and its own ORDER BY keep the planner to one look into the index for each epoch, however large the log is.
_RANGES_BEYOND = text("""
    SELECT k.tenant, k.instance, k.epoch, r.first_seq, r.last_seq
      FROM jsonb_to_recordset(:marks) AS k(tenant text, instance text, epoch text, wm bigint)
     CROSS JOIN LATERAL (
        SELECT e.first_seq, e.last_seq FROM received_envelopes e
         WHERE (e.tenant, e.instance, e.epoch) = (k.tenant, k.instance, k.epoch) AND e.last_seq > k.wm
         ORDER BY e.last_seq
     ) AS r
     ORDER BY r.first_seq
""")
_OVERLAPPING = text("""
    SELECT first_seq, hashes FROM received_envelopes
     WHERE (tenant, instance, epoch) = (:tenant, :instance, :epoch) AND last_seq >= :first AND first_seq <= :last
     ORDER BY first_seq
""")
_INSERT = text("""
    INSERT INTO received_envelopes (tenant, instance, epoch, first_seq, last_seq, hashes, body)
    VALUES (:tenant, :instance, :epoch, :first_seq, :last_seq, :hashes, :body)
""").bindparams(bindparam("hashes", type_=BYTEA), bindparam("body", type_=BYTEA))
_INSERT_FORK = text("""
    INSERT INTO forks (tenant, instance, epoch, first_seq, body) VALUES (:tenant, :instance, :epoch, :first_seq, :body)
""").bindparams(bindparam("body", type_=BYTEA))
_INSERT_DEAD_LETTER = text("""
    INSERT INTO dead_letters (tenant, instance, subject, epoch, seq, body, error)
    VALUES (:tenant, :instance, :subject, :epoch, :seq, :body, :error)
    ON CONFLICT DO NOTHING
""").bindparams(bindparam("body", type_=BYTEA))
_HASH_AT = text("""
    SELECT substring(hashes FROM CAST(8 * (:seq - first_seq) + 1 AS integer) FOR 8) FROM received_envelopes
     WHERE (tenant, instance, epoch) = (:tenant, :instance, :epoch) AND :seq BETWEEN first_seq AND last_seq
""")

HASH_BYTES = 8


def _key(lineage: LineageKey) -> dict[str, Any]:
    return {"tenant": lineage.tenant, "instance": lineage.instance, "epoch": lineage.epoch}


async def ranges_beyond(connection: AsyncConnection, marks: Sequence[Watermark]) -> list[list[tuple[int, int]]]:
    """Ranges (first, last) received past each watermark, in order."""
    values = {"marks": Jsonb([_key(mark) | {"wm": mark.wm} for mark in marks])}
    found: defaultdict[tuple[str, str, str], list[tuple[int, int]]] = defaultdict(list)
    for tenant, instance, epoch, first, last in await connection.execute(_RANGES_BEYOND, values):
        found[tenant, instance, epoch].append((first, last))
    return [found[mark.tenant, mark.instance, mark.epoch] for mark in marks]


async def hashes_between(connection: AsyncConnection, lineage: LineageKey, first: int, last: int) -> dict[int, bytes]:
    """Hash by sequence of what was received between two sequences, as far as the log still has it."""
    rows = await connection.execute(_OVERLAPPING, _key(lineage) | {"first": first, "last": last})
    return {
        start + index: hashes[offset : offset + HASH_BYTES]
        for start, hashes in rows
        for index, offset in enumerate(range(0, len(hashes), HASH_BYTES))
    }


async def hash_at(connection: AsyncConnection, lineage: LineageKey, seq: int) -> bytes | None:
    """Hash of one received event; None when the log no longer has it."""
    found: bytes | None = (await connection.execute(_HASH_AT, _key(lineage) | {"seq": seq})).scalar()
    return found


async def insert(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Append ranges of received events."""
    if rows:
        await connection.execute(_INSERT, rows)


async def insert_fork(connection: AsyncConnection, row: dict[str, Any]) -> None:
    """Set aside an envelope that contradicts what was received."""
    await connection.execute(_INSERT_FORK, row)


async def insert_dead_letters(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Set aside what could not be decoded; the same letter twice is one row."""
    await connection.execute(_INSERT_DEAD_LETTER, rows)
