"""What Prometheus reads."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from shared.web.endpoint import Raw

MEDIA: Final = "text/plain; version=0.0.4; charset=utf-8"


def metrics_endpoint(registry: CollectorRegistry) -> Raw:
    """Serve a registry in the text format."""

    async def answer(_request: Request) -> Response:
        return Response(generate_latest(registry), media_type=MEDIA)

    return Raw("GET", "/metrics", answer, "Every metric, for Prometheus.", media="text/plain")
