from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.cli import centralcloud
from centralcloud.store import trust
from centralcloud.store.trust import TrustRow
from schemas.codec import encode
from schemas.events import CodePatternLearned
from shared.commandline import run
from shared.database import transaction
from shared.errors import Exit
from tests.support.databases import central_engine
from tests.support.observed import digest, shared_by

EVENT = CodePatternLearned(
    id=digest("event"), time="2026-01-01T00:00:00Z", fingerprint=digest("late"), repository=digest("r"),  # type: ignore[arg-type]
    version=1, files=1, occurrences=1, language="python", view="body",
)  # fmt: skip


@pytest.fixture
def fleet(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two instances that share a pattern, and two dead letters."""
    monkeypatch.setenv("DATABASE_URL", database_url)

    async def fill() -> None:
        async with central_engine(database_url) as engine:
            await shared_by(engine, "loop", ["ann", "bob"])
            await _set_aside(engine, 1, encode(EVENT))
            await _set_aside(engine, 2, b'{"type":"unheard.of.v9"}')

    asyncio.run(fill())
    return database_url


async def _set_aside(engine: AsyncEngine, seq: int, body: bytes) -> None:
    async with transaction(engine) as connection:
        await connection.execute(
            text("INSERT INTO dead_letters (tenant, instance, subject, epoch, seq, body, error) "
                 "VALUES ('default', 'ann', '', :epoch, :seq, CAST(:body AS bytea), 'unknown type')"),
            {"epoch": digest("epoch"), "seq": seq, "body": body},
        )  # fmt: skip


def said(arguments: Sequence[str], capsys: pytest.CaptureFixture[str], code: Exit = Exit.OK) -> Any:
    """Run a command with --json and return the one document it printed."""
    assert run(centralcloud, [*arguments, "--json"], "centralcloud") == code
    return msgspec.json.decode(capsys.readouterr().out)


def test_the_hub_is_looked_after_from_the_command_line(fleet: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(["status"], capsys)["waiting"] == 1
    assert said(["aggregate"], capsys)["changed"] == 1
    assert said(["aggregate", "--rebuild"], capsys)["changed"] == 0
    assert said(["statistics"], capsys)["insights"] == 1
    assert said(["quarantine", "bob", "--reason", "odd"], capsys)["revoked"] == 1
    assert [one["instance_id"] for one in said(["instances"], capsys)["instances"]] == ["bob"]
    assert said(["quarantine", "bob", "--undo"], capsys)["changed"] == 1
    assert said(["status"], capsys)["insights"]["total_patterns"] == 1
    assert said(["status"], capsys)["set_aside"] == 0


def test_outliers_are_listed_and_released(fleet: str, capsys: pytest.CaptureFixture[str]) -> None:
    async def judge() -> None:
        async with central_engine(fleet) as engine, transaction(engine) as connection:
            await trust.keep(connection, "default", [TrustRow("bob", 0.0, 9.5, 120)])

    asyncio.run(judge())
    (outlier,) = said(["outliers"], capsys)["outliers"]
    assert (outlier["instance"], outlier["trust"], outlier["z"], outlier["facts"]) == ("bob", 0.0, 9.5, 120)
    assert said(["status"], capsys)["set_aside"] == 1
    assert said(["quarantine", "bob", "--undo"], capsys)["changed"] == 1
    assert said(["outliers"], capsys)["outliers"][0]["released_at"] is not None


def test_a_dead_letter_is_replayed_once_it_can_be_read(fleet: str, capsys: pytest.CaptureFixture[str]) -> None:
    readable, unreadable = (one["id"] for one in said(["dead-letters", "list"], capsys)["dead_letters"])
    assert said(["dead-letters", "show", str(readable)], capsys)["error"] == "unknown type"
    assert said(["dead-letters", "replay", str(readable)], capsys) == {"replayed": readable}
    assert said(["statistics"], capsys)["patterns"]["code"] == 2
    for letter, code in ((readable, Exit.USAGE), (unreadable, Exit.FAILED), (10**6, Exit.NOT_FOUND)):
        assert run(centralcloud, ["dead-letters", "replay", str(letter)], "centralcloud") == code
    assert [one["id"] for one in said(["dead-letters", "list"], capsys)["dead_letters"]] == [unreadable]


@pytest.mark.parametrize("command", ["status", "instances", "outliers", "statistics", "aggregate", "dead-letters list"])
def test_every_command_also_speaks_to_people(fleet: str, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(centralcloud, command.split(), "centralcloud") == Exit.OK
    assert "\t" in capsys.readouterr().out


def test_what_is_not_there_is_an_exit_code(
    fleet: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(centralcloud, ["quarantine", "nobody"], "centralcloud") == Exit.NOT_FOUND
    assert "nobody" in capsys.readouterr().err
    monkeypatch.setenv("DATABASE_URL", "mysql://localhost/x")
    assert run(centralcloud, ["status"], "centralcloud") == Exit.CONFIGURATION


def test_an_empty_database_is_a_hub_that_never_ran(
    database_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    assert run(centralcloud, ["status"], "centralcloud") == Exit.RUNNING
    assert "centralcloud run" in capsys.readouterr().err
