"""What a backup brings back: not tables alone, but views, types, generated columns and sequences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from shared.backup import back_up, restore
from shared.embedded.databases import url_of
from shared.inspection import Database, Kind
from tests.support.filled import contents, fill
from tests.support.own_server import own_server


@pytest.mark.parametrize("kind", ["instance", "centralcloud"])
def test_a_restored_backup_has_everything(make_database: Callable[[], str], tmp_path: Path, kind: Kind) -> None:
    url = make_database()
    fill(url, kind)
    before = contents(url)
    name = f"{url.partition('?')[0].rpartition('/')[2]}_restored"
    back_up(Database(name="any", url=url, kind="instance"), tmp_path / "one.dump")
    restore(url, tmp_path / "one.dump", name)
    try:
        assert contents(url_of(url, name)) == before
        assert _definitions(url_of(url, name)) == _definitions(url)
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name}")


def test_a_backup_is_restored_on_an_older_server(make_database: Callable[[], str], tmp_path: Path) -> None:
    url = make_database()
    fill(url, "instance")
    back_up(Database(name="any", url=url, kind="instance"), tmp_path / "one.dump")
    with own_server() as server:
        restored = restore(server.dsn("postgres"), tmp_path / "one.dump", "copy")
        assert restored.previous is None
        assert contents(server.dsn("copy")) == contents(url)


def _definitions(url: str) -> list[tuple[object, ...]]:
    """Return views, types, generated and identity columns, constraints and indexes as the catalogue writes them."""
    with psycopg.connect(url) as connection:
        return connection.execute("""
            SELECT 'view', schemaname || '.' || viewname, definition FROM pg_views
             WHERE schemaname IN ('public', 'pgmq')
            UNION ALL
            SELECT 'enum', t.typname, string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder)
              FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid GROUP BY t.typname
            UNION ALL
            SELECT 'column', table_name || '.' || column_name,
                   concat_ws(' ', data_type, is_nullable, column_default, identity_generation, generation_expression)
              FROM information_schema.columns WHERE table_schema = 'public'
            UNION ALL
            SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
              FROM pg_constraint WHERE connamespace = 'public'::regnamespace
            UNION ALL
            SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
            ORDER BY 1, 2, 3
        """).fetchall()
