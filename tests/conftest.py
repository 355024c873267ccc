"""Servers every test may ask for: `database_url` and `nats_server` are shared, `own_...` are for breaking."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from shared.embedded.nats import EmbeddedNats
from shared.embedded.postgres import EmbeddedPostgres
from tests.support.daemons import Fleet
from tests.support.regions import World
from tests.support.servers import Databases, copied_postgres, initialised_cluster, quick_place, scratch_directory

settings.register_profile("exploring", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("steady", settings.get_profile("exploring"), derandomize=True)
settings.load_profile("steady")
"""The same examples every time, however slow the machine; `pytest --hypothesis-profile=exploring` tries others."""


@pytest.fixture(scope="session")
def initialised(request: pytest.FixtureRequest) -> Path:
    """Give the directory of a stopped PostgreSQL to make copies of; kept between runs."""
    assert request.config.cache is not None
    return initialised_cluster(request.config.cache.mkdir("postgres-18"))


@pytest.fixture
def scratch() -> Iterator[Path]:
    """Give an empty directory that servers can use also as root; `tmp_path` is closed to PostgreSQL then."""
    with scratch_directory() as directory:
        yield directory


@pytest.fixture(scope="session")
def postgres(initialised: Path) -> Iterator[EmbeddedPostgres]:
    """Give the session's PostgreSQL; do not stop it."""
    with scratch_directory(quick_place()) as directory:
        server = copied_postgres(initialised, directory / "postgres")
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="session")
def _databases(postgres: EmbeddedPostgres) -> Iterator[Databases]:
    databases = Databases(postgres)
    yield databases
    databases.close()


@pytest.fixture
def make_database(_databases: Databases) -> Iterator[Callable[[], str]]:
    """Give a function that creates an empty database and returns its URL; all are dropped after the test."""
    yield _databases.create
    _databases.drop()


@pytest.fixture
def database_url(make_database: Callable[[], str]) -> str:
    """Give the URL of an empty database of this test's own."""
    return make_database()


@pytest.fixture(scope="session")
def nats_server() -> Iterator[EmbeddedNats]:
    """Give the session's NATS server; do not stop it, and use subjects and streams of your own."""
    with scratch_directory() as directory:
        server = EmbeddedNats(directory / "nats", port=0)
        server.start()
        yield server
        server.stop()


@pytest.fixture
def own_nats() -> Iterator[Callable[[], EmbeddedNats]]:
    """Give a function that starts a NATS server of this test's own, to be killed and started again at will."""
    with ExitStack() as stack:

        def start() -> EmbeddedNats:
            server = EmbeddedNats(stack.enter_context(scratch_directory()) / "nats", port=0)
            stack.callback(server.stop)
            server.start()
            return server

        yield start


@pytest.fixture
def own_postgres(initialised: Path) -> Iterator[Callable[[], EmbeddedPostgres]]:
    """Give a function that starts a PostgreSQL of this test's own, to be killed and started again at will."""
    with ExitStack() as stack:

        def start() -> EmbeddedPostgres:
            server = copied_postgres(initialised, stack.enter_context(scratch_directory(quick_place())) / "postgres")
            stack.callback(server.stop)
            server.start()
            return server

        yield start


@pytest.fixture
async def fleet(
    own_nats: Callable[[], EmbeddedNats], make_database: Callable[[], str], tmp_path: Path
) -> AsyncIterator[Fleet]:
    """Give a fleet without members yet, on a NATS of its own; all of it runs in this process."""
    async with AsyncExitStack() as stack:
        yield Fleet(stack, own_nats().url, make_database, tmp_path)


@pytest.fixture
async def world(
    own_nats: Callable[[], EmbeddedNats], make_database: Callable[[], str], tmp_path: Path
) -> AsyncIterator[World]:
    """Give a hub above, without regions yet."""
    async with AsyncExitStack() as stack:
        yield await World(stack, own_nats, make_database, tmp_path).begin()
