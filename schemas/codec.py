"""Bytes to values and back: msgspec JSON, and the table of every type that crosses the bus."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final, TypeVar

import msgspec

from schemas.calibration import CalibrationPage, CalibrationQuery
from schemas.envelope import Envelope
from schemas.events import AnyEvent
from schemas.flow import FlowHint
from schemas.insights import (
    GlobalStatistics,
    InsightsPage,
    InsightsQuery,
    InsightUpdated,
    InstancesPage,
    InstancesQuery,
    PatternAggregation,
    Provenance,
    StatisticsQuery,
    WhyQuery,
)
from schemas.recommendations import RecommendationsPage, RecommendationsQuery
from schemas.region import InsightsTold, RegionPage, RegionQuery, ResultsPage, ResultsQuery, ToldReply
from schemas.replies import Response
from schemas.routing_advice import Advice, RouteQuery
from schemas.routing_pages import RoutingPage, RoutingQuery, RoutingUpdated
from schemas.sync import Goodbye, Heartbeat, Receipt, SyncRequest

T = TypeVar("T")

MESSAGES: Final[dict[str, Any]] = {
    "envelope": Envelope,
    "event": AnyEvent,
    "receipt": Receipt,
    "sync.request": SyncRequest,
    "sync.reply": Response[Receipt],
    "heartbeat": Heartbeat,
    "goodbye": Goodbye,
    "insights.aggregated": PatternAggregation,
    "insights.query": InsightsQuery,
    "insights.reply": Response[InsightsPage],
    "why.query": WhyQuery,
    "why.reply": Response[Provenance],
    "statistics.query": StatisticsQuery,
    "statistics.reply": Response[GlobalStatistics],
    "statistics.global": GlobalStatistics,
    "cache.update": InsightUpdated,
    "calibration.query": CalibrationQuery,
    "calibration.reply": Response[CalibrationPage],
    "instances.query": InstancesQuery,
    "instances.reply": Response[InstancesPage],
    "recommendations.query": RecommendationsQuery,
    "recommendations.reply": Response[RecommendationsPage],
    "insights.routing": RoutingUpdated,
    "routing.query": RoutingQuery,
    "routing.reply": Response[RoutingPage],
    "route.query": RouteQuery,
    "route.reply": Response[Advice],
    "flow": FlowHint,
    "region.query": RegionQuery,
    "region.reply": Response[RegionPage],
    "results.query": ResultsQuery,
    "results.reply": Response[ResultsPage],
    "insights.told": InsightsTold,
    "told.reply": Response[ToldReply],
}
"""Append only: a name, once published, keeps its meaning."""

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}


class InvalidMessageError(ValueError):
    """Bytes that do not follow the wire contract; the message says where they leave it."""


def encode(value: Any) -> bytes:
    """Canonical JSON: the same value always gives the same bytes."""
    return _ENCODER.encode(value)


def decode(data: bytes | memoryview | msgspec.Raw, kind: type[T]) -> T:
    """Decode and validate; unknown fields are ignored, anything else raises `InvalidMessageError`."""
    decoder = _DECODERS.get(kind)
    if decoder is None:
        decoder = _DECODERS[kind] = msgspec.json.Decoder(kind)
    try:
        return decoder.decode(data)  # type: ignore[no-any-return]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidMessageError(str(error)) from error


_EVENT_DECODER: Final[msgspec.json.Decoder[AnyEvent]] = msgspec.json.Decoder(AnyEvent)


def decode_event(data: bytes | msgspec.Raw) -> AnyEvent:
    """Decode one event of an envelope; an unknown type raises `InvalidMessageError`."""
    try:
        return _EVENT_DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidMessageError(str(error)) from error


def event_hash(data: bytes | msgspec.Raw) -> bytes:
    """blake2b-64 of the bytes of one event, as they stand in the envelope."""
    return blake2b(bytes(data), digest_size=8).digest()
