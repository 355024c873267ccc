"""Commands run in this process, as somebody at a terminal would run them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import click
import pytest
import structlog
from click.testing import CliRunner, Result
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.config import InstanceSettings
from instance.speaker import enrol
from shared.embedded.postgres import EmbeddedPostgres
from shared.errors import Exit
from tests.support.databases import instance_engine


def invoke(command: click.Command, *arguments: str) -> Result:
    """Run a command to its end."""
    return CliRunner().invoke(command, arguments)


def document(command: click.Command, *arguments: str) -> Any:
    """Run a command with --json; it must succeed, and its output be one document."""
    result = invoke(command, *arguments, "--json")
    assert result.exit_code == Exit.OK, result.output
    return json.loads(result.stdout)


async def invoked(command: click.Command, *arguments: str) -> Result:
    """Run a command in a thread of its own: it brings its own event loop."""
    return await asyncio.to_thread(invoke, command, *arguments)


async def documented(command: click.Command, *arguments: str) -> Any:
    """Run a command as `document` does, in a thread of its own."""
    return await asyncio.to_thread(document, command, *arguments)


@contextmanager
def alone(database_url: str, directory: Path, monkeypatch: pytest.MonkeyPatch, *forgotten: str) -> Iterator[None]:
    """Point commands at a database, with an empty state and nothing else said; put logging back, which they set up."""
    handlers, level = list(logging.root.handlers), logging.root.level
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("FLOCKLORE_STATE_DIR", str(directory / "state"))
    for name in ("NATS_URL", "INSTANCE_ID", *forgotten):
        monkeypatch.delenv(name, raising=False)
    yield
    logging.root.handlers, logging.root.level = handlers, level
    structlog.reset_defaults()


@asynccontextmanager
async def of_ann(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Give an engine on the database of an instance called ann."""
    async with instance_engine(database_url) as engine:
        await enrol(engine, InstanceSettings(instance_id="ann"))
        yield engine


def elsewhere(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run commands in an empty directory with a state of its own, and nothing said of NATS."""
    monkeypatch.chdir(directory)
    monkeypatch.setenv("FLOCKLORE_STATE_DIR", str(directory / "state"))
    for name in ("NATS_URL", "NATS_HOST", "INSTANCE_ID"):
        monkeypatch.delenv(name, raising=False)


def with_databases(server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> EmbeddedPostgres:
    """Give a PostgreSQL the empty databases of a mesh, and point commands at it."""
    server.ensure_database("centralcloud", "instance_ann")
    monkeypatch.setenv("DATABASE_URL", server.dsn("postgres"))
    return server
