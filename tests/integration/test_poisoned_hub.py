"""Liars in concert against the real hub: what they say comes in through ingest and is merged from the database."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime

from msgspec import Raw

from centralcloud.aggregate import aggregate
from centralcloud.desk import read_outliers
from centralcloud.ingest.arrivals import Arrival
from centralcloud.ingest.commit import commit
from centralcloud.learning.observation import LANGUAGE_KIND, Observation
from centralcloud.store import insights
from schemas.codec import encode, event_hash
from schemas.events import CodePatternLearned, LanguageLearned
from schemas.subjects import Sender
from shared.database import transaction
from tests.support.databases import central_engine
from tests.support.liars import ACCEPTED, judged, world
from tests.support.observed import TENANT, digest

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def event(said: Observation, number: int) -> bytes:
    """What an instance sends."""
    common = {
        "id": f"{number:032x}", "time": NOW, "fingerprint": said.fingerprint, "repository": said.repository,
        "version": said.version, "files": said.files, "occurrences": said.occurrences,
    }  # fmt: skip
    if said.kind == LANGUAGE_KIND:
        return encode(LanguageLearned(**common, name=said.name))  # type: ignore[arg-type]
    return encode(CodePatternLearned(**common, language=said.language, view=said.view))  # type: ignore[arg-type]


def arrivals(observations: list[Observation]) -> list[Arrival]:
    """One envelope for each instance."""
    by_instance: dict[str, list[bytes]] = defaultdict(list)
    for number, said in enumerate(observations):
        by_instance[said.instance].append(event(said, number))
    return [
        Arrival(Sender(TENANT, name), digest("epoch"), 1, tuple(map(Raw, events)), tuple(map(event_hash, events)))
        for name, events in by_instance.items()
    ]


async def test_liars_are_found_and_what_they_said_is_not_believed(database_url: str) -> None:
    made = world(4, instances=100, facts=120, languages=2, liars=0.05)
    async with central_engine(database_url) as engine:
        async with transaction(engine) as connection:
            done = await commit(connection, arrivals(made.observations), [])
        assert (done.events, done.dead_letters) == (len(made.observations), 0)
        await aggregate(engine, TENANT)
        outliers = {one.instance: one.trust for one in await read_outliers(engine, TENANT)}
        async with transaction(engine) as connection:
            found = await insights.changed_since(connection, TENANT, 0, 10_000, 10_000)
    believed = {one.id for one in found if one.state == "active" and one.confidence >= ACCEPTED}
    assert {name for name, trust in outliers.items() if trust == 0} == made.liars
    assert outliers == {name: one.trust for name, one in judged(made.observations).items() if one.trust < 1}
    assert not believed & made.false
    assert made.true <= believed
