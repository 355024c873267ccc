from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pytest
import structlog
from click.testing import Result
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.aggregate import aggregate
from centralcloud.queries.service import Queries
from instance.cli import instance
from instance.cli.insights import insights
from instance.cli.patterns import patterns
from instance.config import InstanceSettings, Sharing
from instance.speaker import enrol
from instance.store import insights as insight_store
from instance.store import workspace
from instance.sync.announce import announce, open_gate
from instance.sync.choice import Limits
from schemas.insights import Insight
from shared.database import transaction
from shared.embedded.nats import EmbeddedNats
from shared.embedded.postgres import EmbeddedPostgres
from shared.errors import Exit
from tests.support.asking import hub_bus
from tests.support.commands import documented, invoked
from tests.support.databases import central_engine, instance_engine
from tests.support.observed import TENANT, shared_by
from tests.support.processes import REPOSITORY
from tests.support.studied import FILES, insight, study

NAME = "ann"
LIMITS = Limits(files_min=2, patterns_max=5000)
IDENTITY = ("id", "time")
"""What differs between two events that say the same."""


@pytest.fixture(autouse=True)
def _alone(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Point commands at the test's database; put logging back, which commands set up for themselves."""
    handlers, level = list(logging.root.handlers), logging.root.level
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("FLOCKLORE_STATE_DIR", str(tmp_path / "state"))
    for name in ("NATS_URL", "NATS_HOST", "INSTANCE_ID"):
        monkeypatch.delenv(name, raising=False)
    yield
    logging.root.handlers, logging.root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with instance_engine(database_url) as engine:
        await enrol(engine, InstanceSettings(instance_id=NAME, nats_url="nats://a-hub"))
        yield engine


@pytest.fixture
async def studied(engine: AsyncEngine, tmp_path: Path) -> AsyncEngine:
    """An instance that has studied three files and said nothing yet."""
    await study(engine, tmp_path / "acme")
    return engine


async def say(engine: AsyncEngine) -> list[dict[str, Any]]:
    """Say what there is to say, as the daemon does; returns what the outbox then holds."""
    async with transaction(engine) as connection:
        for repository in await workspace.repositories(connection):
            gate = await open_gate(connection, Sharing())
            await announce(connection, repository, gate, LIMITS, sharing=True)
        rows = await connection.execute(text("SELECT body FROM outbox ORDER BY id"))
        return [json.loads(bytes(body)) for (body,) in rows]


def without_identity(events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in event.items() if key not in IDENTITY} for event in events]


async def hold(engine: AsyncEngine, *held: Insight) -> None:
    async with transaction(engine) as connection:
        await insight_store.apply(connection, held, max(one.version for one in held))


async def test_the_preview_is_what_the_outbox_then_holds(studied: AsyncEngine) -> None:
    result = await invoked(patterns, "preview", "--json")
    assert result.exit_code == Exit.OK, result.stderr
    previewed = [json.loads(line) for line in result.stdout.splitlines()]
    assert {event["type"] for event in previewed} >= {"code.pattern.learned.v1"}
    assert without_identity(previewed) == without_identity(await say(studied))
    assert (await invoked(patterns, "preview", "--json")).stdout == ""


async def test_a_preview_writes_nothing(studied: AsyncEngine) -> None:
    await invoked(patterns, "preview")
    async with transaction(studied) as connection:
        written = await connection.execute(
            text("SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM observations)")
        )
        assert written.scalar_one() == 0


async def test_a_preview_for_people_tells_what_is_withheld_and_why(studied: AsyncEngine) -> None:
    shown = (await invoked(patterns, "preview")).stdout
    assert "withheld: " in shown
    assert "not known to be public" in shown
    events = (await invoked(patterns, "preview", "--json")).stdout
    assert "acme_internal" not in events
    assert "vault" not in events


async def test_never_withholds_every_template(studied: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOCKLORE_SHARE_CODE_TEMPLATES", "never")
    result = await invoked(patterns, "preview", "--json")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert {event.get("template") for event in events if event["type"] == "code.pattern.learned.v1"} == {None}
    assert "share_code_templates is never" in (await invoked(patterns, "preview")).stdout


async def test_an_isolated_instance_is_told_that_nothing_leaves(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        await connection.execute(text("UPDATE uplink SET share_since = NULL"))
    assert "none of this leaves the machine" in (await invoked(patterns, "preview")).stderr


async def test_patterns_are_listed_best_first_with_what_was_said(studied: AsyncEngine) -> None:
    before = await documented(patterns, "list")
    assert before
    assert {item["shared"] for item in before} == {"no"}
    assert [item["score"] for item in before] == sorted((item["score"] for item in before), reverse=True)
    assert len(await documented(patterns, "list", "--limit", "1")) == 1
    assert len(await documented(patterns, "list", "--all", "--limit", "1000")) >= len(before)
    assert await documented(patterns, "list", "--language", "go") == []
    await say(studied)
    assert {item["shared"] for item in await documented(patterns, "list", "--kind", "code")} >= {"counts"}


async def test_a_pattern_is_found_by_the_beginning_of_its_fingerprint(studied: AsyncEngine) -> None:
    item = (await documented(patterns, "list", "--kind", "code"))[0]
    shown = await documented(patterns, "show", item["fingerprint"][:16].upper())
    assert shown["template"] == item["template"]
    assert shown["places"][0]["paths"] == sorted(FILES)
    assert shown["places"][0]["files"] == len(FILES)
    assert "one.py" in (await invoked(patterns, "show", item["fingerprint"])).stdout
    assert (await invoked(patterns, "show", "0" * 32)).exit_code == Exit.NOT_FOUND
    assert (await invoked(patterns, "show", "%")).exit_code == Exit.USAGE


async def test_an_instance_shows_what_it_does(studied: AsyncEngine) -> None:
    await say(studied)
    shown = await documented(instance, "show")
    assert (shown["instance_id"], shown["pid"], shown["files"], shown["repositories"]) == (NAME, None, 3, 1)
    assert shown["backlog"] > 0
    assert shown["schedules"] == []
    assert "not running" in (await invoked(instance, "show", NAME)).stdout
    missing = await invoked(instance, "show", "nobody")
    assert missing.exit_code == Exit.NOT_FOUND


async def test_insights_are_listed_searched_and_shown(engine: AsyncEngine) -> None:
    await hold(engine, insight(1), insight(2, language="go", template="if err != nil", instances=7), insight(3))
    assert [one["insight"]["version"] for one in await documented(insights, "list")] == [2, 1, 3]
    assert [one["insight"]["version"] for one in await documented(insights, "list", "--language", "python")] == [1, 3]
    assert [one["insight"]["version"] for one in await documented(insights, "search", "err", "!=")] == [2]
    shown = await documented(insights, "show", f"{2:032x}")
    assert (shown["insight"]["instances"], [step["change"] for step in shown["here"]]) == (7, ["applied"])
    assert (await invoked(insights, "show", "0" * 10)).exit_code == Exit.USAGE
    assert (await invoked(insights, "show", "f" * 10)).exit_code == Exit.NOT_FOUND
    assert "if err != nil" in (await invoked(insights, "list")).stdout


async def test_an_insight_is_undone_and_done_again_once(engine: AsyncEngine) -> None:
    await hold(engine, insight(1))
    identity = f"{1:032x}"
    assert await documented(insights, "undo", identity) == {"id": identity, "undone": True, "changed": True}
    assert await documented(insights, "undo", identity) == {"id": identity, "undone": True, "changed": False}
    assert await documented(insights, "list") == []
    assert len(await documented(insights, "list", "--all")) == 1
    assert (await documented(insights, "redo", identity))["changed"] is True
    steps = (await documented(insights, "show", identity))["here"]
    assert [step["change"] for step in steps] == ["applied", "undone", "redone"]


async def test_a_verdict_is_told_once_and_what_is_rejected_is_not_used(engine: AsyncEngine) -> None:
    await hold(engine, insight(1))
    identity = f"{1:032x}"
    told = await documented(insights, "reject", identity, "--because", "wrong")
    assert told == {"id": identity, "verdict": "rejected", "reason": "wrong", "changed": True}
    assert not (await documented(insights, "reject", identity, "--because", "wrong"))["changed"]
    assert await documented(insights, "list") == []
    assert (await documented(insights, "withdraw", identity))["changed"]
    assert len(await documented(insights, "list")) == 1
    assert "accepted" in (await invoked(insights, "accept", identity)).stdout
    events = [event for event in await say(engine) if event["type"] == "insight.feedback.v1"]
    said = [(event["insight"], event["verdict"], event["reason"], event["version"]) for event in events]
    assert said == [
        (identity, "rejected", "wrong", 1), (identity, "withdrawn", "", 2), (identity, "accepted", "", 3),
    ]  # fmt: skip


async def test_why_asks_the_hub(
    engine: AsyncEngine, make_database: Any, nats_server: EmbeddedNats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NATS_URL", nats_server.url)
    async with central_engine(make_database()) as central:
        fingerprint = await shared_by(central, "a habit", ["ann", "bob"])
        await aggregate(central, TENANT)
        await hold(engine, insight(1, id=fingerprint))
        async with hub_bus(nats_server.url, lambda bus: Queries(central, bus)):
            told = await documented(insights, "why", fingerprint)
            assert {one["instance"] for one in told["provenance"]["observations"]} == {"ann", "bob"}
            assert "bob" in (await invoked(insights, "why", fingerprint)).stdout
            assert await documented(instance, "list") == {"instances": []}
            await hold(engine, insight(2))
            unknown = await documented(insights, "why", f"{2:032x}")
            assert "there is no insight" in unknown["unanswered"]


async def test_without_a_hub_why_tells_what_is_known_here(engine: AsyncEngine) -> None:
    await hold(engine, insight(1))
    told = await documented(insights, "why", f"{1:032x}")
    assert told["provenance"] is None
    assert "flocklore up" in told["unanswered"]
    assert told["insight"]["contributors"] == ["ann", "bob"]


def _output(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


@contextlib.contextmanager
def tailing() -> Iterator[subprocess.Popen[str]]:
    """Run `insights tail` as a process; killed at the end if it is still there."""
    script = "from instance.cli.insights import insights; insights(['tail', '--since', '0', '--json'])"
    process = subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_tail_prints_each_change_once(engine: AsyncEngine) -> None:
    await hold(engine, insight(1))
    with tailing() as tail, _output(tail) as lines:
        seen = [json.loads(await asyncio.to_thread(lines.readline))]
        await hold(engine, insight(2), insight(3))
        seen += [json.loads(await asyncio.to_thread(lines.readline)) for _ in range(2)]
        tail.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(lines.read) == ""
    assert [one["insight"]["version"] for one in seen] == [1, 2, 3]


async def test_among_several_instances_one_must_be_named(
    own_postgres: Callable[[], EmbeddedPostgres], monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres = await asyncio.to_thread(own_postgres)
    assert (await patterns_on(postgres, monkeypatch)).exit_code == Exit.NOT_FOUND
    postgres.ensure_database("instance_a_1", "instance_b")
    several = await patterns_on(postgres, monkeypatch)
    assert several.exit_code == Exit.USAGE
    assert "a_1, b" in several.stderr
    empty = await patterns_on(postgres, monkeypatch, "--instance", "a-1")
    assert empty.exit_code == Exit.CONFIGURATION
    assert "flocklore db upgrade" in empty.stderr
    async with instance_engine(postgres.dsn("instance_a_1")) as engine:
        await enrol(engine, InstanceSettings(instance_id="a-1"))
    assert (await documented(instance, "show", "a-1"))["instance_id"] == "a-1"
    assert (await invoked(instance, "show", "c")).exit_code == Exit.NOT_FOUND


async def patterns_on(server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    monkeypatch.setenv("DATABASE_URL", server.dsn("postgres"))
    return await invoked(patterns, "list", *arguments)
