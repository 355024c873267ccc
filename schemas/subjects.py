"""Every subject, written once. Who may publish where is read from here by documents and permissions alike."""

from __future__ import annotations

from typing import Final, NamedTuple

from schemas.names import is_name

STREAM: Final = "LEARNED"
STREAM_SUBJECT: Final = "intelligence.*.*.learned.*.*"
"""What the stream keeps: the identity of the sender is in the last two tokens."""

REPUBLISH_SOURCE: Final = STREAM_SUBJECT
REPUBLISH_DESTINATION: Final = "intelligence.{{wildcard(1)}}.{{wildcard(2)}}.learned"
"""What plain subscribers listen to; the server publishes it, so nobody can forge it."""

HEARTBEATS: Final = "system.heartbeat.*.*"
GOODBYES: Final = "system.goodbye.*.*"
SYNC_REQUESTS: Final = "intelligence.sync.*.*"
TOLD: Final = "intelligence.told.*.*"
FLOW: Final = "intelligence.flow.all"
INSIGHTS: Final = "intelligence.insights.*"
INSIGHTS_AGGREGATED: Final = "intelligence.insights.aggregated"
INSIGHTS_ROUTING: Final = "intelligence.insights.routing"
INSIGHTS_QUERY: Final = "intelligence.query.insights"
WHY_QUERY: Final = "intelligence.query.why"
CALIBRATION_QUERY: Final = "intelligence.query.calibration"
ROUTING_QUERY: Final = "intelligence.query.routing"
REGION_QUERY: Final = "intelligence.query.region"
RESULTS_QUERY: Final = "intelligence.query.results"
RECOMMENDATIONS_QUERY: Final = "intelligence.query.recommendations"
INSTANCES_QUERY: Final = "intelligence.query.instances"
STATISTICS_QUERY: Final = "intelligence.query.statistics"
STATISTICS_GLOBAL: Final = "intelligence.statistics.global"
CACHE_SYNC_REQUEST: Final = "knowledge.cache.sync.request"
CACHE_UPDATES: Final = "knowledge.cache.update.*"


class Sender(NamedTuple):
    """Who a subject says it is from."""

    tenant: str
    instance: str


class Topic(NamedTuple):
    """What a learned event is about, such as `code`, `pattern`."""

    domain: str
    kind: str


def learned(topic: Topic, sender: Sender) -> str:
    """Where an instance publishes envelopes about one topic."""
    return f"intelligence.{topic.domain}.{topic.kind}.learned.{sender.tenant}.{sender.instance}"


def learned_public(topic: Topic) -> str:
    """Where subscribers hear envelopes of every instance about one topic."""
    return f"intelligence.{topic.domain}.{topic.kind}.learned"


def receipt(sender: Sender) -> str:
    """Where centralcloud tells an instance what it has committed."""
    return f"intelligence.receipt.{sender.tenant}.{sender.instance}"


def sync(sender: Sender) -> str:
    """Where an instance asks for its receipt."""
    return f"intelligence.sync.{sender.tenant}.{sender.instance}"


def route(sender: Sender) -> str:
    """Where an instance is asked which models to try on a task."""
    return f"intelligence.query.route.{sender.tenant}.{sender.instance}"


def told(sender: Sender) -> str:
    """Where a delegate tells its region what the hub above knows."""
    return f"intelligence.told.{sender.tenant}.{sender.instance}"


def heartbeat(sender: Sender) -> str:
    """Where an instance says that it lives."""
    return f"system.heartbeat.{sender.tenant}.{sender.instance}"


def goodbye(sender: Sender) -> str:
    """Where an instance says that it stops."""
    return f"system.goodbye.{sender.tenant}.{sender.instance}"


def cache_update(insight_id: str) -> str:
    """Where centralcloud announces one changed insight."""
    return f"knowledge.cache.update.{insight_id}"


def inbox_prefix(sender: Sender) -> str:
    """Prefix of the reply subjects of one instance, so that nobody else may listen to them."""
    return f"_INBOX.{sender.tenant}.{sender.instance}"


def sender_of(subject: str) -> Sender | None:
    """Read the sender from the last two tokens of a subject; None when they are not names."""
    tokens = subject.split(".")
    match tokens:
        case [_, _, *_, tenant, instance] if is_name(tenant) and is_name(instance):
            return Sender(tenant, instance)
        case _:
            return None


def topic_of(subject: str) -> Topic | None:
    """Read domain and kind from a learned subject; None when it is not one."""
    tokens = subject.split(".")
    match tokens:
        case ["intelligence", domain, kind, "learned"] | ["intelligence", domain, kind, "learned", _, _]:
            return Topic(domain, kind)
        case _:
            return None
