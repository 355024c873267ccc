"""Two whole hubs on one database: both take in, the one that leads merges, and the commands that change who does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import CapturingLogger

import centralcloud.daemon
from centralcloud import aggregator, leadership
from centralcloud.aggregate import aggregate
from centralcloud.aggregator import Aggregator
from centralcloud.cli import centralcloud as command
from centralcloud.config import CentralcloudSettings
from centralcloud.ingest.consumer import Ingest
from centralcloud.leadership import LEADER, look_for_two_leaders, promote, read_standing, step_down
from schemas.subjects import Sender
from shared import leader
from shared.commandline import run
from shared.database import transaction
from shared.embedded.nats import EmbeddedNats
from shared.errors import AlreadyRunningError, Exit, NotFoundError, NotRunningError, UsageError
from shared.leader import Leadership
from shared.lease import LeaseLostError
from shared.metrics import Metrics
from shared.schedule import Schedules
from tests.support.daemons import Daemon
from tests.support.databases import central_engine
from tests.support.lifecycle import started, stress
from tests.support.observed import TENANT, shared_by
from tests.support.patterns import repository_key, scalar
from tests.support.wait import eventually
from tests.support.wire import envelope, event, plain_client, send

ALL_HAVE_RUN = "SELECT count(*) >= 6 FROM schedule_runs WHERE last_finished >= last_started"
EXPIRE = text("UPDATE distributed_locks SET expires_at = now() WHERE lock_name = 'orchestrator:leader'")
FOREVER = text("""
    INSERT INTO lock_history (lock_name, epoch, instance_id, hostname, pid, acquired_at)
    VALUES ('orchestrator:leader', :epoch, 'x', 'elsewhere', 1, now() - interval '1 h')
""")
INSIGHTS = "SELECT count(*) FROM insights"


class Hub(Daemon):
    """A hub in this process."""

    @property
    def leadership(self) -> Leadership:
        return self.part(Leadership)

    async def reigns(self) -> None:
        await eventually(lambda: self.leadership.leading and self.part(Schedules).running, what="reigns")


class Hubs:
    """Hubs of one database and one NATS."""

    def __init__(self, stack: AsyncExitStack, nats_url: str, database_url: str, engine: AsyncEngine) -> None:
        self.nats_url = nats_url
        self.engine = engine
        self._stack = stack
        self._database_url = database_url

    async def start(self, name: str, **settings: Any) -> Hub:
        """Run one, impatient."""
        told = {"leadership_ttl_seconds": 2.0, "leadership_check_seconds": 0.1, "worker_id": name} | settings
        return await self._stack.enter_async_context(self._hub(told))

    @asynccontextmanager
    async def _hub(self, told: dict[str, Any]) -> AsyncIterator[Hub]:
        settings = CentralcloudSettings(nats_url=self.nats_url, database_url=self._database_url, **told)
        async with centralcloud.daemon.build(settings) as services, started(*services):
            yield Hub(services, self.engine)


@pytest.fixture
async def hubs(
    own_nats: Callable[[], EmbeddedNats], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Hubs]:
    monkeypatch.setattr("shared.schedule.START_SPREAD_SECONDS", 0.05)
    async with central_engine(database_url) as engine, AsyncExitStack() as stack:
        yield Hubs(stack, own_nats().url, database_url, engine)


async def test_what_a_hub_takes_in_that_does_not_lead_is_merged_by_the_one_that_does(
    hubs: Hubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aggregator, "POLL_SECONDS", 600)
    one, other = await hubs.start("one"), await hubs.start("other")
    await one.reigns()
    assert not other.leadership.leading
    await one.part(Ingest).stop()
    async with plain_client(hubs.nats_url) as client:
        for name in ("ann", "bob"):
            said = event(1).replace(repository_key("repo").encode(), repository_key(name).encode())
            await send(client, envelope(1, [said]), sender=Sender("default", name))
        await eventually(lambda: scalar(hubs.engine, INSIGHTS), 5, what="an insight")


async def test_who_no_longer_leads_can_merge_and_measure_nothing(hubs: Hubs) -> None:
    one = await hubs.start("one")
    await one.reigns()
    merging, measuring = one.part(Aggregator), one.part(Schedules)
    await eventually(lambda: scalar(hubs.engine, ALL_HAVE_RUN), what="all schedules have run")
    await shared_by(hubs.engine, "loop", ["ann", "bob"])
    other = await hubs.start("other", leadership_ttl_seconds=600.0)
    async with transaction(hubs.engine) as connection:
        await connection.execute(EXPIRE)
    await other.reigns()
    with pytest.raises(LeaseLostError):
        await merging.request()
    with pytest.raises(LeaseLostError):
        await measuring.run_now("statistics")
    with pytest.raises(LeaseLostError):
        await aggregate(one.leadership.engine, TENANT)
    assert (await other.part(Aggregator).request())[0].head == 1


async def test_stepping_down_and_being_promoted(hubs: Hubs, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotRunningError, match="no hub leads"):
        await step_down(hubs.engine)
    with pytest.raises(NotRunningError, match="centralcloud run"):
        await promote(hubs.engine)
    one = await hubs.start("one", orchestrator_role="primary")
    await one.reigns()
    with pytest.raises(UsageError, match="one leads, and no other hub runs"):
        await promote(hubs.engine)
    other = await hubs.start("other", orchestrator_role="standby")
    with pytest.raises(NotFoundError, match="one, other"):
        await promote(hubs.engine, "third")
    with pytest.raises(AlreadyRunningError, match="step-down"):
        await promote(hubs.engine)
    now = await promote(hubs.engine, force=True)
    assert now.leader is not None
    assert (now.leader.candidate, now.failovers) == ("other", 1)
    assert [(each.name, each.candidacy, each.leads) for each in now.candidates] == [
        ("one", "primary", False),
        ("other", "standby", True),
    ]
    await other.reigns()
    await eventually(lambda: not one.part(Schedules).running)
    monkeypatch.setattr(leader, "PAUSE_SECONDS", 1.0)
    assert (await step_down(hubs.engine)).leader is None
    await other.reigns()
    assert (await promote(hubs.engine, "other")).candidates[1].leads


async def test_a_leader_that_does_not_answer_is_said_to_be_frozen(hubs: Hubs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leadership, "HEEDED_SECONDS_MAX", 0.3)
    one = await hubs.start("one")
    monkeypatch.setattr(one.leadership, "hear", lambda _payload: None)
    await next(iter(service for service in one.services if service.name == "notices")).stop()
    assert await run_command(["step-down"], hubs, monkeypatch) == Exit.TRY_AGAIN


async def test_two_leaders_at_one_time_would_be_seen(hubs: Hubs, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics, logged = Metrics(), CapturingLogger()
    monkeypatch.setattr(leadership, "log", logged)
    one = await hubs.start("one")
    await look_for_two_leaders(hubs.engine, metrics)
    assert metrics.registry.get_sample_value("flocklore_lock_overlaps") == 0
    async with transaction(hubs.engine) as connection:
        await connection.execute(FOREVER, {"epoch": one.leadership.epoch - 1})
    await look_for_two_leaders(hubs.engine, metrics)
    assert metrics.registry.get_sample_value("flocklore_lock_overlaps") == 1
    assert (await read_standing(hubs.engine)).overlapping == [LEADER]
    assert {(call.method_name, call.kwargs["lock"]) for call in logged.calls} == {("error", LEADER)}


async def test_the_commands(hubs: Hubs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    one = await hubs.start("one")
    await one.reigns()
    await hubs.start("other")
    capsys.readouterr()

    async def said(*arguments: str) -> Any:
        assert await run_command([*arguments, "--json"], hubs, monkeypatch) == Exit.OK
        return msgspec.json.decode(capsys.readouterr().out.strip().splitlines()[-1])

    status = (await said("status"))["leadership"]
    assert (status["leader"]["candidate"], status["leader"]["epoch"]) == ("one", one.leadership.epoch)
    assert (status["failovers"], [each["name"] for each in status["candidates"]]) == (0, ["one", "other"])
    assert await run_command(["promote"], hubs, monkeypatch) == Exit.RUNNING
    assert (await said("step-down"))["candidates"]
    await eventually(lambda: leads(hubs, "other"))
    assert (await said("promote", "one", "--force"))["leader"]["candidate"] == "one"
    assert await run_command(["status"], hubs, monkeypatch) == Exit.OK
    assert "one (" in capsys.readouterr().out


async def test_its_lifecycle(hubs: Hubs) -> None:
    one = await hubs.start("one")
    for service in one.services:
        if service.name in ("notices", "leadership"):
            await stress(service)


async def leads(hubs: Hubs, name: str) -> bool:
    found = (await read_standing(hubs.engine)).leader
    return found is not None and found.candidate == name


async def run_command(arguments: Sequence[str], hubs: Hubs, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a command of the hub on their database, in a thread: it has a loop of its own."""
    url = hubs.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)
    return await asyncio.to_thread(run, command, [*arguments], "centralcloud")
