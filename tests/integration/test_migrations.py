from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

import centralcloud.store
import instance.daemon
from shared.errors import ConfigurationError
from shared.migrations import known_revisions, status, upgrade

DIRECTORIES = [instance.daemon.MIGRATIONS, centralcloud.store.MIGRATIONS]


@pytest.mark.parametrize("directory", DIRECTORIES, ids=["instance", "centralcloud"])
def test_daemons_that_start_at_once_all_find_the_newest_schema(directory: Path, database_url: str) -> None:
    newest = known_revisions(directory)[-1]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: upgrade(database_url, directory), range(4))) == [newest] * 4
    assert status(database_url, directory) == (newest, newest)
    assert upgrade(database_url, directory) == newest


def test_a_newer_schema_is_refused_and_left_alone(database_url: str) -> None:
    upgrade(database_url, DIRECTORIES[0])
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigurationError, match=r"schema 9999.*upgrade Flocklore"):
        upgrade(database_url, DIRECTORIES[0])


def test_a_migration_that_dies_leaves_nothing_behind(make_database: Callable[[], str], tmp_path: Path) -> None:
    url = make_database()
    broken = tmp_path / "migrations"
    (broken / "versions").mkdir(parents=True)
    (broken / "env.py").write_text((DIRECTORIES[0] / "env.py").read_text())
    (broken / "versions" / "0001_broken.py").write_text(
        'revision = "0001"\ndown_revision = None\nfrom alembic import op\n'
        'def upgrade():\n    op.execute("CREATE TABLE half (id int)")\n    raise RuntimeError("power cut")\n'
    )
    with pytest.raises(RuntimeError, match="power cut"):
        upgrade(url, broken)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT to_regclass('half')").fetchone() == (None,)
