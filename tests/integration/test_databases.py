from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from shared.embedded.databases import create_missing, url_of
from shared.embedded.postgres import EmbeddedPostgres
from shared.errors import ConfigurationError, UnreachableError, UsageError


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("postgresql://me:pw@db:5433/app?sslmode=require", "postgresql://me:pw@db:5433/hub?sslmode=require"),
        ("postgresql+psycopg://me@db/app", "postgresql://me@db/hub"),
        ("postgres://db", "postgresql://db/hub"),
        ("postgresql:///app?host=/run/x", "postgresql:///hub?host=/run/x"),
        ("postgresql://me@/app?host=/run/x&port=1", "postgresql://me@/hub?host=/run/x&port=1"),
        ("postgresql://a:1,b:2/app", "postgresql://a:1,b:2/hub?target_session_attrs=read-write"),
        ("postgresql://a,b/app?target_session_attrs=any", "postgresql://a,b/hub?target_session_attrs=any"),
        ("postgresql:///app?host=/a,/b", "postgresql:///hub?host=/a,/b&target_session_attrs=read-write"),
        ("postgresql://[::1]:1,[::2]:2/app", "postgresql://[::1]:1,[::2]:2/hub?target_session_attrs=read-write"),
        ("postgresql://me@a/app?pool_max_conns=9&sslmode=require", "postgresql://me@a/hub?sslmode=require"),
    ],
)
def test_the_url_of_another_database(server: str, expected: str) -> None:
    assert url_of(server, "hub") == expected


def test_several_may_create_the_same_databases_at_once(postgres: EmbeddedPostgres) -> None:
    names = ["at_once_1", "at_once_2", "at_once_3"]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: postgres.ensure_database(*names), range(4)))
    for name in names:
        psycopg.connect(postgres.dsn(name)).close()


def test_a_user_who_may_not_create_is_told_what_to_ask_for(postgres: EmbeddedPostgres, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("DROP ROLE IF EXISTS modest")
        connection.execute("CREATE ROLE modest LOGIN")
    modest = database_url.replace("//flocklore@", "//modest@")
    create_missing(modest, ["postgres"])  # nothing missing, nothing to ask for
    with pytest.raises(ConfigurationError, match="create these for it: hub, instance_a"):
        create_missing(modest, ["hub", "instance_a"])
    with psycopg.connect(database_url) as connection:
        connection.execute("DROP ROLE modest")


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(UnreachableError, match="no database was created"):
        create_missing("postgresql://nobody@127.0.0.1:1/x", ["hub"])


@pytest.mark.parametrize("name", ["", "Upper", "with-dash", "x; DROP DATABASE postgres", "ü", "x" * 64, "1st"])
def test_a_name_that_is_no_database_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a database"):
        create_missing("postgresql://nowhere/x", ["fine", name])
