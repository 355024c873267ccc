"""What both daemons measure of themselves, on real servers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from prometheus_client import generate_latest
from sqlalchemy import text

from centralcloud.measures import hub_measures
from instance.learning.prices import prices
from instance.measures import instance_measures
from instance.otlp.sink import Sink
from schemas import subjects
from shared.bus import Bus
from shared.database import connect_engine, transaction
from shared.errors import AlreadyRunningError
from shared.jobs.meter import queue_measure
from shared.lease import Lease
from shared.measuring import bus_measure, watch_pool
from shared.metrics import Metrics
from shared.web.server import WebServer
from tests.support.daemons import Daemon, Fleet
from tests.support.databases import central_engine, instance_engine
from tests.support.lifecycle import started
from tests.support.otlp import API_REQUEST, Receiver, exchange, in_json, logs, record
from tests.support.promql import promtool
from tests.support.wait import eventually

SHARED = """
import os
import signal


def ask_to_stop(process):
    return os.killpg(os.getpgid(process.pid), signal.SIGHUP)
"""


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def metrics_of(daemon: Daemon) -> Metrics:
    return daemon.part(Bus).metrics


async def test_what_a_mesh_counts_and_measures(fleet: Fleet) -> None:
    central = await fleet.hub()
    members = [await fleet.member(name, SHARED, region="eu") for name in ("ann", "bob")]
    for member in members:
        await member.shares()
    head = await central.conclude()
    for member in members:
        await member.knows(head)
    await central.reaches("SELECT count(*) FROM instance_registry WHERE insight_version = :head", 2, head=head)
    await leads_and_hears_of_two(central)
    await tells_what_they_apply(central, members)
    await speaks_and_works(members[0])
    for daemon in (central, *members):
        promtool("check", "metrics", text=generate_latest(metrics_of(daemon).registry).decode())


async def leads_and_hears_of_two(central: Daemon) -> None:
    counted = metrics_of(central)
    for measure in hub_measures(central.engine, central.part(Bus), counted, "eu"):
        await measure.take()
    assert value(counted, "flocklore_leading") == 1
    assert value(counted, "flocklore_leader_epoch") == await central.value(
        "SELECT epoch FROM distributed_locks WHERE lock_name = 'orchestrator:leader'"
    )
    assert value(counted, "orchestrator_failovers_total") == 0
    assert value(counted, "flocklore_instances", tenant="default", status="online") == 2
    assert value(counted, "flocklore_instances", tenant="default", status="offline") == 0
    assert value(counted, "flocklore_instances_current", tenant="default") == 2
    assert value(counted, "flocklore_insights", tenant="default", state="active") == await central.value(
        "SELECT count(*) FROM insights WHERE state = 'active'"
    )
    assert value(counted, "flocklore_dead_letters_waiting") == 0
    received = await central.value("SELECT sum(last_seq - first_seq + 1) FROM received_envelopes")
    assert value(counted, "flocklore_events_received_total") == received
    assert value(counted, "flocklore_stream_messages") == await central.value("SELECT count(*) FROM received_envelopes")
    assert (value(counted, "flocklore_stream_bytes") or 0) > 0
    assert value(counted, "flocklore_consumer_pending") == value(counted, "flocklore_consumer_redelivered") == 0
    assert value(counted, "flocklore_lock_acquisition_seconds_count", lock="orchestrator", outcome="acquired") == 1
    assert value(counted, "flocklore_outbox_pending") is None, "not measured by a hub"


async def tells_what_they_apply(central: Daemon, members: Sequence[Daemon]) -> None:
    counted = metrics_of(central)
    told = value(counted, "flocklore_insights_told_total") or 0
    applied = sum(value(metrics_of(member), "flocklore_insights_applied_total") or 0 for member in members)
    assert told == applied > 0
    asked = value(counted, "flocklore_queries_total", query=subjects.INSIGHTS_QUERY, outcome="ok") or 0
    timed = value(counted, "flocklore_query_seconds_count", query=subjects.INSIGHTS_QUERY) or 0
    assert asked == timed > 0
    assert (value(counted, "flocklore_receipts_sent_total") or 0) > 0


async def speaks_and_works(ann: Daemon) -> None:
    counted = metrics_of(ann)
    for measure in [*instance_measures(ann.engine, counted, "eu"), bus_measure(ann.part(Bus), counted)]:
        await measure.take()
    assert value(counted, "flocklore_outbox_pending") == value(counted, "flocklore_outbox_oldest_seconds") == 0
    assert 0 < (value(counted, "flocklore_nats_round_trip_seconds") or 0) < 5
    assert (value(counted, "flocklore_receipts_received_total", verdict="confirmed") or 0) > 0
    assert value(counted, "workflow_runs_completed") == 1
    assert value(counted, "workflow_runs_active") == value(counted, "workflow_runs_failed") == 0
    tasks = await ann.value("SELECT count(*) FROM workflow_step_tasks WHERE status = 'completed'")
    executed = {"orchestrator_id": "ann", "workflow": "study", "state": "completed"}
    assert value(counted, "workflow_executions_total", **executed) == tasks
    assert value(counted, "workflow_workers", status="online") == 1
    assert value(counted, "pgmq_queue_depth", region="eu", queue="default") == 0
    assert value(counted, "flocklore_leading") is None, "not led by an instance"
    assert value(counted, "flocklore_lock_acquisition_seconds_count", lock="instance", outcome="acquired") == 1
    assert value(counted, "flocklore_database_connections_max", pool="work") == 10


async def test_the_daemons_measure_by_themselves(fleet: Fleet) -> None:
    central, ann = await fleet.hub(), await fleet.member("ann")
    wanted = (
        (central, ["flocklore_buffer_pending", "flocklore_dead_letters_waiting", "workflow_runs_active"]),
        (ann, ["flocklore_outbox_pending", "workflow_runs_active"]),
    )

    def missing() -> list[str]:
        return [name for daemon, names in wanted for name in names if value(metrics_of(daemon), name) != 0]

    await eventually(lambda: not missing(), 20, what="everything is measured")


async def test_what_prometheus_reads_of_a_daemon_is_well_formed(fleet: Fleet) -> None:
    ann = await fleet.member("ann", SHARED, http_port=0)
    await ann.study()
    port = ann.part(WebServer).port
    answer = await asyncio.to_thread(exchange, port, "/metrics", b"", {}, "GET")
    assert answer.status == 200
    assert 'workflow_executions_total{orchestrator_id="ann",state="completed",workflow="study"}' in answer.body.decode()
    promtool("check", "metrics", text=answer.body.decode())


async def test_a_backlog_is_measured_while_nobody_confirms(fleet: Fleet) -> None:
    ann = await fleet.member("ann", SHARED)
    await ann.study()
    counted = Metrics()
    outbox, _ = instance_measures(ann.engine, counted, "")
    await outbox.take()
    waiting = await ann.value("SELECT count(*) FROM outbox WHERE confirmed_at IS NULL")
    assert value(counted, "flocklore_outbox_pending") == waiting > 0
    assert (value(counted, "flocklore_outbox_oldest_seconds") or 0) > 0


async def test_statuses_follow_from_silence(database_url: str) -> None:
    async with central_engine(database_url) as engine:
        async with transaction(engine) as connection:
            for name, status, silence, version in (
                ("fresh", "online", 0, 7),
                ("behind", "online", 1, 6),
                ("paused", "paused", 1, 7),
                ("suspect", "online", 40, 7),
                ("inactive", "online", 70, 7),
                ("silent", "online", 400, 7),
                ("gone", "offline", 1, 7),
            ):
                await connection.execute(
                    text("""
                        INSERT INTO instance_registry
                               (tenant, instance_id, status, holder, last_heartbeat, insight_version)
                        VALUES ('acme', :name, :status, '', now() - make_interval(secs => :silence), :version)
                    """),
                    {"name": name, "status": status, "silence": silence, "version": version},
                )
            await connection.execute(text("INSERT INTO insight_heads VALUES ('acme', 7)"))
            await connection.execute(text("INSERT INTO changed_patterns VALUES ('acme', 'f'), ('acme', 'g')"))
            await connection.execute(text("INSERT INTO dead_letters (subject, body, error) VALUES ('s', 'b', 'e')"))
        metrics = Metrics()
        for measure in hub_measures(engine, Bus([], client_name="", inbox_prefix="", metrics=metrics), metrics, ""):
            if measure.what != "stream":
                await measure.take()
    counts = dict.fromkeys(("paused", "suspect", "inactive", "offline", "draining"), 1.0)
    for status, count in (counts | {"online": 2.0, "offline": 2.0, "draining": 0.0}).items():
        assert value(metrics, "flocklore_instances", tenant="acme", status=status) == count, status
    assert value(metrics, "flocklore_instances_current", tenant="acme") == 4
    assert value(metrics, "flocklore_patterns_waiting", tenant="acme") == 2
    assert value(metrics, "flocklore_dead_letters_waiting") == 1


async def test_depths_are_of_what_waits(database_url: str) -> None:
    async with central_engine(database_url) as engine:
        async with transaction(engine) as connection:
            await connection.execute(
                text("""
                    INSERT INTO oban_jobs (state, queue, worker)
                    SELECT s::oban_job_state, 'metrics', 'k'
                      FROM unnest(ARRAY['available', 'available', 'scheduled', 'retryable', 'executing', 'completed',
                                        'discarded', 'cancelled']) s
                """)
            )
        metrics = Metrics()
        await queue_measure(engine, metrics, "eu").take()
    assert value(metrics, "pgmq_queue_depth", region="eu", queue="metrics") == 4
    assert value(metrics, "pgmq_queue_depth", region="eu", queue="training") == 0
    assert value(metrics, "workflow_workers", status="online") == 0


async def test_waiting_for_a_lock_is_timed(database_url: str) -> None:
    async with central_engine(database_url) as engine:
        metrics = Metrics()
        first = Lease(engine, "model:a", holder="first", metrics=metrics)
        second = Lease(engine, "model:b", holder="second", metrics=metrics)
        refused = Lease(engine, "model:a", holder="third", metrics=metrics, wait_seconds=0.3)
        async with started(first, second):
            with pytest.raises(AlreadyRunningError):
                await refused.start()
    counted = {
        outcome: value(metrics, "flocklore_lock_acquisition_seconds_count", lock="model", outcome=outcome)
        for outcome in ("acquired", "refused")
    }
    assert counted == {"acquired": 2, "refused": 1}
    waited = value(metrics, "flocklore_lock_acquisition_seconds_sum", lock="model", outcome="refused") or 0
    assert 0.3 <= waited < 5


async def test_connections_in_use_are_shown_as_they_are(database_url: str) -> None:
    engine, metrics = connect_engine(database_url, application="test"), Metrics()
    watch_pool(metrics, "work", engine)
    try:
        async with engine.connect(), engine.connect():
            assert value(metrics, "flocklore_database_connections", pool="work", state="in_use") == 2
        assert value(metrics, "flocklore_database_connections", pool="work", state="in_use") == 0
        assert value(metrics, "flocklore_database_connections", pool="work", state="idle") == 2
    finally:
        await engine.dispose()


async def test_what_programs_tell_is_counted(database_url: str) -> None:
    async with instance_engine(database_url) as engine:
        metrics = Metrics()
        server = WebServer(Sink(engine, prices(None), metrics).application, "127.0.0.1", 0)
        async with started(server):
            receiver = Receiver(server, engine)
            nonsense = {**API_REQUEST, "input_tokens": "many"}
            records = (record("claude_code.api_request", one) for one in (API_REQUEST, nonsense))
            answer = await receiver.post("/v1/logs", in_json(logs(*records)))
            assert answer.status == 200
            assert (await receiver.post("/ingest", b"no json\n", "application/x-ndjson")).status == 400
    assert value(metrics, "flocklore_sink_results_total") == 1
    assert value(metrics, "flocklore_sink_rejected_total") == 2
