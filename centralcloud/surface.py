"""Everything centralcloud shows over HTTP, put together in one place: health, metrics, the API, the dashboard."""

from __future__ import annotations

from typing import Final

from centralcloud.config import CentralcloudSettings
from centralcloud.connections import Engines
from centralcloud.store import activity
from centralcloud.web import api, pages
from centralcloud.web.feed import Feed
from centralcloud.web.ingest import Posts
from shared.bus import Bus
from shared.health import Health
from shared.metrics import Metrics
from shared.notices import Notices
from shared.replica import Replica
from shared.restarting import Restarted
from shared.service import Service
from shared.web.surface import surface

TITLE: Final = "Flocklore centralcloud"


def show(
    engines: Engines,
    bus: Bus,
    notices: Notices,
    settings: CentralcloudSettings,
    metrics: Metrics,
    health: Health,
    *,
    answers: bool,
) -> list[Service]:
    """Make the server, and what has to run for it; without `answers` it tells of health and metrics alone.

    Before the bus and the notices start, as they are told what to listen to.
    """
    if not answers:
        return [surface(settings, metrics, health, title=TITLE)]
    engine, replica = engines.web, _replica(engines, settings, metrics)
    feed = Feed(engine)
    notices.on(activity.CHANNEL, feed.wake)
    posts = Posts(
        engine, bus, settings.ingest_tokens, settings.tenant, posts_per_second=settings.http_requests_per_second
    )
    endpoints = api.endpoints(engine, bus, settings, feed, replica)
    if settings.ingest_tokens:
        endpoints.append(posts.endpoint())
    server = surface(
        settings,
        metrics,
        health,
        title=TITLE,
        endpoints=endpoints,
        extra=pages.routes(),
        tenant_tokens=settings.tenant_tokens,
    )
    if replica is not None:
        health.watch(replica.name, replica.word)
        health.replica = replica
    return [server, Restarted(feed, metrics), *([replica] if replica else [])]


def _replica(engines: Engines, settings: CentralcloudSettings, metrics: Metrics) -> Replica | None:
    """Make what judges the reads; nothing is changed by them, whatever server answers."""
    if engines.reads is None:
        return None
    reads = engines.reads.execution_options(postgresql_readonly=True)
    return Replica(engines.web, reads, metrics, stale_seconds=settings.database_read_stale_seconds)
