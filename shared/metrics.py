"""Every metric of both daemons, named once.

Counters and histograms are told by whoever does the work. A `Reading` is measured every few seconds by
`shared.measuring`, and shows nothing in a process that does not measure it: what concerns a whole database is measured
by one of the processes on it, the leader or whoever speaks for the instance.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from shared.gauges import Reading, cpus, memory_bytes_max
from shared.version import VERSION

QUICK_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Buckets of what should take milliseconds."""

WORK_SECONDS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
"""Buckets of work."""


class Metrics:
    """One registry a daemon. Names follow the Prometheus conventions: base units, `_total` for counters."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._of_the_bus()
        self._of_instances()
        self._of_ingest()
        self._of_insights()
        self._of_jobs()
        self._of_leaders()
        self._of_http()
        self._of_the_process()

    def _of_the_bus(self) -> None:
        self.nats_reconnects = self._counter("flocklore_nats_reconnects", "NATS connections made anew")
        self.nats_errors = self._counter("flocklore_nats_errors", "Errors NATS told us of", "kind")
        self.nats_round_trip = self._reading(
            "flocklore_nats_round_trip_seconds", "From a ping on the connection to NATS to its answer"
        )

    def _of_instances(self) -> None:
        self.outbox_pending = self._reading("flocklore_outbox_pending", "Events not yet confirmed by centralcloud")
        self.outbox_oldest = self._reading("flocklore_outbox_oldest_seconds", "Age of the oldest of them")
        self.events_sent = self._counter("flocklore_events_sent", "Events published, resends included")
        self.events_resent = self._counter("flocklore_events_resent", "Events published again")
        self.receipts_received = self._counter(
            "flocklore_receipts_received", "Receipts of centralcloud, by what they meant", "verdict"
        )
        self.uplink_slowed = self._reading(
            "flocklore_uplink_slowed", "1 while the instance sends slowly because it was asked to, else 0"
        )
        self.epochs_rotated = self._counter("flocklore_epochs_rotated", "Epochs begun after the first")
        self.insights_applied = self._counter("flocklore_insights_applied", "Changes of insights applied")
        self.sink_results = self._counter("flocklore_sink_results", "Results taken from programs of the machine")
        self.sink_rejected = self._counter("flocklore_sink_rejected", "Entries of programs that made no sense")

    def _of_ingest(self) -> None:
        self.events_received = self._counter("flocklore_events_received", "Events committed")
        self.events_repeated = self._counter("flocklore_events_repeated", "Events received again and skipped")
        self.events_deferred = self._counter(
            "flocklore_events_deferred", "Events of instances above their quota, left to be sent again"
        )
        self.receipts_sent = self._counter("flocklore_receipts_sent", "Receipts sent to instances")
        self.dead_letters = self._counter("flocklore_dead_letters", "Messages that could not be decoded")
        self.dead_letters_waiting = self._reading("flocklore_dead_letters_waiting", "Those of them not replayed yet")
        self.signatures_refused = self._counter(
            "flocklore_signatures_refused", "Envelopes refused for their signature", "reason"
        )
        self.forks = self._counter("flocklore_forks", "Events that contradicted committed ones")
        self.ingest_seconds = self._histogram("flocklore_ingest_batch_seconds", "One transaction of ingest")
        self.stream_messages = self._reading("flocklore_stream_messages", "Envelopes the stream holds")
        self.stream_bytes = self._reading("flocklore_stream_bytes", "Bytes the stream holds")
        self.consumer_pending = self._reading(
            "flocklore_consumer_pending", "Envelopes not yet delivered to centralcloud"
        )
        self.consumer_unacknowledged = self._reading(
            "flocklore_consumer_unacknowledged", "Envelopes delivered and not yet committed"
        )
        self.consumer_redelivered = self._reading(
            "flocklore_consumer_redelivered", "Envelopes delivered more than once and not yet committed"
        )
        self.buffer_pending = self._reading("flocklore_buffer_pending", "Events that wait to be committed, about")
        self.publishers_slowed = self._reading(
            "flocklore_publishers_slowed", "1 while instances are asked to send slowly, else 0"
        )

    def _of_insights(self) -> None:
        self.aggregate_seconds = self._histogram("flocklore_aggregate_seconds", "One aggregation", buckets=WORK_SECONDS)
        self.insights_changed = self._counter("flocklore_insights_changed", "Versions of insights written")
        self.insights_told = self._counter("flocklore_insights_told", "Changes of insights handed out to instances")
        self.insights = self._reading("flocklore_insights", "Insights", "tenant", "state")
        self.patterns_waiting = self._reading("flocklore_patterns_waiting", "Patterns not yet merged", "tenant")
        self.instances = self._reading("flocklore_instances", "Instances, by what is heard of them", "tenant", "status")
        self.instances_current = self._reading(
            "flocklore_instances_current", "Instances that are heard of and have applied every insight", "tenant"
        )
        self.instances_distrusted = self._reading(
            "flocklore_instances_distrusted", "Instances whose word does not count, by why not", "tenant", "why"
        )
        self.queries = self._counter("flocklore_queries", "Requests over NATS", "query", "outcome")
        self.query_seconds = self._histogram("flocklore_query_seconds", "One request over NATS", "query")

    def _of_jobs(self) -> None:
        self.schedule_runs = self._counter("flocklore_schedule_runs", "Runs of schedules", "name", "outcome")
        self.job_executions = self._counter("job_executions", "Attempts at jobs, by how they ended", "kind", "state")
        self.job_seconds = self._histogram("job_seconds", "One attempt at a job", "kind", buckets=WORK_SECONDS)
        self.job_wait_seconds = self._histogram(
            "job_wait_seconds", "From when a job was due to its start", "kind", buckets=WORK_SECONDS
        )
        self.queue_depth = self._reading("pgmq_queue_depth", "Jobs that wait to be run", "region", "queue")
        self.workers = self._reading("workflow_workers", "Processes that share the database", "status")
        self.workflow_executions = self._counter(
            "workflow_executions",
            "Attempts at tasks of workflows, by the process that made them",
            "orchestrator_id",
            "workflow",
            "state",
        )
        self.runs_active = self._reading("workflow_runs_active", "Runs of workflows under way")
        self.runs_completed = self._reading("workflow_runs_completed", "Runs kept that were completed")
        self.runs_failed = self._reading("workflow_runs_failed", "Runs kept that failed")

    def _of_leaders(self) -> None:
        self.leading = self._reading("flocklore_leading", "1 while this process is the leader, 0 while another may be")
        self.leader_epoch = self._reading("flocklore_leader_epoch", "The epoch under which this process leads")
        self.orchestrator_failovers = self._counter(
            "orchestrator_failovers", "Leads taken over from a leader that died"
        )
        self.lock_seconds = self._histogram(
            "flocklore_lock_acquisition_seconds", "From wanting a lock to having it, or not", "lock", "outcome"
        )
        self.lock_overlaps = self._reading(
            "flocklore_lock_overlaps", "Locks two held at one time in the last day: never"
        )

    def _of_http(self) -> None:
        self.http_requests = self._counter("flocklore_http_requests", "Requests over HTTP", "method", "route", "status")
        self.http_seconds = self._histogram("flocklore_http_request_seconds", "One request over HTTP", "route")
        self.http_streams = self._gauge("flocklore_http_streams", "Browsers and others that follow the feed")

    def _of_the_process(self) -> None:
        self.database_connections = self._gauge(
            "flocklore_database_connections", "Connections to the database, in use or idle", "pool", "state"
        )
        self.database_connections_max = self._gauge(
            "flocklore_database_connections_max", "How many there may be", "pool"
        )
        self.database_wait_seconds = self._histogram(
            "flocklore_database_wait_seconds", "From wanting a connection to the database to having it, or not", "pool"
        )
        self.replica_lag_seconds = self._reading(
            "flocklore_replica_lag_seconds", "How stale the replica is that is read, at most"
        )
        self.replica_lag_bytes = self._reading(
            "flocklore_replica_lag_bytes", "Bytes of the log that it has still to replay"
        )
        self.replica_reads = self._counter(
            "flocklore_replica_reads",
            "Reads that could go to it, by where they went, and why to the primary",
            "source",
            "why",
        )
        self.service_restarts = self._counter(
            "flocklore_service_restarts", "Parts that failed and were started again", "service"
        )
        self.measuring_failures = self._counter(
            "flocklore_measuring_failures", "Times something could not be measured", "what"
        )
        self._reading("flocklore_memory_bytes_max", "Bytes of memory this process may take").set(memory_bytes_max())
        self._reading("flocklore_cpus", "Processors this process may keep busy").set(cpus())
        self._reading("flocklore_build_info", "1; the version that runs", "version").replace({(VERSION,): 1})
        ProcessCollector(registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _reading(self, name: str, text: str, *labels: str) -> Reading:
        return Reading(name, text, labels, self.registry)

    def _histogram(self, name: str, text: str, *labels: str, buckets: tuple[float, ...] = QUICK_SECONDS) -> Histogram:
        return Histogram(name, text, labels, registry=self.registry, buckets=buckets)
