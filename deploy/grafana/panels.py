"""What the dashboard of Grafana shows: rows of panels, each with the expressions of its lines."""  # noqa: INP001 - part of a script

from __future__ import annotations

from typing import Final, NamedTuple


class Panel(NamedTuple):
    """What a panel is called and tells, its unit, and expressions, each with what its line is called."""

    title: str
    text: str
    unit: str
    lines: tuple[tuple[str, str], ...]
    is_number: bool
    width: int


def _chart(title: str, text: str, unit: str, *lines: tuple[str, str], width: int = 8) -> Panel:
    return Panel(title, text, unit, lines, is_number=False, width=width)


def _number(title: str, text: str, unit: str, *lines: tuple[str, str]) -> Panel:
    return Panel(title, text, unit, lines, is_number=True, width=4)


def _times(title: str, text: str, histogram: str, by: str = "", *, width: int = 8) -> Panel:
    """Half of what a histogram counted took so long, and 99 of a hundred."""
    labels, legend = (f"le, {by}", f" {{{{{by}}}}}") if by else ("le", "")
    rate = f"sum by ({labels}) (rate({histogram}_bucket[5m]))"
    lines = [
        (f"histogram_quantile({share}, {rate})", f"{name}{legend}") for share, name in ((0.5, "p50"), (0.99, "p99"))
    ]
    return Panel(title, text, "s", tuple(lines), is_number=False, width=width)


ROWS: Final[dict[str, tuple[Panel, ...]]] = {
    "Overview": (
        _number(
            "Active orchestrators", "Centralclouds that answer.", "short", ('count(up{job="orchestrator"} == 1)', "")
        ),
        _number(
            "Leaders",
            "One, always. The epoch grows with every change.",
            "short",
            ("sum(flocklore_leading)", "leaders"),
            ("max(flocklore_leader_epoch)", "epoch"),
        ),
        _number(
            "Failover events",
            "Leads taken over from a centralcloud that died, within the hour.",
            "short",
            ("sum(increase(orchestrator_failovers_total[1h]))", ""),
        ),
        _number(
            "Instances",
            "Those heard of now.",
            "short",
            ('sum(flocklore_instances{status=~"online|paused|draining"})', ""),
        ),
        _number(
            "Adoption",
            "Share of the instances heard of that have applied every insight.",
            "percentunit",
            ('sum(flocklore_instances_current) / sum(flocklore_instances{status!="offline"})', ""),
        ),
        _number(
            "Dead letters",
            "Messages that could not be decoded, not replayed yet.",
            "short",
            ("sum(flocklore_dead_letters_waiting)", ""),
        ),
        _number(
            "Not believed",
            "Instances in quarantine, and those set aside because they disagree with the others.",
            "short",
            ("sum by (why) (flocklore_instances_distrusted)", "{{why}}"),
        ),
    ),
    "Learning": (
        _chart(
            "Events",
            "From instances to the database of centralcloud; repeated ones were skipped.",
            "ops",
            ("sum(rate(flocklore_events_sent_total[5m]))", "sent"),
            ("sum(rate(flocklore_events_received_total[5m]))", "committed"),
            ("sum(rate(flocklore_events_repeated_total[5m]))", "repeated"),
            ("sum(rate(flocklore_events_resent_total[5m]))", "sent again"),
        ),
        _chart(
            "Insights",
            "Versions written, handed out to instances, and applied by them.",
            "ops",
            ("sum(rate(flocklore_insights_changed_total[5m]))", "written"),
            ("sum(rate(flocklore_insights_told_total[5m]))", "handed out"),
            ("sum(rate(flocklore_insights_applied_total[5m]))", "applied"),
        ),
        _chart(
            "Insights there are",
            "Active and revoked ones.",
            "short",
            ("sum by (state) (flocklore_insights)", "{{state}}"),
        ),
        _chart(
            "Instances by status",
            "Suspect after 30 s without a heartbeat, inactive after 60 s, offline after 300 s.",
            "short",
            ("sum by (status) (flocklore_instances)", "{{status}}"),
        ),
        _times("Aggregation", "One pass over what is new, or over everything.", "flocklore_aggregate_seconds"),
        _chart(
            "Patterns that wait",
            "To be merged into insights.",
            "short",
            ("sum by (tenant) (flocklore_patterns_waiting)", "{{tenant}}"),
        ),
    ),
    "Bus": (
        _chart(
            "Backlog",
            "Events that wait to be committed; above 5,000 instances are asked to slow down.",
            "short",
            ("max(flocklore_buffer_pending)", "events"),
        ),
        _chart(
            "Slowed",
            "Whether centralcloud asks for it, and how many instances do.",
            "short",
            ("max(flocklore_publishers_slowed)", "asked"),
            ("sum(flocklore_uplink_slowed)", "instances"),
        ),
        _chart(
            "Envelopes to be committed",
            "By how far they have come.",
            "short",
            ("sum(flocklore_consumer_pending)", "not delivered"),
            ("sum(flocklore_consumer_unacknowledged)", "delivered"),
            ("sum(flocklore_consumer_redelivered)", "delivered again"),
        ),
        _chart(
            "Stream",
            "What JetStream holds: seven days of envelopes.",
            "bytes",
            ("sum(flocklore_stream_bytes)", "bytes"),
        ),
        _chart(
            "Envelopes in the stream",
            "They stay for seven days, committed or not.",
            "short",
            ("sum(flocklore_stream_messages)", "envelopes"),
        ),
        _chart(
            "Outboxes",
            "Events of each instance that are not confirmed.",
            "short",
            ("sum by (instance) (flocklore_outbox_pending)", "{{instance}}"),
        ),
        _chart(
            "Oldest event in an outbox",
            "How long it has waited.",
            "s",
            ("max by (instance) (flocklore_outbox_oldest_seconds)", "{{instance}}"),
        ),
        _chart(
            "Receipts",
            "Sent by centralcloud, and what instances took them for.",
            "ops",
            ("sum(rate(flocklore_receipts_sent_total[5m]))", "sent"),
            ("sum by (verdict) (rate(flocklore_receipts_received_total[5m]))", "{{verdict}}"),
        ),
        _chart(
            "Round trip to NATS",
            "From a ping to its answer.",
            "s",
            ("max by (instance) (flocklore_nats_round_trip_seconds)", "{{instance}}"),
        ),
        _times("Transactions of ingest", "One batch of envelopes.", "flocklore_ingest_batch_seconds"),
        _chart(
            "Trouble",
            "New dead letters, refused signatures, contradicting events, lost connections, errors of NATS, new epochs.",
            "ops",
            ("sum(rate(flocklore_dead_letters_total[5m]))", "dead letters"),
            ("sum(rate(flocklore_events_deferred_total[5m]))", "above quota"),
            ("sum by (reason) (rate(flocklore_signatures_refused_total[5m]))", "signature: {{reason}}"),
            ("sum(rate(flocklore_forks_total[5m]))", "forks"),
            ("sum(rate(flocklore_nats_reconnects_total[5m]))", "reconnects"),
            ("sum by (kind) (rate(flocklore_nats_errors_total[5m]))", "{{kind}}"),
            ("sum(rate(flocklore_epochs_rotated_total[5m]))", "epochs"),
        ),
    ),
    "Jobs": (
        _chart(
            "Queue depth by region",
            "Jobs that wait.",
            "short",
            ("sum by (region, queue) (pgmq_queue_depth)", "{{region}} {{queue}}"),
        ),
        _chart(
            "Workflows per orchestrator",
            "Attempts at tasks of workflows, by the process that made them.",
            "ops",
            ("sum by (orchestrator_id) (rate(workflow_executions_total[5m]))", "{{orchestrator_id}}"),
        ),
        _chart(
            "Runs of workflows",
            "Under way, and those kept of the last week.",
            "short",
            ("sum(workflow_runs_active)", "active"),
            ("sum(workflow_runs_completed)", "completed"),
            ("sum(workflow_runs_failed)", "failed"),
        ),
        _chart(
            "Attempts at jobs",
            "By how they ended.",
            "ops",
            ("sum by (state) (rate(job_executions_total[5m]))", "{{state}}"),
        ),
        _times("Duration of jobs", "One attempt.", "job_seconds", "kind"),
        _times("Waiting of jobs", "From when a job was due to its start.", "job_wait_seconds", "kind"),
        _chart("Workers", "Processes on each database.", "short", ("sum by (status) (workflow_workers)", "{{status}}")),
        _chart(
            "Schedules",
            "Runs, by how they ended.",
            "ops",
            ("sum by (name, outcome) (rate(flocklore_schedule_runs_total[5m]))", "{{name}} {{outcome}}"),
        ),
        _chart(
            "Results of other programs",
            "Taken from what programs of the machine tell over OTLP, and entries that made no sense.",
            "ops",
            ("sum(rate(flocklore_sink_results_total[5m]))", "results"),
            ("sum(rate(flocklore_sink_rejected_total[5m]))", "rejected"),
        ),
    ),
    "Leaders and locks": (
        _chart(
            "Who leads", "1 while a process leads, 0 while it could.", "short", ("flocklore_leading", "{{instance}}")
        ),
        _times(
            "Acquiring a lock", "From wanting it to having it, or not.", "flocklore_lock_acquisition_seconds", "lock"
        ),
        _chart("Locks two held at one time", "None, ever.", "short", ("max(flocklore_lock_overlaps)", "overlaps")),
    ),
    "Requests": (
        _chart(
            "Requests over HTTP",
            "By route and status.",
            "reqps",
            ("sum by (route, status) (rate(flocklore_http_requests_total[5m]))", "{{route}} {{status}}"),
        ),
        _times("Duration over HTTP", "By process.", "flocklore_http_request_seconds", "instance"),
        _chart(
            "Open streams",
            "Browsers and others that follow the feed.",
            "short",
            ("sum by (instance) (flocklore_http_streams)", "{{instance}}"),
        ),
        _chart(
            "Requests over NATS",
            "By what was asked and the outcome.",
            "reqps",
            ("sum by (query, outcome) (rate(flocklore_queries_total[5m]))", "{{query}} {{outcome}}"),
            width=12,
        ),
        _times("Duration over NATS", "By what was asked.", "flocklore_query_seconds", "query", width=12),
    ),
    "Processes": (
        _chart(
            "Memory",
            "Share of what the process may take; 80 % is an alert.",
            "percentunit",
            ("process_resident_memory_bytes / on (job, instance) flocklore_memory_bytes_max", "{{instance}}"),
        ),
        _chart(
            "Processors",
            "Share of what the process may keep busy; 70 % is an alert.",
            "percentunit",
            (
                'rate(process_cpu_seconds_total{job=~"orchestrator|instance"}[5m]) / on (job, instance) flocklore_cpus',
                "{{instance}}",
            ),
        ),
        _chart(
            "Connections to the database",
            "In use, idle, and how many there may be.",
            "short",
            ("sum by (instance, pool, state) (flocklore_database_connections)", "{{instance}} {{pool}} {{state}}"),
            ("sum by (instance, pool) (flocklore_database_connections_max)", "{{instance}} {{pool}} most"),
        ),
        _times("Waiting for a connection", "To the database.", "flocklore_database_wait_seconds", "pool"),
        _chart(
            "Behind the primary",
            "How stale the replica is that is read; 10 s is an alert.",
            "s",
            ("max by (instance) (flocklore_replica_lag_seconds)", "{{instance}}"),
        ),
        _chart(
            "Log to replay",
            "What the replica has still before it.",
            "bytes",
            ("max by (instance) (flocklore_replica_lag_bytes)", "{{instance}}"),
        ),
        _chart(
            "Reads",
            "From the replica, or from the primary and why.",
            "reqps",
            ("sum by (source, why) (rate(flocklore_replica_reads_total[5m]))", "{{source}} {{why}}"),
        ),
        _chart(
            "Parts started again",
            "After they failed.",
            "short",
            ("sum by (instance, service) (increase(flocklore_service_restarts_total[1h]))", "{{instance}} {{service}}"),
        ),
        _chart(
            "What cannot be measured",
            "Readings of it show nothing meanwhile.",
            "short",
            ("sum by (instance, what) (increase(flocklore_measuring_failures_total[1h]))", "{{instance}} {{what}}"),
        ),
        _chart("Versions", "That run.", "short", ("count by (version) (flocklore_build_info)", "{{version}}")),
    ),
}
