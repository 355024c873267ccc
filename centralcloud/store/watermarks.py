"""How far each epoch of each instance is committed. Rows are locked in the order of their key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.codec import encode


class LineageKey(Protocol):
    """Tenant, instance and epoch."""

    @property
    def tenant(self) -> str: ...  # noqa: D102
    @property
    def instance(self) -> str: ...  # noqa: D102
    @property
    def epoch(self) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class Watermark:
    """One row; `newest_epoch` and `void` also look at the instance's other epochs."""

    tenant: str
    instance: str
    epoch: str
    wm: int
    durable_wm: int
    wm_hash: bytes | None
    snapshot_seq: int | None
    forked: bool
    newest_epoch: str
    void: bool
    """A later epoch has said everything again: what this one says no longer changes observations."""


_KEYS = "jsonb_to_recordset(CAST(:keys AS jsonb)) AS k(tenant text, instance text, epoch text)"
_ENSURE = text(f"""
    INSERT INTO watermarks (tenant, instance, epoch)
    SELECT tenant, instance, epoch FROM {_KEYS} ORDER BY 1, 2, 3
    ON CONFLICT DO NOTHING
""")  # noqa: S608 - composed of constants
_COLUMNS = """
    SELECT w.tenant, w.instance, w.epoch, w.wm, w.durable_wm, w.wm_hash, w.snapshot_seq, w.forked,
           (SELECT max(o.epoch) FROM watermarks o
             WHERE (o.tenant, o.instance) = (w.tenant, w.instance)) AS newest_epoch,
           EXISTS (SELECT 1 FROM watermarks o WHERE (o.tenant, o.instance) = (w.tenant, w.instance)
                      AND o.epoch > w.epoch AND o.snapshot_done) AS void
      FROM watermarks w
"""
_LOCK = text(f"""
    SELECT FROM watermarks w WHERE (w.tenant, w.instance) IN (SELECT tenant, instance FROM {_KEYS})
     ORDER BY w.tenant, w.instance, w.epoch FOR UPDATE
""")  # noqa: S608 - composed of constants
_LOCKED = text(f"{_COLUMNS} JOIN {_KEYS} USING (tenant, instance, epoch) ORDER BY w.tenant, w.instance, w.epoch")
_ONE = text(f"{_COLUMNS} WHERE (w.tenant, w.instance, w.epoch) = (:tenant, :instance, :epoch)")
_NEWEST = text("SELECT max(epoch) FROM watermarks WHERE (tenant, instance) = (:tenant, :instance)")
_ADVANCE = text("""
    UPDATE watermarks w
       SET wm = n.wm, wm_hash = coalesce(decode(n.wm_hash, 'hex'), w.wm_hash), forked = w.forked OR n.forked,
           snapshot_seq = coalesce(n.snapshot_seq, w.snapshot_seq), updated_at = now()
      FROM jsonb_to_recordset(CAST(:rows AS jsonb))
           AS n(tenant text, instance text, epoch text, wm bigint, wm_hash text, forked boolean, snapshot_seq bigint)
     WHERE (w.tenant, w.instance, w.epoch) = (n.tenant, n.instance, n.epoch)
""")
_COMPLETE_SNAPSHOTS = text(f"""
    WITH completed AS (
        UPDATE watermarks w SET snapshot_seq = NULL, snapshot_done = true
         WHERE w.snapshot_seq <= w.wm AND (w.tenant, w.instance) IN (SELECT tenant, instance FROM {_KEYS})
        RETURNING tenant, instance, epoch
    ), voided AS (
        DELETE FROM observations o USING completed c
         WHERE (o.tenant, o.instance) = (c.tenant, c.instance) AND o.epoch < c.epoch
        RETURNING o.tenant, o.fingerprint
    ), voided_results AS (
        DELETE FROM result_states r USING completed c
         WHERE (r.tenant, r.instance) = (c.tenant, c.instance) AND r.epoch < c.epoch
    )
    INSERT INTO changed_patterns (tenant, fingerprint)
    SELECT DISTINCT tenant, fingerprint FROM voided ORDER BY 1, 2
    ON CONFLICT (tenant, fingerprint) DO UPDATE SET changed_at = clock_timestamp()
""")  # noqa: S608 - composed of constants


def _keys(lineages: Iterable[LineageKey]) -> bytes:
    return encode([{"tenant": key.tenant, "instance": key.instance, "epoch": key.epoch} for key in lineages])


async def lock(connection: AsyncConnection, lineages: Sequence[LineageKey]) -> list[Watermark]:
    """Lock all epochs of these instances, and return these, making those that do not exist.

    Whether an epoch is void depends on the others, and what was true of them while we waited for a lock may be so no
    longer: it is read by a statement of its own, when nobody else can change it.
    """
    values = {"keys": _keys(lineages).decode()}
    await connection.execute(_ENSURE, values)
    await connection.execute(_LOCK, values)
    return [Watermark(*row) for row in await connection.execute(_LOCKED, values)]


async def get(connection: AsyncConnection, lineage: LineageKey) -> Watermark | None:
    """Read one row without locking it; None when nothing of that epoch was ever received."""
    values = {"tenant": lineage.tenant, "instance": lineage.instance, "epoch": lineage.epoch}
    row = (await connection.execute(_ONE, values)).one_or_none()
    return Watermark(*row) if row else None


async def newest_epoch(connection: AsyncConnection, tenant: str, instance: str) -> str | None:
    """The latest epoch anything was received in; None when nothing ever was."""
    found: str | None = (await connection.execute(_NEWEST, {"tenant": tenant, "instance": instance})).scalar()
    return found


async def advance(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Write new watermarks: dicts of tenant, instance, epoch, wm, wm_hash (hex or None), forked, snapshot_seq."""
    await connection.execute(_ADVANCE, {"rows": encode(rows).decode()})


async def complete_snapshots(connection: AsyncConnection, lineages: Sequence[LineageKey]) -> None:
    """Where everything up to the end of a snapshot has arrived, forget what older epochs said."""
    await connection.execute(_COMPLETE_SNAPSHOTS, {"keys": _keys(lineages).decode()})
