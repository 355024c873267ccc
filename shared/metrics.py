"""Every metric of both daemons, named once."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """One registry a daemon. Names follow the Prometheus conventions: base units, `_total` for counters."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.nats_reconnects = self._counter("flocklore_nats_reconnects", "NATS connections made anew")
        self.nats_errors = self._counter("flocklore_nats_errors", "Errors NATS told us of", "kind")
        self.outbox_pending = self._gauge("flocklore_outbox_pending", "Events not yet confirmed by centralcloud")
        self.outbox_oldest = self._gauge("flocklore_outbox_oldest_seconds", "Age of the oldest of them")
        self.events_sent = self._counter("flocklore_events_sent", "Events published, resends included")
        self.events_resent = self._counter("flocklore_events_resent", "Events published again")
        self.epochs_rotated = self._counter("flocklore_epochs_rotated", "Epochs begun after the first")
        self.insights_applied = self._counter("flocklore_insights_applied", "Changes of insights applied")
        self.events_received = self._counter("flocklore_events_received", "Events committed")
        self.events_repeated = self._counter("flocklore_events_repeated", "Events received again and skipped")
        self.dead_letters = self._counter("flocklore_dead_letters", "Messages that could not be decoded")
        self.forks = self._counter("flocklore_forks", "Events that contradicted committed ones")
        self.ingest_seconds = self._histogram("flocklore_ingest_batch_seconds", "One transaction of ingest")
        self.aggregate_seconds = self._histogram("flocklore_aggregate_seconds", "One aggregation")
        self.insights_changed = self._counter("flocklore_insights_changed", "Versions of insights written")
        self.schedule_runs = self._counter("flocklore_schedule_runs", "Runs of schedules", "name", "outcome")
        self.job_executions = self._counter("job_executions", "Attempts at jobs, by how they ended", "kind", "state")
        self.job_seconds = self._histogram("job_seconds", "One attempt at a job", "kind")
        self.job_wait_seconds = self._histogram("job_wait_seconds", "From when a job was due to its start", "kind")
        self.queue_depth = self._gauge("pgmq_queue_depth", "Jobs that wait to be run", "region", "queue")
        self.leading = self._gauge("flocklore_leading", "1 while this process is the leader")
        self.orchestrator_failovers = self._counter(
            "orchestrator_failovers", "Leads taken over from a leader that died"
        )
        self.lock_overlaps = self._gauge("flocklore_lock_overlaps", "Locks two held at one time in the last day: never")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(name, text, labels, registry=self.registry)
