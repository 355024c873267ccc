"""Moving a database: look, copy what is missing, compare everything, and only then open the new one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from msgspec import Struct
from psycopg import Connection, IsolationLevel, sql

from shared.embedded.databases import create_missing
from shared.errors import ConfigurationError, FlockloreError
from shared.inspection import Kind, migrations_of
from shared.move import catalogue, progress
from shared.move.catalogue import Sequence, Table
from shared.move.checksum import Content, measure
from shared.move.ends import explained, hold, opened
from shared.move.plan import Move, Plan, Side, make_plan
from shared.move.target import END as TARGET
from shared.move.target import Target, is_there, maintenance_address
from shared.move.transfer import Report, copy_table, set_sequence
from shared.move.users import require_unused

SOURCE: Final = "the source"


class Compared(Struct, frozen=True, kw_only=True):
    """One table on both sides."""

    table: str
    rows: int
    rows_target: int
    checksum: str
    checksum_target: str
    equal: bool


class Moved(Struct, frozen=True, kw_only=True):
    """What was done: `copied` by this run, `tables` compared on both sides; daemons may use it once `complete`.

    `differing` names tables, or sequences, that are not as they are at the source; the next run copies them again.
    """

    complete: bool
    source: Side
    target: Side
    copied: list[str]
    tables: list[Compared]
    sequences: int
    differing: list[str]
    left_out: list[str]
    seconds: float


def rehearse(move: Move) -> tuple[Plan, FlockloreError | None]:
    """Say what a move would do, and why it cannot if it cannot; nothing is written at either end."""
    with explained(), opened(move.source.url, SOURCE) as source:
        hold(source, SOURCE)
        tables = catalogue.tables(source)
        with _snapshot(source):
            return make_plan(source, tables, move)


def carry_out(move: Move, report: Report) -> Moved:
    """Move a database, or go on where an earlier run was ended.

    FlockloreError when it may not be moved: then nothing was written. TransientError when a server fails on the way,
    AlreadyRunningError when somebody came to use the source: then what was copied stays, and the next run goes on.
    """
    began = time.monotonic()
    with explained(), opened(move.source.url, SOURCE) as source:
        hold(source, SOURCE)
        require_unused(source)
        tables = catalogue.tables(source)
        with _snapshot(source):
            _keep_writers_out(source, tables)
            plan, refusal = make_plan(source, tables, move)
            if refusal:
                raise refusal
            with _made(move.target, plan.kind, plan.schema) as target:
                copied = _copy(source, target, tables, report, restart=move.restart)
                sequences = catalogue.sequences(source)
                _set(target, sequences)
                compared = _compare(target, tables, progress.copied(target), report)
                differing = [one.table for one in compared if not one.equal] + _strayed(target, sequences)
                _end(source, target, plan.schema, differing)
    return Moved(
        complete=not differing,
        source=plan.source,
        target=plan.target,
        copied=copied,
        tables=compared,
        sequences=len(sequences),
        differing=differing,
        left_out=plan.left_out,
        seconds=round(time.monotonic() - began, 1),
    )


@contextmanager
def _snapshot(source: Connection[Any]) -> Iterator[None]:
    """Read one state of the source, however long that takes; nothing can be written to it by mistake."""
    source.isolation_level = IsolationLevel.REPEATABLE_READ
    source.read_only = True
    with source.transaction():
        yield


def _keep_writers_out(source: Connection[Any], tables: list[Table]) -> None:
    """Let everybody read and nobody write until the transaction ends: a daemon that is started now has to wait."""
    names = [table.identifier for table in tables]
    locking = sql.SQL("LOCK TABLE {} IN SHARE MODE")
    # Not the version of the schema: who may only read it need not be its owner.
    if names:
        source.execute(locking.format(sql.SQL(", ").join(names)))


@contextmanager
def _made(target: Target, kind: Kind | None, schema: str | None) -> Iterator[Connection[Any]]:
    """Yield the target database, made and with an empty schema if an earlier run did not get so far."""
    if kind is None or schema is None:
        raise LookupError("what the source is has been checked")
    if not is_there(target):
        create_missing(maintenance_address(target), [target.name])
    with opened(target.address, TARGET) as connection:
        hold(connection, TARGET)
        if not progress.begun(connection):
            progress.prepare(target.address, migrations_of(kind), schema)
        yield connection


def _copy(
    source: Connection[Any], target: Connection[Any], tables: list[Table], report: Report, *, restart: bool
) -> list[str]:
    """Fill the tables that are not filled yet, each in one transaction with its line on the list."""
    _require_same_shape(tables, catalogue.tables(target))
    missing = catalogue.unfinished(tables, () if restart else progress.copied(target).keys())
    titles = [table.title for table in missing]
    with target.transaction():
        progress.forget(target, titles)
        progress.empty(target, missing)
    for number, table in enumerate(missing, start=1):
        content = measure(source, table)
        with target.transaction():
            copy_table(source, target, table, report)
            progress.note(target, table, content)
        report(f"copied {table.title}: {content.rows} rows ({number} of {len(missing)})")
    return titles


def _require_same_shape(ours: list[Table], theirs: list[Table]) -> None:
    """ConfigurationError when the source has what this schema does not: somebody changed it by hand."""
    known = {table.title: table.columns for table in theirs}
    if strange := [table.title for table in ours if known.get(table.title) != table.columns]:
        raise ConfigurationError(f"the source was changed by hand: {', '.join(strange)}; undo that, or move it by hand")


def _set(target: Connection[Any], sequences: list[Sequence]) -> None:
    for sequence in sequences:
        set_sequence(target, sequence)


def _strayed(target: Connection[Any], sequences: list[Sequence]) -> list[str]:
    there = catalogue.sequences(target)
    return [sequence.title for sequence in sequences if sequence not in there]


def _compare(
    target: Connection[Any], tables: list[Table], expected: dict[str, Content], report: Report
) -> list[Compared]:
    """Read every table of the target to its end."""
    report(f"comparing {len(tables)} tables")
    return [_compared(table.title, expected[table.title], measure(target, table)) for table in tables]


def _compared(title: str, ours: Content, theirs: Content) -> Compared:
    return Compared(
        table=title,
        rows=ours.rows,
        rows_target=theirs.rows,
        checksum=ours.checksum,
        checksum_target=theirs.checksum,
        equal=ours == theirs,
    )


def _end(source: Connection[Any], target: Connection[Any], schema: str | None, differing: list[str]) -> None:
    """Open the target to daemons, or have the next run copy again what differs."""
    if differing:
        progress.forget(target, differing)
        return
    # A plan made without statistics reads whole tables.
    target.execute("ANALYZE")
    require_unused(source)
    progress.finish(target, str(schema))
