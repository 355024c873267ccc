"""How a daemon is: what its database, its connection to NATS and its parts say, asked once a second at most."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final, Literal, NamedTuple, Protocol

import structlog
from msgspec import UNSET, Struct, UnsetType

from shared.jobs.vitals import Vitals
from shared.node import Gauge, Node
from shared.service import Service
from shared.staleness import Lag
from shared.version import VERSION

log = structlog.get_logger(__name__)

CHECK_SECONDS_MAX: Final = 2.0
FRESH_SECONDS: Final = 1.0
"""However often it is asked, the database and NATS are asked once in this time."""

MEMORY_MAX: Final = 0.8
"""The share of its memory above which a process is in danger."""

HEALTHY: Final = "healthy"
UNHEALTHY: Final = "unhealthy"
NO_WORKERS: Final = "no_workers"

_SURVEY: Final = "survey"
_BUFFERS: Final = "buffers"

Phase = Literal["starting", "running", "draining"]
Check = Callable[[], Awaitable[str]]
"""Gives `healthy`, or the word for what is wrong; raising, or taking too long, is `unhealthy`."""


class Survey(NamedTuple):
    """What a look into the database finds."""

    vitals: Vitals
    active_instances: int


async def _nothing() -> Mapping[str, int]:
    return {}


class Report(Struct, frozen=True, kw_only=True):
    """How it is. `checks`: a word each, and `uptime` in seconds; what is not known is null."""

    status: Literal["ok", "degraded"]
    healthy: bool
    instance_id: str
    database: Literal["connected", "disconnected"]
    active_instances: int | None
    phase: Phase
    role: str
    version: str
    checks: dict[str, str | float]
    node: Node
    connections: int
    streams: int
    queue_depth: int | None
    buffers: dict[str, int] | None
    replica: Lag | UnsetType | None = UNSET
    """How far behind the replica is that is read; null: it is not read; left out: there is none."""


class Behind(Protocol):
    """What knows how far behind a replica is."""

    lag: Lag | None


class Health(Service):
    """Looks when it is asked. As a service it says that what was started before it runs, or stops."""

    name = "health"

    def __init__(
        self,
        survey: Callable[[], Awaitable[Survey]],
        *,
        role: str,
        buffers: Callable[[], Awaitable[Mapping[str, int]]] = _nothing,
        needed: Collection[str] = ("database",),
    ) -> None:
        """`buffers`: what waits to be passed on, by name."""
        super().__init__()
        self.instance_id = ""
        """Who answers, once that is known."""
        self.phase: Phase = "starting"
        self.sockets: Callable[[], tuple[int, int]] = lambda: (0, 0)
        """Connections that are open, and how many of them are streams."""
        self._survey = survey
        self.replica: Behind | None = None
        """The replica that is read, where there is one."""
        self.role = role
        self._buffers = buffers
        self._checks: dict[str, Check] = {}
        self.needed = needed
        """Checks without which it is not ready."""
        self._gauge = Gauge()
        self._asking: dict[str, asyncio.Task[Any]] = {}
        self._looking: asyncio.Task[Report] | None = None
        self._looked_at = -FRESH_SECONDS

    def watch(self, name: str, check: Check) -> None:
        """Have one thing more looked at."""
        self._checks[name] = check

    async def open(self) -> None:
        """Everything runs that is needed for an answer."""
        self.phase = "running"

    async def run(self) -> None:
        """Wait."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Whoever sends requests here should send them elsewhere."""
        self.phase = "draining"

    async def report(self) -> Report:
        """How it is now, or was a moment ago; never waits longer than the checks may take."""
        if self._looking is None or (self._looking.done() and time.monotonic() - self._looked_at > FRESH_SECONDS):
            self._looked_at = time.monotonic()
            self._looking = asyncio.create_task(self._look(), name="health look")
        return self._looking.result() if self._looking.done() else await asyncio.shield(self._looking)

    async def _look(self) -> Report:
        for name, ask in {_SURVEY: self._survey, _BUFFERS: self._buffers, **self._checks}.items():
            # What hangs is waited for again, not asked again: each asking holds a connection.
            if name not in self._asking or self._asking[name].done():
                self._asking[name] = asyncio.create_task(_told(name, ask), name=f"health {name}")
        await asyncio.wait(self._asking.values(), timeout=CHECK_SECONDS_MAX)
        return self._report(_outcome(self._asking[_SURVEY]), _outcome(self._asking[_BUFFERS]))

    def _report(self, survey: Survey | None, buffers: Mapping[str, int] | None) -> Report:
        node = self._gauge.look()
        words = _words(survey) | {name: str(_outcome(self._asking[name]) or UNHEALTHY) for name in self._checks}
        words["memory"] = HEALTHY if node.memory_bytes <= MEMORY_MAX * node.memory_bytes_max else "high"
        healthy = all(word == HEALTHY for word in words.values())
        connections, streams = self.sockets()
        return Report(
            status="ok" if healthy else "degraded",
            healthy=healthy,
            instance_id=self.instance_id,
            database="connected" if survey else "disconnected",
            active_instances=survey.active_instances if survey else None,
            phase=self.phase,
            role=self.role,
            version=VERSION,
            checks={**words, "uptime": node.uptime_seconds},
            node=node,
            connections=connections,
            streams=streams,
            queue_depth=survey.vitals.waiting if survey else None,
            buffers=None if buffers is None else dict(buffers),
            replica=UNSET if self.replica is None else self.replica.lag,
        )


def _words(survey: Survey | None) -> dict[str, str]:
    """What the seeds of this product called the checks: `pgmq` is the queue."""
    if survey is None:
        return {"database": UNHEALTHY, "pgmq": UNHEALTHY, "workers": UNHEALTHY}
    return {
        "database": HEALTHY,
        "pgmq": HEALTHY if survey.vitals.queues else UNHEALTHY,
        "workers": HEALTHY if survey.vitals.workers else NO_WORKERS,
    }


async def _told(name: str, ask: Callable[[], Awaitable[Any]]) -> Any:
    """What a check gives; None when it fails."""
    try:
        return await ask()
    except Exception as error:  # noqa: BLE001 - whatever it is, that is the answer
        log.debug("a check failed", check=name, reason=str(error) or type(error).__name__)
        return None


def _outcome(task: asyncio.Task[Any]) -> Any:
    """What a check gave; None when it has not ended."""
    return task.result() if task.done() and not task.cancelled() else None
