"""Whether two tables hold the same rows: their number and a sum over them, the same on every server and in every order.

Each row is written as text and hashed with SHA-256, and the first 64 bits of the hashes are added up. The text of the
types we use has been the same since PostgreSQL 12 once time zone and formats are fixed (`ends.py`); SHA-256 is a
standard, where `hashtext` and its kin may change with the release, the byte order and the collation, and MD5 is
missing on servers in FIPS mode. A sum, unlike an exclusive or, also sees a row that is there twice. Damage by chance
goes unnoticed once in 2^64; it is no defence against somebody who forges rows on purpose.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from psycopg import Connection, sql

from shared.move.catalogue import Table

_MEASURE: Final = sql.SQL("""
    SELECT count(*), coalesce(sum(('x' || encode(substring(
               sha256(convert_to(ROW({})::text, 'UTF8')) FOR 8), 'hex'))::bit(64)::bigint), 0)::text
      FROM {}
""")


class Content(Struct, frozen=True):
    """What a table holds: rows, and the checksum of them as a decimal number."""

    rows: int
    checksum: str


def measure(connection: Connection[Any], table: Table) -> Content:
    """Read a table to its end, generated columns included."""
    columns = sql.SQL(", ").join(sql.Identifier(column) for column in table.columns)
    row = connection.execute(_MEASURE.format(columns, table.identifier)).fetchone()
    if row is None:
        raise LookupError("a statement that always returns a row returned none")
    return Content(*row)
