"""Every channel of the bus in one table: its address, its message, who publishes and who listens."""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

from schemas import subjects
from schemas.subjects import Sender, Topic

Party = Literal["instance", "delegate", "centralcloud", "broker", "subscriber"]
"""A delegate is an instance that may do more: speak for the hub above its region."""

_SENDER: Final = Sender("{tenant}", "{instance}")
_TOPIC: Final = Topic("{domain}", "{kind}")

PARAMETERS: Final[dict[str, str]] = {
    "tenant": "Whose fleet; a name.",
    "instance": "Identity of one instance, checked by the broker's permissions; a name.",
    "domain": "First half of a topic, such as `code`.",
    "kind": "Second half of a topic, such as `pattern`.",
    "topic": "What the insight message is about.",
    "insight_id": "Fingerprint of the insight, 32 hex digits.",
    "request": "Random tokens of one request, chosen by the NATS client.",
}
"""What the `{...}` of an address stand for."""


class Channel(NamedTuple):
    """One address and what is said there; `message` and `reply` are names of `codec.MESSAGES`."""

    name: str
    address: str
    message: str
    publisher: Party
    listeners: tuple[Party, ...]
    description: str
    reply: str | None = None

    @property
    def wildcard(self) -> str:
        """The subject to subscribe to for all of its addresses."""
        return re.sub(r"\{\w+\}", "*", self.address)


CHANNELS: Final = (
    Channel(
        "learned",
        subjects.learned(_TOPIC, _SENDER),
        "envelope",
        "instance",
        ("centralcloud",),
        "What an instance learned; kept by the stream until centralcloud has committed it.",
    ),
    Channel(
        "learnedPublic",
        subjects.learned_public(_TOPIC),
        "envelope",
        "broker",
        ("subscriber",),
        "The same envelopes for plain subscribers; the `Nats-Subject` header says who sent them.",
    ),
    Channel(
        "receipt",
        subjects.receipt(_SENDER),
        "receipt",
        "centralcloud",
        ("instance",),
        "How far an instance's events are committed.",
    ),
    Channel(
        "sync",
        subjects.sync(_SENDER),
        "sync.request",
        "instance",
        ("centralcloud",),
        "An instance asks for its receipt, on every connect and every minute.",
        "sync.reply",
    ),
    Channel(
        "flow",
        subjects.FLOW,
        "flow",
        "centralcloud",
        ("centralcloud", "instance", "subscriber"),
        "A hint to send more slowly while too much waits to be committed; it runs out by itself.",
    ),
    Channel(
        "heartbeat",
        subjects.heartbeat(_SENDER),
        "heartbeat",
        "instance",
        ("centralcloud",),
        "This instance lives.",
    ),
    Channel(
        "goodbye",
        subjects.goodbye(_SENDER),
        "goodbye",
        "instance",
        ("centralcloud",),
        "This instance stops by its own will.",
    ),
    Channel(
        "insights",
        subjects.INSIGHTS.replace("*", "{topic}"),
        "insights.aggregated",
        "centralcloud",
        ("instance", "subscriber"),
        "A hint that insights changed; the truth is asked for with a query.",
    ),
    Channel(
        "routing",
        subjects.INSIGHTS_ROUTING,
        "insights.routing",
        "centralcloud",
        ("instance", "subscriber"),
        "A hint that the priors for routing changed; they are asked for with a query.",
    ),
    Channel(
        "insightsQuery",
        subjects.INSIGHTS_QUERY,
        "insights.query",
        "instance",
        ("centralcloud",),
        "Every insight changed since a version.",
        "insights.reply",
    ),
    Channel(
        "cacheSync",
        subjects.CACHE_SYNC_REQUEST,
        "insights.query",
        "instance",
        ("centralcloud",),
        "Another name of the insights query, for clients of the knowledge cache.",
        "insights.reply",
    ),
    Channel(
        "cacheUpdate",
        subjects.cache_update("{insight_id}"),
        "cache.update",
        "centralcloud",
        ("subscriber",),
        "One insight changed.",
    ),
    Channel(
        "whyQuery",
        subjects.WHY_QUERY,
        "why.query",
        "instance",
        ("centralcloud",),
        "Where an insight came from.",
        "why.reply",
    ),
    Channel(
        "recommendationsQuery",
        subjects.RECOMMENDATIONS_QUERY,
        "recommendations.query",
        "instance",
        ("centralcloud",),
        "What the fleet does that an instance does not.",
        "recommendations.reply",
    ),
    Channel(
        "calibrationQuery",
        subjects.CALIBRATION_QUERY,
        "calibration.query",
        "instance",
        ("centralcloud",),
        "How far evidence can be trusted, fitted over all repositories.",
        "calibration.reply",
    ),
    Channel(
        "routingQuery",
        subjects.ROUTING_QUERY,
        "routing.query",
        "instance",
        ("centralcloud",),
        "What the fleet has seen models do: priors for routing, a page at a time.",
        "routing.reply",
    ),
    Channel(
        "routeQuery",
        subjects.route(_SENDER),
        "route.query",
        "instance",
        ("instance",),
        "Programs with the credentials of an instance ask it which models to try on a task.",
        "route.reply",
    ),
    Channel(
        "instancesQuery",
        subjects.INSTANCES_QUERY,
        "instances.query",
        "instance",
        ("centralcloud",),
        "Which instances centralcloud knows, and how they are.",
        "instances.reply",
    ),
    Channel(
        "statisticsQuery",
        subjects.STATISTICS_QUERY,
        "statistics.query",
        "instance",
        ("centralcloud",),
        "The fleet in numbers, now.",
        "statistics.reply",
    ),
    Channel(
        "regionQuery",
        subjects.REGION_QUERY,
        "region.query",
        "instance",
        ("centralcloud",),
        "Which region a hub is, and where a tenant belongs.",
        "region.reply",
    ),
    Channel(
        "resultsQuery",
        subjects.RESULTS_QUERY,
        "results.query",
        "delegate",
        ("centralcloud",),
        "What the instances of a region have seen models do, together.",
        "results.reply",
    ),
    Channel(
        "told",
        subjects.told(_SENDER),
        "insights.told",
        "delegate",
        ("centralcloud",),
        "A delegate tells its region's hub what the hub above knows, a page at a time.",
        "told.reply",
    ),
    Channel(
        "statistics",
        subjects.STATISTICS_GLOBAL,
        "statistics.global",
        "centralcloud",
        ("instance", "subscriber"),
        "The fleet in numbers, broadcast.",
    ),
)
"""In the order of a day: up, receipts, life signs, down, queries."""

INBOX: Final = subjects.inbox_prefix(_SENDER) + ".{request}"
"""Where replies arrive: a prefix per instance, so that nobody else may listen."""

INSIGHT_TOPICS: Final = (subjects.INSIGHTS_AGGREGATED.rsplit(".", 1)[1],)
"""What `{topic}` may be."""
