"""What is measured of one system: how many jobs a second, how soon a job starts, how soon after its worker's death."""

from __future__ import annotations

import time
from dataclasses import dataclass
from subprocess import Popen
from typing import Final

from bench.queues.contender import Patience
from bench.queues.processor import seconds_of, seconds_of_family
from bench.queues.stand import Stand, System, stand
from shared.embedded.postgres import EmbeddedPostgres

LIMIT: Final = 10
_SECONDS_MAX: Final = 600.0
_WARM_UP: Final = 20
_LATENCIES: Final = 200
_COMPANIONS_MAX: Final = 500


@dataclass(frozen=True)
class Throughput:
    """One run; processor time is that of the workers and of PostgreSQL, None where it cannot be known."""

    jobs_per_second: float
    enqueue_seconds: float
    client_ms_per_job: float | None
    server_ms_per_job: float | None


@dataclass(frozen=True)
class Latency:
    """Sorted seconds: of the call that enqueues a job, and from that call until an idle worker starts it."""

    enqueue: list[float]
    pickup: list[float]


def throughput(server: EmbeddedPostgres, system: System, jobs: int, processes: int) -> Throughput:
    """Enqueue no-op jobs, then have so many processes do them; raises `AssertionError` unless each was done once."""
    with stand(server, system, jobs) as at:
        enqueue_seconds = at.ask("fill", jobs)
        consumers = [at.consumer(LIMIT) for _ in range(processes)]
        before = _used(server, consumers)
        for consumer in consumers:
            at.begin(consumer)
        at.wait_until(lambda: min(at.board.all_starts()), _SECONDS_MAX, "every job started")
        at.wait_until(lambda: at.ask("unfinished") == 0, _SECONDS_MAX, "every job finished")
        after = _used(server, consumers)
        assert set(at.board.all_starts()) == {1}, f"{system.name} ran jobs more than once"
        started_at = at.board.all_started_at()
    client, served = (_ms_per_job(old, new, jobs) for old, new in zip(before, after, strict=True))
    return Throughput((jobs - 1) / (max(started_at) - min(started_at)), enqueue_seconds, client, served)


def latency(server: EmbeddedPostgres, system: System) -> Latency:
    """Enqueue one job after the other for one idle worker."""
    with stand(server, system, _WARM_UP + _LATENCIES) as at:
        at.begin(at.consumer(LIMIT))
        at.ask("latency", 0, _WARM_UP)
        enqueue, pickup = zip(*at.ask("latency", _WARM_UP, _LATENCIES), strict=True)
    return Latency(sorted(enqueue), sorted(pickup))


def restart(server: EmbeddedPostgres, system: System, patience: Patience | None, seconds_max: float) -> float:
    """Seconds from `kill -9` of a worker in the middle of a job until another, idle beside it, starts the job."""
    with stand(server, system, 1 + _COMPANIONS_MAX) as at:
        victim = at.consumer(LIMIT, patience, hang=True)
        at.begin(victim)
        at.ask("put", 0)
        at.wait_until(lambda: at.board.starts(0), seconds_max, "the job started")
        other = at.consumer(LIMIT, patience, hang=True)
        at.begin(other)
        _await_work(at, other)
        at.kill(victim)
        killed_at = time.monotonic()
        at.wait_until(lambda: at.board.starts(0) > 1, seconds_max, "the job started again")
        return at.board.started_at(0) - killed_at


def _await_work(at: Stand, consumer: Popen[str]) -> None:
    """Enqueue jobs until this process has done one."""
    for number in range(1, 1 + _COMPANIONS_MAX):
        at.ask("latency", number, 1)
        if at.board.process(number) == consumer.pid:
            return
    raise AssertionError("a second worker never got a job")


def _used(server: EmbeddedPostgres, consumers: list[Popen[str]]) -> tuple[float | None, float | None]:
    assert server.child is not None
    seconds = [used for consumer in consumers if (used := seconds_of(consumer.pid)) is not None]
    return sum(seconds) if seconds else None, seconds_of_family(server.child.identity.pid)


def _ms_per_job(before: float | None, after: float | None, jobs: int) -> float | None:
    return None if before is None or after is None else (after - before) / jobs * 1000
