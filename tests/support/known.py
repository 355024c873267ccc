"""A central database with something in it: instances that are registered, and what they said taken in by ingest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.ingest.arrivals import Arrival, read
from centralcloud.ingest.commit import commit
from schemas import subjects
from schemas.codec import encode
from schemas.events import CodePatternLearned, Event, InsightFeedback, ResultsLearned, StatisticsReported
from schemas.results import ResultSums
from schemas.subjects import Sender
from shared import sketch
from shared.database import transaction
from tests.support.observed import TENANT, digest
from tests.support.patterns import TOPIC
from tests.support.wire import EPOCH, envelope

_NOW = datetime(2026, 1, 1, tzinfo=UTC)

_REGISTER = text("""
    INSERT INTO instance_registry
           (tenant, instance_id, hostname, status, role, region, version, holder, head, confirmed)
    VALUES (:tenant, :name, 'host-' || :name, 'online', 'hybrid', 'eu', '1.0', 'h', 7, 5)
""")
_BEAT = text("""
    UPDATE instance_registry SET insight_version = :version, last_heartbeat = clock_timestamp()
     WHERE tenant = :tenant AND instance_id = :name
""")


async def register(engine: AsyncEngine, *names: str, tenant: str = TENANT) -> None:
    """Have instances in the registry, as their first words would."""
    async with transaction(engine) as connection:
        await connection.execute(_REGISTER, [{"tenant": tenant, "name": name} for name in names])


async def beat(engine: AsyncEngine, name: str, insight_version: int, *, tenant: str = TENANT) -> None:
    """Have a heartbeat of an instance tell which insights it has applied."""
    async with transaction(engine) as connection:
        await connection.execute(_BEAT, {"tenant": tenant, "name": name, "version": insight_version})


async def take_in(engine: AsyncEngine, name: str, first_seq: int, *events: Event, tenant: str = TENANT) -> None:
    """Take in what an instance says, in one batch, from a sequence on."""
    sender = Sender(tenant, name)
    arrival = read(subjects.learned(TOPIC, sender), envelope(first_seq, [encode(one) for one in events], EPOCH))
    assert isinstance(arrival, Arrival)
    async with transaction(engine) as connection:
        await commit(connection, [arrival], [])


def learned(pattern: str, repository: str, *, files: int = 3, version: int = 1) -> CodePatternLearned:
    """A pattern in a repository."""
    return CodePatternLearned(
        id=digest(f"event of {pattern} in {repository}"),
        time=_NOW,
        fingerprint=digest(pattern),
        repository=digest(repository),
        version=version,
        files=files,
        occurrences=2 * files,
        language="python",
        view="statement",
    )


def reported(languages: dict[str, int]) -> StatisticsReported:
    """What an instance has studied."""
    return StatisticsReported(
        id=digest("statistics"), time=_NOW, version=1, repositories=2, files=sum(languages.values()), bytes=10,
        patterns=4, languages=languages, insights_applied=1,
    )  # fmt: skip


def opinion(pattern: str) -> InsightFeedback:
    """Somebody keeps an insight."""
    return InsightFeedback(id=digest("opinion"), time=_NOW, insight=digest(pattern), version=1, verdict="accepted")


def results(model: str, costs: Sequence[int], succeeded: int, *, job_type: str = "fix") -> ResultsLearned:
    """Results of today, all judged, with costs in millionths of a cent and a second each."""
    sums = ResultSums(
        results=len(costs),
        succeeded=succeeded,
        failed=len(costs) - succeeded,
        priced=len(costs),
        cost_microcents=sum(costs),
        cost=sketch.sketch(costs),
        metered=len(costs),
        input_tokens=100 * len(costs),
        timed=len(costs),
        latency_ms=1000 * len(costs),
        latency=sketch.sketch([1000] * len(costs)),
    )
    return ResultsLearned(
        id=digest(f"{job_type} {model}"), time=_NOW, day=datetime.now(UTC).date(), job_type=job_type, model=model,
        version=1, sums=sums,
    )  # fmt: skip
