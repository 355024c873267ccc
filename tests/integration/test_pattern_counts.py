"""The counts of a repository's patterns: added to, taken from, and gone at zero."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path

import pytest
from msgspec import Raw
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from instance.store import workspace
from instance.store.workspace import PatternRow, Repository
from schemas.codec import encode
from shared.database import transaction
from tests.support.databases import instance_engine

_COUNTS = text("SELECT encode(fingerprint, 'hex'), template, files, occurrences FROM patterns ORDER BY fingerprint")
ONE, TWO, THREE = ("01" * 16, "02" * 16, "03" * 16)


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[AsyncConnection]:
    async with instance_engine(database_url) as engine, transaction(engine) as connection:
        yield connection


@pytest.fixture
async def repository(connection: AsyncConnection, tmp_path: Path) -> Repository:
    return await workspace.open_repository(connection, tmp_path, "0" * 32)


def patterns(fingerprints: Iterable[str]) -> Mapping[str, Raw]:
    return {
        name: Raw(encode(PatternRow(fingerprint=name, kind="code.pattern", template=f"shape {name[:2]}")))
        for name in fingerprints
    }


async def counts(connection: AsyncConnection) -> list[tuple[object, ...]]:
    return [tuple(row) for row in await connection.execute(_COUNTS)]


async def test_what_is_new_is_added_and_what_is_known_is_counted(
    connection: AsyncConnection, repository: Repository
) -> None:
    await workspace.change_counts(connection, repository, {TWO: (1, 5), ONE: (2, 3)}, patterns([ONE, TWO]))
    await workspace.change_counts(connection, repository, {TWO: (1, 1), THREE: (1, 1)}, patterns([THREE, TWO]))
    assert await counts(connection) == [
        (ONE, "shape 01", 2, 3),
        (TWO, "shape 02", 2, 6),
        (THREE, "shape 03", 1, 1),
    ]


async def test_one_change_adds_takes_and_drops(connection: AsyncConnection, repository: Repository) -> None:
    await workspace.change_counts(connection, repository, {ONE: (2, 9), TWO: (1, 1)}, patterns([ONE, TWO]))
    deltas = {ONE: (0, -4), TWO: (-1, -1), THREE: (1, 2)}
    await workspace.change_counts(connection, repository, deltas, patterns([ONE, THREE]))
    assert await counts(connection) == [(ONE, "shape 01", 2, 5), (THREE, "shape 03", 1, 2)]


async def test_a_change_of_nothing_writes_nothing(connection: AsyncConnection, repository: Repository) -> None:
    await workspace.change_counts(connection, repository, {ONE: (0, 0)}, patterns([ONE]))
    await workspace.change_counts(connection, repository, {}, {})
    assert await counts(connection) == []
