"""What a move would do, and whether it may: everything is looked at, and nothing is written."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from psycopg import Connection, sql

from shared.errors import FlockloreError
from shared.inspection import Database, Kind, kind_of, revision, scalar, server_facts
from shared.move.catalogue import Table, caches, sequences
from shared.move.checks import Check, Situation, TablePlan, examine
from shared.move.checksum import Content, measure
from shared.move.ends import shown
from shared.move.target import Found, Target, look
from shared.move.users import users

_COUNT: Final = sql.SQL("SELECT count(*) FROM {}")


class Move(Struct, frozen=True, kw_only=True):
    """Which database goes where; `restart` empties what an earlier run copied."""

    source: Database
    target: Target
    restart: bool = False


class Side(Struct, frozen=True, kw_only=True):
    """One end: `address` without its password, `version` of PostgreSQL."""

    address: str
    database: str
    version: str


class Plan(Struct, frozen=True, kw_only=True):
    """What would be done: `steps` in words; rows and bytes (with indexes) are those still to be copied."""

    kind: Kind | None
    schema: str | None
    source: Side
    target: Side
    rows: int
    size_bytes: int
    tables: list[TablePlan]
    left_out: list[str]
    steps: list[str]
    checks: list[Check]


def make_plan(source: Connection[Any], ordered: list[Table], move: Move) -> tuple[Plan, FlockloreError | None]:
    """Look at both ends; beside the plan the first reason why it cannot be carried out, if there is one."""
    found = look(move.target)
    now = Situation(
        database=move.source.name,
        kind=kind_of(source),
        schema=revision(source),
        version_number=source.info.server_version,
        version=server_facts(source).version,
        users=users(source),
        tables=_table_plans(source, ordered, {} if move.restart else found.copied),
        target=move.target,
        found=found,
        free_bytes=_free_bytes(move.target.directory),
        restart=move.restart,
    )
    checks, refusal = examine(now)
    return _plan(source, move, now, checks), refusal


def _plan(source: Connection[Any], move: Move, now: Situation, checks: list[Check]) -> Plan:
    to = move.target
    return Plan(
        kind=now.kind,
        schema=now.schema,
        source=Side(address=shown(move.source.url), database=now.database, version=now.version),
        target=Side(
            address=shown(to.address) if to.url else str(to.directory), database=to.name, version=now.found.version
        ),
        rows=now.rows,
        size_bytes=now.size_bytes,
        tables=now.tables,
        left_out=caches(source),
        steps=_steps(now, len(sequences(source))),
        checks=checks,
    )


def _steps(now: Situation, sequences_count: int) -> list[str]:
    found: Found = now.found
    waiting = sum(table.state != "copied" for table in now.tables)
    steps = [
        "" if found.exists else f"create the database {now.target.name}",
        "" if found.begun else f"make schema {now.schema} in it, empty",
        "empty what an earlier run copied" if found.begun and now.restart else "",
        f"copy {waiting} tables with {now.rows} rows",
        f"set {sequences_count} sequences",
        f"compare rows and checksums of {len(now.tables)} tables",
        "open it to daemons; the source stays as it is",
    ]
    return [step for step in steps if step]


def _table_plans(source: Connection[Any], ordered: list[Table], copied: dict[str, Content]) -> list[TablePlan]:
    return [_table_plan(source, table, copied.get(table.title)) for table in ordered]


def _table_plan(source: Connection[Any], table: Table, before: Content | None) -> TablePlan:
    """Count a table; one that was copied before is read to its end, to see whether it is as it was."""
    if before is None:
        rows, state = int(scalar(source, _COUNT.format(table.identifier))), "copy"
    else:
        content = measure(source, table)
        rows, state = content.rows, "copied" if content == before else "changed"
    return TablePlan(table=table.title, rows=rows, size_bytes=table.size_bytes, state=state)  # type: ignore[arg-type]


def _free_bytes(directory: Path | None) -> int | None:
    """Bytes free where `directory` is or would be."""
    if directory is None:
        return None
    there = next(path for path in (directory, *directory.parents) if path.exists())
    return shutil.disk_usage(there).free
