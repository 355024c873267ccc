"""Every service of both daemons, built as the daemons build it, starts and stops in any order on real servers."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncEngine

import centralcloud
import instance
import instance.store.outbox
import instance.sync.heartbeat
import instance.sync.uplink
import mesh
import schemas
import shared
from centralcloud.aggregator import Aggregator
from centralcloud.ingest.consumer import Ingest
from centralcloud.ingest.flow import Pressure
from centralcloud.ingest.presence import Presence
from centralcloud.measures import hub_measures
from centralcloud.schedules import schedule_table as central_schedules
from centralcloud.web.feed import Feed
from instance.agents.student import Student
from instance.config import InstanceSettings, Sharing
from instance.learning.prices import prices
from instance.otlp.sink import Sink
from instance.region.delegate import Delegate
from instance.schedules import schedule_table
from instance.speaker import Speaker, enrol
from instance.store.identity import Identity
from instance.sync.downlink import Downlink
from instance.sync.heartbeat import Heartbeats
from instance.sync.receipts import Receipts
from instance.sync.uplink import Uplink
from schemas.envelope import Source
from schemas.subjects import Sender
from shared.bus import Bus
from shared.database import transaction
from shared.embedded.nats import EmbeddedNats
from shared.embedded.ports import free_port
from shared.errors import AlreadyRunningError
from shared.health import Health, Survey
from shared.jobs.vitals import vitals
from shared.jobs.worker import Worker
from shared.jobs.workers import WorkerSettings
from shared.leader import Leadership
from shared.lease import Lease
from shared.measuring import Meter
from shared.metrics import Metrics
from shared.notices import Notices
from shared.replica import Replica
from shared.restarting import Restarted
from shared.runner import _Readiness
from shared.schedule import Schedules, Task
from shared.service import Service
from shared.web.server import WebServer
from shared.workflows.sweep import Sweep
from tests.support import daemons
from tests.support.databases import central_engine, instance_engine
from tests.support.lifecycle import started, stress
from tests.support.patterns import scalar


@dataclass
class Surroundings:
    """What the services of one daemon share; the bus and the lease are those under the service, already running."""

    engine: AsyncEngine
    bus: Bus
    lease: Lease
    settings: InstanceSettings
    me: Identity
    metrics: Metrics
    directory: Path


def new_bus(url: str) -> Bus:
    return Bus([url], client_name="stressed", inbox_prefix="_INBOX.default.stressed", metrics=Metrics())


@pytest.fixture
async def spoke(database_url: str, nats_server: EmbeddedNats, tmp_path: Path) -> AsyncIterator[Surroundings]:
    """An instance's database and bus."""
    settings = InstanceSettings(instance_id="stressed", nats_url=nats_server.url, workspace=str(tmp_path))
    async with instance_engine(database_url) as engine:
        lease = Lease(engine, "instance", holder="a test")
        async with started(lease):
            me, bus = await enrol(engine, settings), new_bus(nats_server.url)
            yield Surroundings(engine, bus, lease, settings, me, Metrics(), tmp_path)


@pytest.fixture
async def hub(database_url: str, own_nats: Callable[[], EmbeddedNats], tmp_path: Path) -> AsyncIterator[Surroundings]:
    """The central database, and a bus to a server of its own for the stream; who we are does not matter there."""
    settings = InstanceSettings()
    me = Identity("default", "nobody", "nobody", None)
    async with central_engine(database_url) as engine:
        bus = new_bus(own_nats().url)
        lease = Lease(engine, "centralcloud", holder="a test")
        yield Surroundings(engine, bus, lease, settings, me, Metrics(), tmp_path)


def downlink(there: Surroundings) -> Downlink:
    return Downlink(there.engine, there.bus, there.me.tenant, there.metrics, ask_seconds=0.001)


def delegate(there: Surroundings) -> Delegate:
    """Nobody answers it, so that it never connects to what would be above."""
    sender, settings = Sender(there.me.tenant, there.me.instance_id), structs.replace(there.settings, region="eu")
    above = new_bus(there.settings.nats_servers[0])
    return Delegate(there.engine, there.bus, above, there.lease, sender, settings, on_said=lambda: None)


def heartbeats(there: Surroundings) -> Heartbeats:
    return Heartbeats(there.engine, there.bus, there.me, worker="stressed", every_seconds=0.001)


def uplink(there: Surroundings) -> Uplink:
    source = Source(instance_id=there.me.instance_id)
    built = Uplink(there.engine, there.bus, there.lease, there.me, source, there.metrics)
    built.admitted.set()
    return built


def receipts(there: Surroundings) -> Receipts:
    return Receipts(
        there.engine,
        there.bus,
        there.me,
        there.metrics,
        sharing=Sharing(),
        on_admitted=lambda: None,
        on_due=lambda: None,
        sync_seconds=0.001,
    )


def instance_schedules(there: Surroundings) -> Schedules:
    student = Student(there.engine, there.settings)
    return Schedules(there.engine, schedule_table(there.engine, there.settings, student, None, None), there.metrics)


def aggregator(there: Surroundings) -> Aggregator:
    return Aggregator(there.engine, there.bus, there.metrics, debounce_seconds=0.001, poll_seconds=0.001)


def ingest(there: Surroundings) -> Ingest:
    return Ingest(there.engine, there.bus, there.metrics, replicas=1, on_commit=lambda: None)


def hub_schedules(there: Surroundings) -> Schedules:
    table = central_schedules(there.engine, there.bus, aggregator(there), there.metrics)
    return Schedules(there.engine, table, there.metrics)


def leadership(there: Surroundings) -> Leadership:
    built = Leadership(there.engine, "stressed", there.metrics, candidate="stressed", check_seconds=0.001)
    built.lead(hub_schedules(there))
    return built


def speaker(there: Surroundings) -> Speaker:
    settings = structs.replace(there.settings, schedules=daemons.ON_DEMAND)
    return Speaker(there.engine, settings, Student(there.engine, settings), there.metrics, worker="stressed")


def worker(there: Surroundings) -> Worker:
    url = there.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return Worker(there.engine, url, [], WorkerSettings(name="stressed"))


def web_server(there: Surroundings) -> WebServer:
    return WebServer(Sink(there.engine, prices(None)).application, "127.0.0.1", free_port(26_318))


def health(there: Surroundings) -> Health:
    async def survey() -> Survey:
        async with transaction(there.engine) as connection:
            return Survey(await vitals(connection), 0)

    return Health(survey, role="hybrid")


Build = Callable[[Surroundings], Service]
ON_A_SPOKE: dict[type[Service], Build] = {
    Bus: lambda there: there.bus,
    Delegate: delegate,
    Downlink: downlink,
    Heartbeats: heartbeats,
    Lease: lambda there: Lease(there.engine, "stressed", holder="a test", ttl_seconds=1),
    Receipts: receipts,
    Schedules: instance_schedules,
    Speaker: speaker,
    Sweep: lambda there: Sweep(there.engine, every_seconds=0.001),
    Uplink: uplink,
    Worker: worker,
    WebServer: web_server,
    _Readiness: lambda there: _Readiness(str(there.directory / "run" / "ready")),
}
ON_THE_HUB: dict[type[Service], Build] = {
    Aggregator: aggregator,
    Feed: lambda there: Feed(there.engine),
    Health: health,
    Ingest: ingest,
    Leadership: leadership,
    Meter: lambda there: Meter("meter", there.metrics, hub_measures(there.engine, there.bus, there.metrics, "")),
    Notices: lambda there: Notices(there.engine),
    Presence: lambda there: Presence(there.engine, there.bus),
    Replica: lambda there: Replica(there.engine, there.engine, there.metrics, stale_seconds=10.0),
    Pressure: lambda there: Pressure(there.bus, ingest(there)),
    Restarted: lambda there: Restarted(Notices(there.engine), there.metrics),
    Schedules: hub_schedules,
}


@pytest.mark.parametrize("kind", ON_A_SPOKE, ids=lambda kind: kind.__name__)
async def test_a_service_of_an_instance_starts_and_stops_in_any_order(spoke: Surroundings, kind: type[Service]) -> None:
    await stressed(ON_A_SPOKE[kind](spoke), spoke)


@pytest.mark.parametrize("kind", ON_THE_HUB, ids=lambda kind: kind.__name__)
async def test_a_service_of_centralcloud_starts_and_stops_in_any_order(hub: Surroundings, kind: type[Service]) -> None:
    await stressed(ON_THE_HUB[kind](hub), hub)


async def stressed(service: Service, there: Surroundings) -> None:
    """Stress a service on a running bus, and without one: it may also be started while NATS is away."""
    await stress(service, seed=3)
    if service is there.bus:
        return
    async with started(there.bus):
        await there.bus.connected.wait()
        await stress(service)
        assert there.bus.connected.is_set()


async def test_a_run_that_a_stop_interrupts_is_not_recorded_as_done(
    spoke: Surroundings, caplog: pytest.LogCaptureFixture
) -> None:
    begun = asyncio.Event()

    async def work() -> None:
        begun.set()
        await asyncio.Event().wait()

    async with started(Schedules(spoke.engine, [Task("work", 0.01, work)], spoke.metrics)):
        await asyncio.wait_for(begun.wait(), 10)
    assert await scalar(spoke.engine, "SELECT last_finished FROM schedule_runs WHERE runs = 1") is None
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


class HourAhead:
    """A clock that is wrong."""

    @staticmethod
    def now(zone: tzinfo) -> datetime:
        return datetime.now(zone) + timedelta(hours=1)


async def test_a_clock_an_hour_ahead_moves_no_lease_and_no_heartbeat(
    own_nats: Callable[[], EmbeddedNats],
    make_database: Callable[[], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (instance.sync.heartbeat, instance.sync.uplink, instance.store.outbox):
        monkeypatch.setattr(module, "datetime", HourAhead)
    url, database, workspace = own_nats().url, make_database(), daemons.codebase(tmp_path, {"Makefile": "all:\n"})
    options = {"instance_id": "ahead"}
    async with daemons.hub(url, make_database()) as central:
        async with daemons.member(url, database, workspace, **options) as ahead:
            await ahead.shares()
            await central.reaches("SELECT last_heartbeat > created_at FROM instance_registry", wanted=True)
            silent = await central.value("SELECT extract(epoch FROM now() - last_heartbeat) FROM instance_registry")
            assert 0 <= silent < 10
            left = await ahead.value("SELECT extract(epoch FROM expires_at - now()) FROM distributed_locks")
            assert 0 < left <= 10
            with pytest.raises(AlreadyRunningError):
                await daemons.member(url, database, workspace, **options).__aenter__()
        said = await central.value("SELECT convert_from(body, 'UTF8')::jsonb->0->>'time' FROM received_envelopes")
        assert datetime.fromisoformat(said) > datetime.now(UTC) + timedelta(minutes=59)


def test_no_service_is_missing_here() -> None:
    packages = (schemas, shared, instance, centralcloud, mesh)
    for package in packages:
        import_all(package)
    names = {package.__name__ for package in packages}
    ours = {kind for kind in subclasses(Service) if kind.__module__.partition(".")[0] in names}
    assert ours == set(ON_A_SPOKE) | set(ON_THE_HUB)


def import_all(package: ModuleType) -> None:
    """Import every module of a package but migrations, which only Alembic runs, and programs."""
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if "migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def subclasses(kind: type[Any]) -> set[type[Service]]:
    direct = set(kind.__subclasses__())
    return direct.union(*(subclasses(one) for one in direct))
