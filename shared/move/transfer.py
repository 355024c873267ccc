"""Carrying rows and sequences from one end to the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from psycopg import Connection, sql

from shared.move.catalogue import Sequence, Table

Report = Callable[[str], None]

_REPORT_SECONDS: Final = 5.0
_OUT: Final = sql.SQL("COPY {} ({}) TO STDOUT (FORMAT binary)")
_IN: Final = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)")
_SET: Final = "SELECT setval(%s::regclass, %s, %s)"


def copy_table(source: Connection[Any], target: Connection[Any], table: Table, report: Report) -> None:
    """Stream a table, row by row; no more than one row is held here, whatever its size."""
    columns = sql.SQL(", ").join(sql.Identifier(column) for column in table.stored)
    reported, size_bytes = time.monotonic(), 0
    with (
        source.cursor().copy(_OUT.format(table.identifier, columns)) as outgoing,
        target.cursor().copy(_IN.format(table.identifier, columns)) as incoming,
    ):
        for block in outgoing:
            incoming.write(block)
            size_bytes += len(block)
            if time.monotonic() - reported > _REPORT_SECONDS:
                reported = time.monotonic()
                report(f"{table.title}: {size_bytes / 2**20:.0f} MB so far")


def set_sequence(target: Connection[Any], sequence: Sequence) -> None:
    """Have a sequence go on where it stands at the source; epochs of locks, made by one, must never come again."""
    target.execute(_SET, [sequence.identifier.as_string(target), sequence.last_value, sequence.is_called])
