"""What a daemon shows of itself over HTTP: its health and metrics, and what it has beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from starlette.routing import BaseRoute

from shared.config import Settings
from shared.health import Health
from shared.metrics import Metrics
from shared.web.application import application
from shared.web.endpoint import Access, Endpoint, Raw
from shared.web.guard import guard_of
from shared.web.health import health_endpoints
from shared.web.metrics import metrics_endpoint
from shared.web.server import WebServer


def surface(
    settings: Settings,
    metrics: Metrics,
    health: Health,
    *,
    title: str,
    endpoints: Sequence[Endpoint | Raw] = (),
    tenant_tokens: Mapping[str, str] = MappingProxyType({}),
    extra: Sequence[BaseRoute] = (),
) -> WebServer:
    """Make the server of a daemon, by its settings; a process that only reads has nothing that changes anything."""
    allowed = [one for one in endpoints if settings.role != "read_only" or one.access is not Access.WRITE]
    shown = application(
        [*health_endpoints(health), metrics_endpoint(metrics.registry), *allowed],
        guard_of(settings, tenant_tokens),
        title=title,
        extra=extra,
        metrics=metrics,
        has_started=lambda: health.phase != "starting",
    )
    server = WebServer(shown, settings.http_host, settings.http_port or 0)
    health.sockets = lambda: (server.connections, shown.state.streams)
    return server
