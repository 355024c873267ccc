from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instance.learning.dataschema.changes import LeftOut
from instance.learning.dataschema.combining import combine
from instance.learning.dataschema.reading import schema_language_of, tables_in
from instance.learning.dataschema.values import Column, ForeignKey, Table

POSTGRES = """
CREATE TYPE order_state AS ENUM ('open', 'paid');
CREATE DOMAIN money_amount AS numeric(12,2) CHECK (value >= 0);
CREATE TABLE public.customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email character varying(255) NOT NULL,
    "group" text DEFAULT 'x; not the end' CHECK ("group" IN ('a', 'b')),
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    created_at timestamp(6) with time zone DEFAULT now() NOT NULL
);
CREATE TABLE IF NOT EXISTS orders (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    customer_id bigint NOT NULL REFERENCES customers ON DELETE CASCADE,
    state order_state NOT NULL,
    total money_amount,
    settings jsonb,
    shipped date, -- REFERENCES nothing
    CONSTRAINT orders_total_once UNIQUE (customer_id, total)
);
ALTER TABLE ONLY public.orders ADD CONSTRAINT orders_pkey PRIMARY KEY (id);
CREATE UNIQUE INDEX CONCURRENTLY customers_email ON customers USING btree (lower((email)::text));
CREATE UNIQUE INDEX orders_open ON orders (state) WHERE state = 'open';
CREATE FUNCTION f() RETURNS void AS $body$ BEGIN; CREATE TABLE inside (a int); END $body$ LANGUAGE plpgsql;
CREATE TEMPORARY TABLE passing (id int);
COPY customers (id) FROM stdin;
CREATE TABLE row_of_a_dump (id int);
\\.
"""
MYSQL = """
DROP TABLE IF EXISTS `items`;
/*!40101 SET character_set_client = utf8 */;
CREATE TABLE `items` (
  `id` int(11) unsigned NOT NULL AUTO_INCREMENT, # the key
  `name` varchar(100) CHARACTER SET utf8mb4 NOT NULL DEFAULT 'it\\'s; fine',
  `visible` tinyint(1) DEFAULT '1',
  `kind` enum('a','b') NOT NULL,
  `key` varchar(20),
  `shop_id` bigint(20),
  PRIMARY KEY (`id`),
  UNIQUE KEY `by_name` (`name`(20)),
  KEY `by_shop` (`shop_id`,`kind`),
  CONSTRAINT `to_shop` FOREIGN KEY (`shop_id`) REFERENCES `shops` (`id`)
) ENGINE=InnoDB COMMENT='x';
INSERT INTO `items` VALUES (1,'CREATE TABLE x (a int);',1,'a','',NULL);
"""
SQLITE = """
CREATE TABLE [notes](id INTEGER PRIMARY KEY AUTOINCREMENT, body, size REAL, data BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX notes_size ON notes (size DESC);
"""


def tables(*texts: str) -> dict[str, Table]:
    per_file = {f"migrations/{at}.sql": tables_in(f"{at}.sql", text, "sql") for at, text in enumerate(texts)}
    return {table.name: table for table in combine(per_file)}


def types(table: Table) -> dict[str, str]:
    return {column.name: column.type for column in table.columns}


def test_a_schema_of_postgresql() -> None:
    found = tables(POSTGRES)
    assert set(found) == {"customers", "orders"}
    customers, orders = found["customers"], found["orders"]
    assert customers.columns == (
        Column("id", "bigint", nullable=False, primary=True),
        Column("email", "text", nullable=False),
        Column("group", "text", enum="check"),
        Column("tags", "array", nullable=False),
        Column("created_at", "timestamp", nullable=False),
    )
    assert customers.uniques == (("email",),)
    assert types(orders) == {
        "id": "uuid", "customer_id": "bigint", "state": "text", "total": "numeric", "settings": "json",
        "shipped": "date",
    }  # fmt: skip
    assert orders.primary_key == ("id",)
    assert orders.foreign_keys == (ForeignKey(("customer_id",), "customers", ("id",)),)
    assert orders.uniques == (("customer_id", "total"),)
    assert orders.indexes == (("state",),), "a partial unique index keeps nothing unique as a whole"
    assert [column.enum for column in orders.columns] == ["", "", "type", "", "", ""]


def test_a_dump_of_mysql() -> None:
    items = tables(MYSQL)["items"]
    assert types(items) == {
        "id": "integer", "name": "text", "visible": "boolean", "kind": "text", "key": "text", "shop_id": "bigint",
    }  # fmt: skip
    assert items.primary_key == ("id",)
    assert items.uniques == (("name",),)
    assert items.indexes == (("shop_id", "kind"),)
    assert items.foreign_keys == (ForeignKey(("shop_id",), "shops", ("id",)),)
    assert [column.name for column in items.columns if not column.nullable] == ["id", "name", "kind"]


def test_a_schema_of_sqlite() -> None:
    notes = tables(SQLITE)["notes"]
    assert types(notes) == {"id": "integer", "body": "other", "size": "float", "data": "bytes"}
    assert notes.indexes == (("size",),)


@pytest.mark.parametrize(
    ("migration", "columns"),
    [
        ("ALTER TABLE t ADD COLUMN IF NOT EXISTS c date", {"a": "integer", "b": "text", "c": "date"}),
        ("ALTER TABLE t ADD (c date, d json)", {"a": "integer", "b": "text", "c": "date", "d": "json"}),
        ("ALTER TABLE t DROP COLUMN b", {"a": "integer"}),
        ("ALTER TABLE t RENAME COLUMN b TO z", {"a": "integer", "z": "text"}),
        ("ALTER TABLE t RENAME b TO z, ADD c int", {"a": "integer", "z": "text", "c": "integer"}),
        ("ALTER TABLE t ALTER COLUMN a TYPE bigint USING a::bigint", {"a": "bigint", "b": "text"}),
        ("ALTER TABLE t ALTER a SET DATA TYPE uuid", {"a": "uuid", "b": "text"}),
        ("ALTER TABLE t MODIFY COLUMN a float NOT NULL", {"a": "float", "b": "text"}),
        ("ALTER TABLE t CHANGE a z double NULL", {"z": "float", "b": "text"}),
        ("DROP TABLE IF EXISTS t, u", None),
        ("CREATE TABLE IF NOT EXISTS t (x int)", {"a": "integer", "b": "text"}),
        ("ALTER TABLE other ADD COLUMN c date; ALTER TABLE", {"a": "integer", "b": "text"}),
    ],
)
def test_migrations_are_replayed(migration: str, columns: dict[str, str] | None) -> None:
    found = tables("CREATE TABLE t (a integer NOT NULL, b text)", migration)
    assert (types(found["t"]) if "t" in found else None) == columns


def test_what_a_renamed_table_and_column_leave_behind_follows_them() -> None:
    found = tables(
        "CREATE TABLE people (id int PRIMARY KEY); CREATE TABLE pets (owner int REFERENCES people (id))",
        "ALTER TABLE people RENAME COLUMN id TO number; RENAME TABLE people TO persons",
        "ALTER TABLE pets RENAME owner TO owner_number; CREATE INDEX ON pets (owner_number)",
    )
    assert found["pets"].foreign_keys == (ForeignKey(("owner_number",), "persons", ("number",)),)
    assert found["pets"].indexes == (("owner_number",),)


@pytest.mark.parametrize(
    ("made", "gone"),
    [
        ("CREATE INDEX by_a ON t (a)", "DROP INDEX IF EXISTS by_a"),
        ("CREATE INDEX ON t (a)", "DROP INDEX t_a_idx"),
        ("CREATE INDEX by_a ON t (a)", "ALTER TABLE t DROP INDEX by_a"),
        ("ALTER TABLE t ADD CONSTRAINT once UNIQUE (a)", "ALTER TABLE t DROP CONSTRAINT once"),
        ("ALTER TABLE t ADD UNIQUE (a)", "ALTER TABLE t DROP CONSTRAINT t_a_key"),
        ("ALTER TABLE t ADD PRIMARY KEY (a)", "ALTER TABLE t DROP PRIMARY KEY"),
        ("ALTER TABLE t ADD PRIMARY KEY (a)", "ALTER TABLE t DROP CONSTRAINT t_pkey"),
        ("ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (b)", "ALTER TABLE t DROP FOREIGN KEY f"),
        ("CREATE INDEX by_both ON t (a, b)", "ALTER TABLE t DROP COLUMN b; ALTER TABLE t ADD COLUMN b text"),
    ],
)
def test_keys_come_and_go(made: str, gone: str) -> None:
    create = "CREATE TABLE t (a integer, b text)"
    with_key, without = tables(create, made)["t"], tables(create, made, gone)["t"]
    assert with_key._replace(path="") != tables(create)["t"]._replace(path="")
    assert without == tables(create)["t"]


def test_a_file_goes_only_forwards() -> None:
    goose = "-- +goose Up\nCREATE TABLE a (id int);\n-- +goose Down\nDROP TABLE a;\n"
    dbmate = "-- migrate:up\nCREATE TABLE b (id int);\n-- migrate:down\nDROP TABLE b;\n"
    assert set(tables(goose, dbmate)) == {"a", "b"}
    for path in ("m/1_x.down.sql", "m/1_x/down.sql", "m/U2__x.sql", "db/rollback.sql"):
        assert tables_in(path, "DROP TABLE a", "sql") == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("V2__a.sql", "V10__b.sql"),
        ("002_a.up.sql", "010_b.up.sql"),
        ("V9__a.sql", "R__b.sql"),
        ("2/up.sql", "10/up.sql"),
    ],
)
def test_files_are_applied_as_the_tools_do(first: str, second: str) -> None:
    per_file = {
        f"db/{second}": tables_in(second, "ALTER TABLE t ADD COLUMN c int", "sql"),
        f"db/{first}": tables_in(first, "CREATE TABLE t (a int)", "sql"),
    }
    assert [len(table.columns) for table in combine(per_file)] == [2]


def test_two_databases_may_have_a_table_of_one_name() -> None:
    ours = tables_in("1.sql", "CREATE TABLE users (id int, email text, name text, born date)", "sql")
    dump = tables_in("1.sql", "CREATE TABLE users (id int, email text, name text, born date, seen date)", "sql")
    theirs = tables_in("1.sql", "CREATE TABLE users (id int, email text, score float, level int)", "sql")
    found = combine({"a/migrations/1.sql": ours, "a/schema.sql": dump, "b/migrations/1.sql": theirs})
    assert [(table.path, len(table.columns)) for table in found] == [
        ("a/migrations/1.sql", 5),
        ("b/migrations/1.sql", 4),
    ]


def test_what_is_not_read_is_named() -> None:
    unknown = "CREATE TABLE t AS SELECT 1; CREATE TABLE u (LIKE t INCLUDING ALL); CREATE TABLE v PARTITION OF u"
    assert tables_in("a.sql", unknown, "sql") == [LeftOut("table_without_columns")] * 3
    assert tables_in("a.sql", " " * (4 << 20) + ";", "sql") == [LeftOut("too_large")]
    long = "CREATE TABLE t (" + "a int," * 30_000 + "b int)"
    assert tables_in("a.sql", long, "sql") == [LeftOut("statement_too_long")]


def test_which_files_are_read_as_text() -> None:
    assert schema_language_of("db/Schema.SQL") == "sql"
    assert schema_language_of("prisma/schema.prisma") == "prisma"
    assert schema_language_of("models.py") is None


STATEMENTS = (
    "CREATE TABLE a (id bigint PRIMARY KEY, name text NOT NULL, state text CHECK (state IN ('x', 'y')))",
    "CREATE TYPE kind AS ENUM ('p', 'q')",
    "CREATE TABLE b (id uuid PRIMARY KEY, a_id bigint REFERENCES a, k kind)",
    "CREATE INDEX b_a ON b (a_id)",
    "ALTER TABLE a RENAME COLUMN name TO title",
    "ALTER TABLE b ADD COLUMN note text, ADD CONSTRAINT once UNIQUE (a_id, note)",
    "ALTER TABLE a RENAME TO c",
    "ALTER TABLE b DROP COLUMN note",
    "ALTER TABLE c ALTER COLUMN title DROP NOT NULL",
    "DROP INDEX b_a",
    "CREATE TABLE d (x int, y int, PRIMARY KEY (x, y))",
    "DROP TABLE d",
    "CREATE TABLE d (z json)",
)


@given(st.sets(st.integers(1, len(STATEMENTS) - 1)))
def test_however_statements_are_split_over_files_the_tables_are_the_same(cuts: set[int]) -> None:
    bounds = [0, *sorted(cuts), len(STATEMENTS)]
    texts = [";\n".join(STATEMENTS[start:end]) for start, end in pairwise(bounds)]
    whole = tables("\n;".join(STATEMENTS))
    split = tables(*texts)
    assert {name: table._replace(path="") for name, table in split.items()} == {
        name: table._replace(path="") for name, table in whole.items()
    }
    assert set(whole) == {"b", "c", "d"}
