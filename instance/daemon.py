"""The whole of an instance on one screen: what a process of it runs, by its role."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from instance.agents.student import Student
from instance.config import InstanceSettings
from instance.jobs.catalog import handlers
from instance.learning.prices import prices
from instance.naming import default_instance_id
from instance.speaker import Speaker
from instance.store import identity
from shared import log as logging
from shared import tracing
from shared.connections import http_pool, work_pool
from shared.database import connect_engine, transaction, wait_until_reachable
from shared.embedded.attach import database, database_name
from shared.errors import Exit
from shared.jobs.meter import JobMeter
from shared.jobs.worker import Worker
from shared.jobs.workers import WorkerSettings
from shared.measuring import watch_pool
from shared.metrics import Metrics
from shared.migrations import upgrade_in_thread
from shared.runner import run_daemon
from shared.service import Service
from shared.version import VERSION
from shared.workflows.sweep import Sweep

if TYPE_CHECKING:
    from instance.web.surface import Shown

MIGRATIONS: Final = Path(__file__).parent / "store" / "migrations"

SPEAKING: Final = frozenset({"hybrid", "ingestor", "read_only"})
WORKING: Final = frozenset({"hybrid", "worker"})


def main(settings: InstanceSettings) -> Exit:
    """Run until stopped; returns the exit code."""
    logging.configure(
        level=settings.log_level,
        form=settings.log_format,
        syslog=settings.syslog,
        service="instance",
        instance=settings.worker_id or settings.instance_id or default_instance_id(),
    )
    with tracing.exporting(
        settings.trace_url, "instance", settings.worker_id or settings.instance_id or default_instance_id()
    ):
        return run_daemon(lambda: build(settings), ready_file=settings.ready_file)


@asynccontextmanager
async def build(settings: InstanceSettings) -> AsyncIterator[Sequence[Service]]:
    """Yield the services in start order; what they share is closed after they have stopped.

    The worker is started last and stops first: what its jobs have learned can still be sent. What is shown over HTTP is
    there before the database is, to say that we wait for it.
    """
    name = f"instance_{database_name(settings.instance_id or default_instance_id())}"
    async with database(settings.database_url, settings.state_dir, name) as url:
        engine = connect_engine(url, application=f"flocklore {name}", pool=work_pool(settings))
        web_engine = connect_engine(url, application=f"flocklore {name} web", pool=http_pool(settings))
        student = Student(engine, settings)
        metrics = Metrics()
        watch_pool(metrics, "work", engine)
        watch_pool(metrics, "web", web_engine)
        shown = _shown(web_engine, settings, metrics)
        try:
            if shown is not None:
                await shown.server.start()
            await wait_until_reachable(engine)
            await upgrade_in_thread(url, MIGRATIONS)
            worker = await _worker(engine, url, settings, student, metrics)
            speaker = Speaker(engine, settings, student, metrics, worker=worker.settings.name)
            services: list[Service] = [speaker] if settings.role in SPEAKING else []
            if settings.otlp_port is not None and settings.role in WORKING:
                services.append(_listener(engine, settings, settings.otlp_port, metrics))
            services += [Sweep(engine), worker]
            yield services if shown is None else shown.around(services, speaker, name=worker.settings.name)
        finally:
            if shown is not None:
                await shown.server.stop()
            await student.close()
            await engine.dispose()
            await web_engine.dispose()


def _shown(engine: AsyncEngine, settings: InstanceSettings, metrics: Metrics) -> Shown | None:
    """Make what is shown over HTTP, if anything is; its libraries take a fifth of a second to import."""
    if settings.http_port is None:
        return None
    from instance.web.surface import show  # noqa: PLC0415 - see above

    return show(engine, settings, metrics, answers=settings.role in WORKING)


def _listener(engine: AsyncEngine, settings: InstanceSettings, port: int, metrics: Metrics) -> Service:
    """Make the part that programs of this machine send to; its libraries take a fifth of a second to import."""
    from instance.otlp.sink import Sink  # noqa: PLC0415 - see above
    from shared.web.server import WebServer  # noqa: PLC0415 - see above

    sink = Sink(engine, prices(Path(settings.prices) if settings.prices else None), metrics)
    return WebServer(sink.application, "127.0.0.1", port, name="otlp", setting="otlp_port", waits=True)


async def _worker(
    engine: AsyncEngine, url: str, settings: InstanceSettings, student: Student, metrics: Metrics
) -> Worker:
    """Make the part that registers this process, and runs jobs if its role is to."""
    async with transaction(engine) as connection:
        known = await identity.get(connection)
    process = settings.worker_id or settings.instance_id or (known.instance_id if known else default_instance_id())
    works = settings.role in WORKING
    told = WorkerSettings(
        name=process,
        role=settings.role,
        region=settings.region,
        version=VERSION,
        capabilities=sorted(student.languages),
        metadata={"workspace": [str(root) for root in settings.roots]} if works else {},
        beat_seconds=settings.heartbeat_seconds,
        dead_seconds=settings.dead_seconds,
        queues=(settings.queues or None) if works else {},
    )
    bound = handlers(engine, student) if works else []
    return Worker(engine, url, bound, told, JobMeter(metrics, process, bound))
