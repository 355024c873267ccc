from __future__ import annotations

import asyncio
import json
import stat
import tarfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psycopg
import pytest
from click.testing import Result

from centralcloud.queries.service import Queries
from instance.config import InstanceSettings
from instance.speaker import enrol
from mesh.bundle import Scrubber
from mesh.doctor import doctor
from mesh.support_cli import support_bundle
from shared.embedded.nats import EmbeddedNats
from shared.embedded.postgres import EmbeddedPostgres
from shared.errors import AlreadyRunningError, DegradedError, Exit, FlockloreError
from tests.support.asking import hub_bus
from tests.support.commands import elsewhere, invoke, with_databases
from tests.support.databases import central_engine, instance_engine

EPOCH = "0" * 32


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere(tmp_path, monkeypatch)


@pytest.fixture
def server(own_postgres: Callable[[], EmbeddedPostgres], monkeypatch: pytest.MonkeyPatch) -> EmbeddedPostgres:
    return with_databases(own_postgres(), monkeypatch)


@pytest.fixture
async def healthy(
    server: EmbeddedPostgres, own_nats: Callable[[], EmbeddedNats], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[EmbeddedPostgres]:
    """Everything a mesh has: both databases migrated, NATS with the stream, a hub that answers."""
    nats = await asyncio.to_thread(own_nats)
    monkeypatch.setenv("NATS_URL", nats.url)
    async with (
        instance_engine(server.dsn("instance_ann")) as engine,
        central_engine(server.dsn("centralcloud")) as central,
        hub_bus(nats.url, lambda bus: Queries(central, bus)) as bus,
    ):
        await enrol(engine, InstanceSettings(instance_id="ann", nats_url=nats.url))
        await bus.jetstream().add_stream(name="LEARNED", subjects=["intelligence.*.*.learned.*.*"])
        yield server


async def examine(*arguments: str) -> tuple[dict[str, str], Result]:
    """Run doctor; returns the worst level of each check."""
    result = await asyncio.to_thread(invoke, doctor, *arguments, "--json")
    order = ["ok", "unknown", "warning", "error"]
    levels: dict[str, str] = {}
    for found in json.loads(result.stdout)["findings"]:
        levels[found["check"]] = max(levels.get(found["check"], "ok"), found["level"], key=order.index)
    return levels, result


async def test_doctor_finds_nothing_wrong_with_a_mesh_that_works(healthy: EmbeddedPostgres) -> None:
    levels, result = await examine("--strict")
    assert result.exit_code == Exit.OK, result.output
    expected = {"nats", "jetstream", "stream", "clock_nats", "database", "schema", "clock_database", "hub", "backlog"}
    assert {levels[check] for check in expected | {"instance_id", "python", "pgvector"}} == {"ok"}
    assert levels["sync_always"] == "unknown"


async def test_doctor_warns_of_what_piles_up_and_names_clones(healthy: EmbeddedPostgres) -> None:
    with psycopg.connect(healthy.dsn("instance_ann")) as connection:
        connection.execute(
            "INSERT INTO outbox (domain, kind, body, created_at)"
            " VALUES ('code', 'pattern', '{}', now() - interval '1 hour')"
        )
    with psycopg.connect(healthy.dsn("centralcloud")) as connection:
        connection.execute(
            "INSERT INTO dead_letters (subject, body, error) VALUES ('intelligence.a.b.learned.c.d', 'x', 'unreadable')"
        )
    levels, result = await examine("--strict")
    assert (levels["backlog"], levels["dead_letters"]) == ("warning", "warning")
    assert isinstance(result.exception, DegradedError)
    assert (await examine())[1].exit_code == Exit.OK
    with psycopg.connect(healthy.dsn("centralcloud")) as connection:
        connection.execute(
            "INSERT INTO forks (tenant, instance, epoch, first_seq, body) VALUES ('default', 'ann', %s, 1, 'x')",
            [EPOCH],
        )
    assert (await examine())[0]["instance_id"] == "error"


async def test_doctor_asks_for_the_upgrade_a_database_needs(healthy: EmbeddedPostgres) -> None:
    with psycopg.connect(healthy.dsn("instance_ann")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    levels, _ = await examine()
    assert levels["schema"] == "error"


async def test_what_others_rely_on_is_looked_at_when_asked(healthy: EmbeddedPostgres, tmp_path: Path) -> None:
    (tmp_path / "flocklore.toml").write_text('environment = "production"\n', encoding="utf-8")
    levels, result = await examine("--production")
    assert levels["permissions"] == "error", "whoever connects to this NATS may speak as anybody"
    assert levels["leader"] == "error"
    assert (levels["standby"], levels["replicas"], levels["backup"]) == ("warning", "warning", "ok")
    assert {levels[name] for name in ("environment", "secrets", "database_tls", "nats_tls", "locks")} == {"ok"}
    assert isinstance(result.exception, FlockloreError)
    assert "permissions" not in (await examine())[0]


async def test_a_secret_that_others_can_read_is_an_error(healthy: EmbeddedPostgres, tmp_path: Path) -> None:
    file = tmp_path / "flocklore.toml"
    file.write_text('http_token = "short"\n', encoding="utf-8")
    file.chmod(0o644)
    assert (await examine("--production"))[0]["secrets"] == "error"
    file.chmod(0o600)
    assert (await examine("--production"))[0]["secrets"] == "warning", "and one that can be guessed is no secret"


async def test_a_bundle_says_what_is_wrong_and_no_secret(
    healthy: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = tmp_path / "state" / "logs"
    logs.mkdir(parents=True)
    monkeypatch.setenv("FLOCKLORE_HTTP_TOKEN", "correct-horse-battery")
    (logs / "nats.log").write_text("asked with correct-horse-battery and nats://u:hunter2@h:1\n", encoding="utf-8")
    done = await asyncio.to_thread(invoke, support_bundle, "help.tar.gz", "--json")
    assert done.exit_code == Exit.OK, done.output
    assert stat.S_IMODE((tmp_path / "help.tar.gz").stat().st_mode) == 0o600
    with tarfile.open(tmp_path / "help.tar.gz") as archive:
        held = {name: _content(archive, name) for name in archive.getnames()}
    assert {f"flocklore-support/{name}" for name in json.loads(done.stdout)["parts"]} == held.keys()
    assert all("correct-horse" not in text and "hunter2" not in text for text in held.values())
    assert held["flocklore-support/logs/nats.log"] == "asked with *** and nats://u:***@h:1\n"
    central = json.loads(held["flocklore-support/databases/centralcloud.json"])
    assert (central["kind"], central["rows"]["alembic_version"]) == ("centralcloud", 1)
    assert any(found["check"] == "hub" for found in json.loads(held["flocklore-support/doctor.json"]))
    assert isinstance(invoke(support_bundle, "help.tar.gz").exception, AlreadyRunningError)


def _content(archive: tarfile.TarFile, name: str) -> str:
    file = archive.extractfile(name)
    assert file is not None
    return file.read().decode()


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("postgresql://me:secret@host/db", "postgresql://me:***@host/db"),
        ("Authorization: Bearer abcdefghijkl", "Authorization: Bearer ***"),
        ('{"api_key": "sk-123456"}', '{"api_key": "***"}'),
        ("seed SU" + "A" * 56 + " end", "seed *** end"),
        ("12 tokens read, 3 written", "12 tokens read, 3 written"),
        ("nothing here", "nothing here"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str, cleaned: str) -> None:
    assert Scrubber([]).clean(text) == cleaned
