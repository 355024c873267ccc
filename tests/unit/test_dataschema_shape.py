from __future__ import annotations

import random
import re
import string

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instance.learning.dataschema.changes import LeftOut, pack, unpack
from instance.learning.dataschema.combining import combine
from instance.learning.dataschema.conventions import conventions
from instance.learning.dataschema.reading import tables_in
from instance.learning.dataschema.shape import shape
from instance.learning.dataschema.values import TYPES, Table

SHOP = """
CREATE TABLE customers (
    id bigint PRIMARY KEY, tenant_id uuid NOT NULL, email text NOT NULL,
    state text NOT NULL CHECK (state IN ('a', 'b')), deleted_at timestamptz,
    created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, UNIQUE (tenant_id, email)
);
CREATE TABLE orders (
    id bigint PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers, parent_id bigint REFERENCES orders,
    extra jsonb, price numeric NOT NULL, created_at timestamptz NOT NULL
);
CREATE INDEX ON orders (customer_id);
"""


def tables(text: str) -> list[Table]:
    return combine({"a.sql": tables_in("a.sql", text, "sql")})


def test_a_shape_says_everything_but_names() -> None:
    customers, orders = tables(SHOP)
    assert shape(customers).splitlines() == [
        "bigint pk",
        "text",
        "text enum",
        "timestamp",
        "timestamp",
        "timestamp null",
        "uuid",
        "unique(uuid, text)",
    ]
    assert shape(orders).splitlines() == [
        "bigint fk indexed",
        "bigint null self",
        "bigint pk",
        "json null",
        "numeric",
        "timestamp",
    ]


def test_neither_names_nor_the_order_of_columns_change_a_shape() -> None:
    renamed = SHOP.replace("customers", "kunden").replace("orders", "x").replace("email", "post").replace("price", "p")
    assert [shape(table) for table in tables(renamed)] == [shape(table) for table in tables(SHOP)]
    (one,) = tables("CREATE TABLE a (x int, y text NOT NULL, PRIMARY KEY (x, y))")
    (other,) = tables("CREATE TABLE b (y text, z int, PRIMARY KEY (z, y))")
    assert shape(one) == shape(other) == "integer pk\ntext pk\npk(integer pk, text pk)"


def test_conventions_come_with_their_evidence() -> None:
    found = {each.name: (each.holds, each.of) for each in conventions(tables(SHOP))}
    assert found == {
        "keys.bigint": (2, 2),
        "timestamps.created-updated": (1, 2),
        "timestamps.created-only": (1, 2),
        "delete.soft": (1, 2),
        "tenancy.column": (1, 2),
        "json.columns": (1, 2),
        "naming.tables-plural": (2, 2),
        "naming.tables-snake-case": (2, 2),
        "naming.columns-snake-case": (13, 13),
        "foreign-keys.indexed": (1, 2),
        "foreign-keys.named-id": (2, 2),
        "enums.check": (1, 1),
        "columns.not-null": (8, 11),
        "money.exact": (1, 1),
    }
    assert conventions([]) == []


NAMES = st.text(string.ascii_lowercase, min_size=6, max_size=12).map(lambda text: f"zq{text}")


@given(st.lists(NAMES, min_size=12, max_size=12, unique=True))
def test_no_name_of_a_schema_is_in_what_leaves(names: list[str]) -> None:
    table, other, kind, index, constraint, value, *columns = names
    text = f"""
        CREATE TYPE {kind} AS ENUM ('{value}');
        CREATE TABLE {other} ({columns[0]} uuid PRIMARY KEY);
        CREATE TABLE {table} (
            {columns[1]} bigint PRIMARY KEY, {columns[2]} {kind} NOT NULL, {columns[3]} uuid REFERENCES {other},
            {columns[4]} text CHECK ({columns[4]} IN ('{value}')), {columns[5]} {value} DEFAULT '{value}',
            CONSTRAINT {constraint} UNIQUE ({columns[2]}, {columns[3]})
        );
        CREATE INDEX {index} ON {table} ({columns[4]}, {columns[5]});
    """
    found = tables(text)
    assert len(found) == 2
    said = "".join(shape(table) for table in found) + "".join(
        f"{each.name}{each.description}" for each in conventions(found)
    )
    assert not [name for name in names if name in said]
    words = {word for table in found for word in re.findall(r"\w+", shape(table))}
    assert words <= TYPES | {"pk", "null", "fk", "enum", "indexed", "unique", "index"}


def test_changes_of_a_file_survive_being_stored() -> None:
    text = (
        SHOP + "ALTER TABLE orders RENAME TO sales; DROP TABLE x; ALTER TABLE sales ADD y int, DROP z, ALTER w TYPE int"
    )
    text += "; DROP INDEX i; CREATE TYPE t AS ENUM ('a'); CREATE TABLE q AS SELECT 1"
    changes = tables_in("a.sql", text, "sql")
    assert LeftOut("table_without_columns") in changes
    assert unpack(pack(changes)) == changes
    with pytest.raises(msgspec.ValidationError):
        unpack(msgspec.msgpack.encode([["Unheard", 1]]))


def test_statements_in_any_layout_are_the_same_tables() -> None:
    laid_out = SHOP.replace(" ", "\n\t").replace(",", " /* a ' comment */ ,").replace(";", " -- it's done\n;")
    seed = random.Random(7)  # noqa: S311 - repeatable, not secret
    cased = "".join(seed.choice((letter, letter.upper())) if letter.isalpha() else letter for letter in SHOP)
    assert [shape(table) for table in tables(laid_out)] == [shape(table) for table in tables(SHOP)]
    assert [shape(table) for table in tables(cased)] == [shape(table) for table in tables(SHOP)]
