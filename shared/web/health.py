"""Whether a daemon lives, may be asked, and does its work: for whoever restarts it, sends it requests, or mends it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from msgspec import Struct

from shared.health import HEALTHY, UNHEALTHY, Health, Phase, Report
from shared.web.endpoint import Access, Endpoint, Nothing, Reply


class Alive(Struct, frozen=True):
    """The event loop turns."""

    live: bool = True


class Ready(Struct, frozen=True):
    """Whether requests may be sent here, and why not."""

    ready: bool
    phase: Phase
    checks: dict[str, str]


def health_endpoints(health: Health) -> list[Endpoint]:
    """Where it is asked; open to all, as they tell nothing that is anybody's."""
    written: tuple[Report, Reply] | None = None

    async def report(_query: Nothing) -> Reply:
        nonlocal written
        found = await health.report()
        if written is None or written[0] is not found:  # one look is asked for often, and written once
            document = msgspec.Raw(msgspec.json.encode(found))
            written = found, Reply(document, 200 if found.healthy else 503)
        return written[1]

    async def ready(_query: Nothing) -> Reply:
        found = await health.report()
        checks = {name: str(found.checks.get(name, UNHEALTHY)) for name in health.needed}
        is_ready = health.phase == "running" and all(word == HEALTHY for word in checks.values())
        return Reply(Ready(is_ready, health.phase, checks), 200 if is_ready else 503)

    async def live(_query: Nothing) -> Alive:
        return Alive()

    return [
        _open("/health", report, Report, "How the process is; 503 when something is wrong."),
        _open("/live", live, Alive, "Whether the process lives; nothing else is looked at."),
        _open("/ready", ready, Ready, "Whether requests may be sent here; 503 when not."),
        _open("/health/live", live, Alive, "As /live."),
        _open("/health/ready", ready, Ready, "As /ready."),
    ]


def _open(path: str, answer: Callable[[Any], Awaitable[Any]], result: Any, summary: str) -> Endpoint:
    return Endpoint("GET", path, Nothing, answer, result, summary, access=Access.OPEN)
